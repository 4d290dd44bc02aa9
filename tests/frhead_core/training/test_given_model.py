from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save as to_safetensors

from frhead_core.config import Recipe, override
from frhead_core.errors import InputError
from frhead_core.models.registry import build_model
from frhead_core.training.artifact import ModelArtifact, write_artifact
from frhead_core.training.checkpoint import contiguous_state
from frhead_core.training.given_model import adopt_model, open_given

MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tiny_recipe: Recipe, tmp_path: Path) -> MakeModel:
    def make(recipe: Recipe = tiny_recipe, seed: int = 0) -> Path:
        torch.manual_seed(seed)
        write_artifact(
            tmp_path / "given",
            recipe=recipe,
            modality="joint",
            weights={"last": to_safetensors(contiguous_state(build_model(recipe)))},
            metadata={
                "origin": "imported from w.pt",
                "trained_on": "nothing",
                "precision": "float32",
                "metrics": {},
            },
            history=(),
            training_samples=("b", "a"),
        )
        return tmp_path / "given"

    return make


def test_a_model_is_taken_over_with_all_that_is_known_of_it(
    make_model: MakeModel, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    wider = override(tiny_recipe, {"model.base_channels": 16, "training.batch_size": 3})
    given = ModelArtifact.open(make_model(wider))
    digest = given.content_digest()

    adopt_model(given.directory, digest, tiny_recipe, "joint", tmp_path / "taken")

    taken = ModelArtifact.open(tmp_path / "taken")
    assert taken.recipe == given.recipe
    assert taken.weights("last") == given.weights("last")
    assert taken.training_samples() == {"a", "b"}
    assert taken.given_text() == f"SHA-256 {digest}, imported from w.pt"
    assert given.given_text() is None
    assert f"given: `SHA-256 {digest}`" in (tmp_path / "taken" / "README.md").read_text()


@pytest.mark.parametrize("file", ["last.safetensors", "metadata.json", "training_samples.txt"])
def test_the_digest_is_that_of_everything_that_is_read(
    make_model: MakeModel, tiny_recipe: Recipe, tmp_path: Path, file: str
) -> None:
    directory = make_model()
    digest = ModelArtifact.open(directory).content_digest()
    (directory / "README.md").write_text("another text for people")
    assert ModelArtifact.open(directory).content_digest() == digest
    path = directory / file
    if file == "last.safetensors":
        path.write_bytes((make_model(seed=1) / file).read_bytes())
    else:
        path.write_text(path.read_text() + "\n")

    assert ModelArtifact.open(directory).content_digest() != digest
    with pytest.raises(InputError, match="has changed since"):
        adopt_model(directory, digest, tiny_recipe, "joint", tmp_path / "taken")
    assert not (tmp_path / "taken").exists()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"name": "nw-ucla"}, "benchmark"),
        ({"dataset": "ntu60"}, "dataset"),
        ({"skeleton": "ntu"}, "skeleton"),
        ({"classes": 9}, "classes"),
        ({"split.test": [4]}, "split"),
    ],
)
def test_a_model_for_something_else_is_refused_by_name(
    make_model: MakeModel, tiny_recipe: Recipe, settings: dict[str, object], field: str
) -> None:
    directory = make_model(override(tiny_recipe, settings))
    with pytest.raises(InputError, match=f"given: {field}: the given model is for another {field}"):
        open_given(directory, tiny_recipe, "joint")


def test_a_model_of_another_modality_is_refused(make_model: MakeModel, tiny_recipe: Recipe) -> None:
    with pytest.raises(InputError, match="another modality; found joint; expected bone"):
        open_given(make_model(), tiny_recipe, "bone")


def test_damaged_models_are_refused(make_model: MakeModel, tiny_recipe: Recipe) -> None:
    directory = make_model()
    metadata = json.loads((directory / "metadata.json").read_text())
    for spoilt, field in (
        ({"metrics": []}, "metrics"),
        ({"metrics": {"last": {"top1": 1.0}}}, r"metrics\.last"),
        ({"cost": {}}, "cost"),
    ):
        (directory / "metadata.json").write_text(json.dumps(metadata | spoilt))
        with pytest.raises(InputError, match=rf"metadata\.json: {field}: is not the description"):
            open_given(directory, tiny_recipe, "joint")
    weights = make_model() / "last.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"last\.safetensors: does not hold the weights"):
        open_given(directory, tiny_recipe, "joint")
    weights.unlink()
    with pytest.raises(InputError, match="holds no weights"):
        open_given(directory, tiny_recipe, "joint")
