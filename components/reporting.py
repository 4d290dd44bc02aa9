"""From the artifacts of a run to its report: what the last step and ``frhead report`` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.scoring import VALIDATION, figures_of
from frhead_core.config import MODALITIES, Modality, Recipe
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import SequenceStore
from frhead_core.evaluation.ensemble import (
    EnsembleResult,
    WeightsOrigin,
    combine,
    recipe_weights,
    search_weights,
)
from frhead_core.evaluation.report import ModalityResult, RunReport
from frhead_core.evaluation.scores import Scores
from frhead_core.evaluation.tables import accuracy_table
from frhead_core.files import write_atomically
from frhead_core.training.artifact import ModelArtifact

ACCURACIES = "accuracies.txt"
_FACTS = ("code_version", "data_fingerprint", "seed", "threads", "precision")


@dataclass(frozen=True)
class RunInputs:
    """Folders that a report is made from.

    Attributes:
        recipe: The whole recipe.
        models: Model folders.
        scores: Folders of score files, in the order of ``models``.
        preparation: Folders of the preparation steps, each with its report, in their order.
        store: The sequence store, if there is one.
    """

    recipe: Recipe
    models: Sequence[Path]
    scores: Sequence[Path]
    preparation: Sequence[Path] = ()
    store: Path | None = None


def report_on(inputs: RunInputs) -> RunReport:
    """Read the artifacts of a run and combine the scores of its modalities.

    With a validation part held out, the weights of the ensemble are searched on it; else they
    are the benchmark's.

    Raises:
        InputError: If an artifact cannot be read or does not fit the others.
    """
    models = {each.modality: each for each in map(ModelArtifact.open, inputs.models)}
    places = dict(zip(models, inputs.scores, strict=True))
    files = {
        modality: _score_files(places[modality]) for modality in MODALITIES if modality in models
    }
    results = {modality: _result(models[modality], files[modality]) for modality in files}
    return RunReport(
        recipe=inputs.recipe,
        modalities=results,
        ensemble=_ensemble(inputs.recipe, files) if len(files) > 1 else None,
        preparation=[StepReport.read(folder) for folder in inputs.preparation],
        store=None if inputs.store is None else SequenceStore.open(inputs.store),
        facts=_facts(models),
    )


def write_ensemble(run: RunReport, output: Path) -> dict[str, float]:
    """Write the combined scores and the table of accuracies; return the figures in it.

    Args:
        run: The report of the run.
        output: Folder for ``last.npz``, ``best_on_test.npz`` and ``accuracies.txt``.
    """
    output.mkdir(parents=True, exist_ok=True)
    combined = _combined(run.ensemble)
    for name, scores in combined.items():
        scores.save(output / f"{name}.npz")
    write_atomically(output / ACCURACIES, accuracies_text(run).encode())
    return figures_of({f"ensemble_{name}": scores for name, scores in combined.items()})


def accuracies_text(run: RunReport) -> str:
    """The accuracies of the last and of the best epochs, as text tables."""
    last = {name: each.scores_last for name, each in run.modalities.items() if each.scores_last}
    best = {name: each.scores_best for name, each in run.modalities.items() if each.scores_best}
    tables = []
    for scores, kept in ((last, "last"), (best, "best_on_test")):
        if scores:
            tables.append(accuracy_table(scores, run.recipe, _only(run.ensemble, kept)))
    return "\n\n".join(tables) + "\n"


def _only(ensemble: EnsembleResult | None, kept: str) -> EnsembleResult | None:
    scores = _combined(ensemble).get(kept)
    if ensemble is None or scores is None:
        return None
    return EnsembleResult(weights=ensemble.weights, origin=ensemble.origin, **{kept: scores})


def _combined(ensemble: EnsembleResult | None) -> dict[str, Scores]:
    if ensemble is None:
        return {}
    both = {"last": ensemble.last, "best_on_test": ensemble.best_on_test}
    return {name: scores for name, scores in both.items() if scores is not None}


def _score_files(folder: Path) -> dict[str, Scores]:
    return {file.stem: Scores.load(file) for file in sorted(folder.glob("*.npz"))}


def _result(model: ModelArtifact, files: Mapping[str, Scores]) -> ModalityResult:
    best = next((scores for name, scores in files.items() if name.startswith("best_on_")), None)
    return ModalityResult(
        history=model.history(),
        metrics=model.metadata["metrics"],
        scores_last=files.get("last"),
        scores_best=best,
    )


def _ensemble(
    recipe: Recipe, files: Mapping[Modality, Mapping[str, Scores]]
) -> EnsembleResult | None:
    weights, origin = _weights(recipe, files)
    combined = {}
    for kept in ("last", "best_on_test"):
        if all(kept in each for each in files.values()):
            combined[kept] = combine({name: each[kept] for name, each in files.items()}, weights)
    return EnsembleResult(weights=weights, origin=origin, **combined)


def _weights(
    recipe: Recipe, files: Mapping[Modality, Mapping[str, Scores]]
) -> tuple[Mapping[Modality, float], WeightsOrigin]:
    if all(VALIDATION in each for each in files.values()):
        held_out = {name: each[VALIDATION] for name, each in files.items()}
        return search_weights(held_out), "searched"
    every = recipe_weights(recipe)
    return {name: every[name] for name in files}, "benchmark"


def _facts(models: Mapping[Modality, ModelArtifact]) -> dict[str, object]:
    """What the models say of their origin; equal values once, others by modality."""
    facts: dict[str, object] = {}
    for key in _FACTS:
        values = {name: model.metadata.get(key) for name, model in models.items()}
        found = sorted({str(value) for value in values.values() if value is not None})
        if found:
            facts[key.replace("_", " ")] = ", ".join(found)
    return facts
