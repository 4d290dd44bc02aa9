"""From models and their scores to the report of a run, with or without a pipeline."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frhead_core.config import MODALITIES, Modality, Recipe, Split, recipe_to_json
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError
from frhead_core.evaluation.cost import Cost
from frhead_core.evaluation.ensemble import (
    EnsembleResult,
    check_same_models,
    combine,
    recipe_weights,
    search_weights,
)
from frhead_core.evaluation.report import ModalityResult, RunReport
from frhead_core.evaluation.report_tables import accuracy_rows
from frhead_core.evaluation.score_files import VALIDATION, score_name
from frhead_core.evaluation.scores import (
    ACCURACIES,
    ACCURACIES_JSON,
    Scores,
    holds_scores,
    read_scores,
)
from frhead_core.evaluation.tables import accuracy_table, modality_text
from frhead_core.files import replaced_directory
from frhead_core.training.artifact import ModelArtifact

_FACTS = ("code_version", "data_fingerprint", "seed", "threads", "processes", "precision")

ScoreFiles = Mapping[str, Scores]


@dataclass(frozen=True)
class ModalityFolders:
    """The folders of one modality.

    Attributes:
        model: The model.
        scores: Its score files.
        modality: What the model must have been trained on; None takes its word for it.
    """

    model: Path
    scores: Path
    modality: Modality | None = None


@dataclass(frozen=True)
class RunInputs:
    """What a report is made from.

    Attributes:
        recipe: The benchmark. What decided the training is taken from the models.
        modalities: Models with their scores, one of each modality at most.
        preparation: Folders of the preparation steps, each with its report, in their order.
        store: The sequence store, if there is one.
    """

    recipe: Recipe
    modalities: Sequence[ModalityFolders]
    preparation: Sequence[Path] = ()
    store: Path | None = None


def report_on(inputs: RunInputs) -> RunReport:
    """Read models and scores and combine the modalities.

    With a validation part held out, the weights of the ensemble are searched on it; else they
    are the benchmark's.

    Raises:
        InputError: If something cannot be read, or models, scores and store do not belong
            together: another benchmark, modality, recipe, model or data.
    """
    models, folders = _open_models(inputs)
    recipe = trained_recipe(inputs.recipe, models)
    store = None if inputs.store is None else SequenceStore.open(inputs.store)
    files = {
        name: _score_files(folders[name], recipe, model, store) for name, model in models.items()
    }
    return RunReport(
        recipe=recipe,
        modalities={
            name: _result(model, files[name], Cost.load(folders[name]))
            for name, model in models.items()
        },
        ensemble=_ensemble(recipe, files) if len(files) > 1 else None,
        preparation=[StepReport.read(folder) for folder in inputs.preparation],
        store=store,
        given={name: text for name, model in models.items() if (text := model.given_text())},
        facts=_facts(models),
    )


def write_ensemble(run: RunReport, output: Path) -> dict[str, Scores]:
    """Write the combined scores and the table of accuracies; return the scores by name.

    Args:
        run: The report of the run.
        output: Folder for ``last.npz``, ``best_on_test.npz``, ``accuracies.txt`` and
            ``accuracies.json``.
    """
    combined = _combined(run.ensemble)
    with replaced_directory(output, holds_scores) as temporary:
        for name, scores in combined.items():
            scores.save(temporary / f"{name}.npz")
        (temporary / ACCURACIES).write_text(accuracies_text(run), encoding="utf-8")
        values = json.dumps(accuracies_values(run), indent=2) + "\n"
        (temporary / ACCURACIES_JSON).write_text(values, encoding="utf-8")
    return combined


def accuracies_text(run: RunReport) -> str:
    """The accuracies of the last and of the best epochs, as text tables."""
    last = {name: each.scores_last for name, each in run.modalities.items() if each.scores_last}
    best = {name: each.scores_best for name, each in run.modalities.items() if each.scores_best}
    tables = []
    for scores, kept in ((last, "last"), (best, "best_on_test")):
        if scores:
            tables.append(accuracy_table(scores, run.recipe, _only(run.ensemble, kept)))
    given = "".join(
        f"\n{modality_text(name)}: not trained, the model was given, {origin}"
        for name, origin in run.given.items()
    )
    return "\n\n".join(tables) + "\n" + given + "\n" * bool(given)


def accuracies_values(run: RunReport) -> dict[str, dict[str, Any]]:
    """Top-1 accuracies in percent for programs, by modality, and of the ensemble.

    Each has ``last`` and ``best``, what the best epoch was chosen on (``best_on``), and the
    ``published`` figure; null where there is none.
    """
    return {
        row.name: {
            "last": row.last and row.last.top1,
            "best": row.best and row.best.top1,
            "best_on": row.best and row.best.which,
            "published": row.published,
        }
        for row in accuracy_rows(run)
    }


def trained_recipe(recipe: Recipe, models: Mapping[Modality, ModelArtifact]) -> Recipe:
    """The recipe that the models were trained by, which is not always the benchmark's.

    Args:
        recipe: Has what a model does not know: title, weights of the ensemble, published figures.
        models: By modality.

    Raises:
        InputError: If they were trained by different recipes, but for the number of epochs.
    """
    if all(
        model.recipe.for_training(name) == recipe.for_training(name)
        for name, model in models.items()
    ):
        return recipe
    first, *others = models.values()
    for other in others:
        _check_same_settings(first, other)
    trained = first.recipe
    epochs = {name: getattr(model.recipe.training.epochs, name) for name, model in models.items()}
    return dataclasses.replace(
        trained,
        title=recipe.title,
        preparation=recipe.preparation,
        training=dataclasses.replace(
            trained.training, epochs=dataclasses.replace(trained.training.epochs, **epochs)
        ),
        ensemble=recipe.ensemble,
        # Published figures are about the published split and backbone.
        published=recipe.published if _compared(trained) == _compared(recipe) else None,
    )


def _compared(recipe: Recipe) -> tuple[Split, str]:
    return recipe.split, recipe.model.backbone


def setting_that_differs(
    first: tuple[Recipe, Modality], other: tuple[Recipe, Modality]
) -> tuple[str, Any, Any] | None:
    """The first setting in which two trainings differ that may not: its key and both values."""
    one, another = (_training_settings(*each) for each in (first, other))
    for key in sorted(one.keys() | another.keys()):
        if one.get(key) != another.get(key):
            return key, one.get(key), another.get(key)
    return None


def _check_same_settings(first: ModelArtifact, other: ModelArtifact) -> None:
    difference = setting_that_differs(
        (first.recipe, first.modality), (other.recipe, other.modality)
    )
    if difference is not None:
        key, expected, found = difference
        raise InputError(
            f"trained by another recipe than {first.directory}",
            file=other.directory,
            field=key,
            found=found,
            expected=expected,
        )


def _training_settings(recipe: Recipe, modality: Modality) -> dict[str, Any]:
    """What training depended on, by dotted key, but for what may differ between modalities."""
    settings = dict(_flat(json.loads(recipe_to_json(recipe.for_training(modality)))))
    may_differ = ("training.epochs.", "evaluation.")
    return {key: value for key, value in settings.items() if not key.startswith(may_differ)}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _open_models(
    inputs: RunInputs,
) -> tuple[dict[Modality, ModelArtifact], dict[Modality, Path]]:
    """Models and folders of scores by modality, in the usual order."""
    models: dict[Modality, ModelArtifact] = {}
    scores: dict[Modality, Path] = {}
    for folders in inputs.modalities:
        model = ModelArtifact.open(folders.model)
        _check_model(model, inputs.recipe, folders.modality)
        if model.modality in models:
            raise InputError(
                "two models of one modality",
                field=model.modality,
                found=f"{models[model.modality].directory} and {model.directory}",
            )
        models[model.modality], scores[model.modality] = model, folders.scores
    return {name: models[name] for name in MODALITIES if name in models}, scores


def _check_model(model: ModelArtifact, recipe: Recipe, modality: Modality | None) -> None:
    for what, found, expected in (
        ("benchmark", model.recipe.name, recipe.name),
        ("modality", model.modality, modality or model.modality),
    ):
        if found != expected:
            raise InputError(
                f"a model of another {what}", file=model.directory, found=found, expected=expected
            )


def _score_files(
    folder: Path, recipe: Recipe, model: ModelArtifact, store: SequenceStore | None
) -> ScoreFiles:
    files = {
        file.stem: read_scores(file, recipe=recipe, modality=model.modality)
        for file in sorted(folder.glob("*.npz"))
    }
    if "last" not in files:
        raise InputError(
            "the scores of the last epoch are missing",
            file=folder / "last.npz",
            hint="Evaluate the model first",
        )
    for name, scores in files.items():
        _check_scores(scores, folder / f"{name}.npz", model, store)
    return files


def _check_scores(
    scores: Scores, file: Path, model: ModelArtifact, store: SequenceStore | None
) -> None:
    which = str(scores.metadata.get("which"))
    mark, data = scores.metadata.get("model"), scores.metadata.get("data_fingerprint")
    checks: list[tuple[str, object, object]] = [
        (
            "not what its name says",
            score_name("/".join(sorted(set(scores.parts))), which),
            file.stem,
        ),
        (f"scores of another model than {model.directory}", mark, model.fingerprint(which)),
    ]
    if store is not None:
        checks.append(("scores of other data", data, store.metadata.data_fingerprint))
    for problem, found, expected in checks:
        if found != expected:
            raise InputError(problem, file=file, found=found, expected=expected)


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


def _result(model: ModelArtifact, files: ScoreFiles, cost: Cost | None) -> ModalityResult:
    best = next((scores for name, scores in files.items() if name.startswith("best_on_")), None)
    return ModalityResult(
        history=model.history(),
        metrics=model.metadata["metrics"],
        scores_last=files["last"],
        scores_best=best,
        cost=cost,
    )


def _ensemble(recipe: Recipe, files: Mapping[Modality, ScoreFiles]) -> EnsembleResult:
    last = {name: each["last"] for name, each in files.items()}
    if recipe.training.hold_out_validation and all(VALIDATION in each for each in files.values()):
        held_out = {name: each[VALIDATION] for name, each in files.items()}
        check_same_models(held_out, last)
        weights = search_weights(held_out)
        return EnsembleResult(weights=weights, origin="searched", last=combine(last, weights))
    every = recipe_weights(recipe)
    weights = {name: every[name] for name in files}
    best = {name: each["best_on_test"] for name, each in files.items() if "best_on_test" in each}
    return EnsembleResult(
        weights=weights,
        origin="benchmark",
        last=combine(last, weights),
        best_on_test=combine(best, weights) if best.keys() == files.keys() else None,
    )


def _facts(models: Mapping[Modality, ModelArtifact]) -> dict[str, object]:
    """What the models say of their origin; equal values once, others by modality."""
    facts: dict[str, object] = {}
    for key in _FACTS:
        values = {name: model.metadata.get(key) for name, model in models.items()}
        found = sorted({str(value) for value in values.values() if value is not None})
        if found:
            facts[key.replace("_", " ")] = ", ".join(found)
    return facts
