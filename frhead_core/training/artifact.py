"""The model artifact: weights, recipe, history, and what is known of how they came about."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frhead_core.config import Modality, Recipe, check_modality, load_recipe, recipe_to_yaml
from frhead_core.errors import InputError
from frhead_core.evaluation.cost import Cost
from frhead_core.files import replaced_directory
from frhead_core.training.model_card import model_card

if TYPE_CHECKING:
    from frhead_core.models.recogniser import Recogniser

FORMAT_VERSION = 1
MODEL_FILES = (
    "*.safetensors",
    "recipe.yaml",
    "metadata.json",
    "history.jsonl",
    "training_samples.txt",
    "README.md",
)
"""Patterns of the files that make a model; beside them lie TensorBoard's, which nothing reads."""
_METADATA = {"metrics": dict, "trained_on": str, "precision": str}
_FIGURES = ("epoch", "evaluated_part", "samples", "top1", "top5")
_RECORDS = ("recipe.yaml", "history.jsonl", "training_samples.txt", "metadata.json")


@dataclass(frozen=True)
class ModelArtifact:
    """A model artifact, opened for reading.

    Attributes:
        directory: Where it is.
        recipe: The full recipe it was trained by.
        modality: What it sees of a sequence.
        metadata: Where it comes from and its metrics by the name of the weights.
    """

    directory: Path
    recipe: Recipe
    modality: Modality
    metadata: dict[str, Any]

    @classmethod
    def open(cls, directory: Path) -> ModelArtifact:
        """Open an artifact without reading the weights.

        Raises:
            InputError: If it is missing, damaged or of another version.
        """
        path = directory / "metadata.json"
        try:
            metadata = json.loads(path.read_text(encoding="utf-8"))
            version, modality = metadata["format_version"], metadata["modality"]
        except OSError as error:
            raise InputError(
                f"cannot be read ({error.strerror})", file=path, expected="a model directory"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError("is not the description of a model", file=path) from error
        if version != FORMAT_VERSION:
            raise InputError(
                "a model made by another version",
                file=path,
                field="format_version",
                found=version,
                expected=FORMAT_VERSION,
            )
        _check_description(metadata, path)
        recipe = load_recipe(directory / "recipe.yaml")
        return cls(directory, recipe, check_modality(modality), metadata)

    def load(self, which: str = "last") -> Recogniser:
        """The model with the weights called ``which``, in evaluation mode.

        Raises:
            InputError: If there are no such weights, or they do not fit the recipe.
        """
        # Who only reads what a model says of itself does not wait for torch.
        from safetensors import SafetensorError  # noqa: PLC0415
        from safetensors.torch import load as from_safetensors  # noqa: PLC0415

        from frhead_core.models.registry import build_model  # noqa: PLC0415

        content = self.weights(which)
        model = build_model(self.recipe)
        try:
            state = from_safetensors(content)
            model.load_state_dict(state)
        except (SafetensorError, RuntimeError) as error:
            raise InputError(
                "does not hold the weights of its recipe's model",
                file=self._path(which),
                found=str(error).replace("\n", " "),
            ) from error
        return model.eval()

    def kept_weights(self) -> list[str]:
        """Names of the weights that the model holds, ``last`` first.

        Raises:
            InputError: If it holds none.
        """
        found = {path.stem for path in self.directory.glob("*.safetensors")}
        if not found:
            raise InputError(
                "the model holds no weights", file=self.directory, expected="last.safetensors"
            )
        return sorted(found, key=lambda which: (which != "last", which))

    def weights(self, which: str) -> bytes:
        """Content of the weights file.

        Raises:
            InputError: If it cannot be read.
        """
        try:
            return self._path(which).read_bytes()
        except OSError as error:
            there = sorted(path.stem for path in self.directory.glob("*.safetensors"))
            raise InputError(
                f"cannot be read ({error.strerror})",
                file=self._path(which),
                expected=" or ".join(there),
            ) from error

    def fingerprint(self, which: str) -> str:
        """SHA-256 of the weights file."""
        return hashlib.sha256(self.weights(which)).hexdigest()

    def content_digest(self) -> str:
        """SHA-256 over all weights and records: everything that is read of a model.

        Raises:
            InputError: If it holds no weights.
        """
        names = [f"{which}.safetensors" for which in self.kept_weights()]
        digest = hashlib.sha256()
        for path in (self.directory / name for name in [*names, *_RECORDS]):
            if path.exists():
                content = path.read_bytes()
                digest.update(f"{path.name}\0{len(content)}\0".encode())
                digest.update(content)
        return digest.hexdigest()

    def given_text(self) -> str | None:
        """By what a model was given that nobody trained in its run; None for one that was."""
        given = self.metadata.get("given")
        origin = self.metadata.get("origin")
        return f"{given}, {origin}" if given and origin else given

    def history(self) -> list[dict[str, Any]]:
        """One row per epoch; empty for a model that was not trained here."""
        path = self.directory / "history.jsonl"
        if not path.exists():
            return []
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except ValueError as error:
            raise InputError(f"is not one JSON object a line ({error})", file=path) from error

    def training_samples(self) -> frozenset[str] | None:
        """Names of the samples that the model was trained on; None if that is not known."""
        path = self.directory / "training_samples.txt"
        if not path.exists():
            return None
        return frozenset(path.read_text(encoding="utf-8").splitlines())

    def _path(self, which: str) -> Path:
        return self.directory / f"{which}.safetensors"


def _check_description(metadata: dict[str, Any], path: Path) -> None:
    fields = [
        name for name, kind in _METADATA.items() if not isinstance(metadata.get(name), kind)
    ] or [
        f"metrics.{which}"
        for which, figures in metadata["metrics"].items()
        if not isinstance(figures, dict) or not figures.keys() >= set(_FIGURES)
    ]
    if "cost" in metadata and not fields:
        try:
            Cost.from_dict(metadata["cost"])
        except (KeyError, TypeError):
            fields = ["cost"]
    if fields:
        raise InputError("is not the description of a model", file=path, field=fields[0])


def write_artifact(
    directory: Path,
    *,
    recipe: Recipe,
    modality: Modality,
    weights: Mapping[str, bytes],
    metadata: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    training_samples: Sequence[str] | None,
    events: Path | None = None,
) -> None:
    """Write a model artifact, which appears as a whole in the place of an older one.

    Args:
        directory: The directory to make.
        recipe: The full recipe.
        modality: What the model sees.
        weights: Contents of the safetensors files by name (``last``, ``best_on_test``).
        metadata: Provenance and metrics.
        history: One row per epoch.
        training_samples: Names of the samples trained on, None if that is not known.
        events: Directory of TensorBoard event files to keep with the model.

    Raises:
        InputError: If a file cannot be written, or ``directory`` holds something else.
    """
    full = {"format_version": FORMAT_VERSION, "modality": modality, **metadata}
    files = {f"{name}.safetensors": content for name, content in weights.items()}
    files["recipe.yaml"] = recipe_to_yaml(recipe).encode()
    files["history.jsonl"] = "".join(json.dumps(row) + "\n" for row in history).encode()
    if training_samples is not None:
        files["training_samples.txt"] = "".join(f"{name}\n" for name in training_samples).encode()
    files["README.md"] = model_card(recipe, full).encode()
    files["metadata.json"] = (json.dumps(full, indent=2, sort_keys=True) + "\n").encode()
    with replaced_directory(directory, is_model) as temporary:
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        if events is not None and events.is_dir():
            shutil.copytree(events, temporary / "tensorboard", copy_function=shutil.copyfile)


def is_model(directory: Path) -> bool:
    """Whether a directory is a model artifact."""
    return (directory / "metadata.json").is_file() and (directory / "recipe.yaml").is_file()
