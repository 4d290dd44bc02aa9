# ruff: noqa: PLC0415 - kfp takes the function alone to where it runs, so it brings its imports
"""The step that makes a run's models the champion, if the recipe's gate holds."""

from typing import List  # noqa: UP035 - kfp 2.17 reads List, not list, of artifacts

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Model, Output

from components.images import TRAINER_IMAGE


@dsl.component(base_image=TRAINER_IMAGE, install_kfp_package=False)  # type: ignore[untyped-decorator]
def promote_model(
    models: Input[List[Model]],  # noqa: UP006
    scores: Input[List[Dataset]],  # noqa: UP006
    ensemble: Input[Dataset],
    sequences: Input[Dataset],
    recipe: str,
    gate: str,
    champions: str,
    run: str,
    decision: Output[Artifact],
    metrics: Output[Metrics],
    report: Output[HTML],
) -> None:
    """Compare the models of a run with the champion, and promote them if the gate holds.

    Args:
        models: What train_modality made, one for each modality.
        scores: What evaluate_modality made, in the same order.
        ensemble: What ensemble_modalities made.
        sequences: The sequence store, to score a champion that was made from other data.
        recipe: The whole recipe but for its gate, as JSON.
        gate: The gate, as JSON.
        champions: Where champions lie: a directory or a URI; empty to compare with nothing.
        run: Name of the run, for the record.
        decision: What was decided and why, and the champion's record, as JSON.
        metrics: Whether it was promoted (1 or 0), accuracy, gain.
        report: The decision as a page.
    """
    from components.runtime import step

    with step() as reporter:
        from dataclasses import replace
        from pathlib import Path

        from components import runtime
        from components.artifacts import log_metrics
        from components.champion_place import champion_place
        from components.champions import Champions
        from components.promotion import Candidate, compare_with_nothing, promote
        from components.sections import promotion_from_json
        from frhead_core.config import recipe_from_json

        candidate = Candidate.of(
            recipe=replace(recipe_from_json(recipe), promotion=promotion_from_json(gate)),
            models=[Path(each.path) for each in models],
            scores=[Path(each.path) for each in scores],
            ensemble=Path(ensemble.path),
            store=Path(sequences.path),
            run=runtime.run_name() or run,
        )
        if champions:
            name = candidate.recipe.name
            outcome = promote(candidate, Champions(champion_place(champions), name), reporter)
        else:
            outcome = compare_with_nothing(candidate)
        outcome.write(Path(decision.path), Path(report.path))
        figures = outcome.figures()
        log_metrics(metrics, figures)
        reporter.metrics(figures)
        reporter.message(f"{outcome.text}: {outcome.decision.reason}")
