"""Runs side by side: paired tests on the same test samples, steps, and training curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from frhead_core.config import MODALITIES, Modality
from frhead_core.errors import FRHeadError, InputError
from frhead_core.evaluation.compare import ClassChange, Comparison, compare
from frhead_core.evaluation.scores import Scores
from frhead_core.training.artifact import ModelArtifact
from pipeline.console.line_chart import LineChart, epoch_chart
from pipeline.console.results import results_place
from pipeline.run_engine import RunRecord, StepRecord
from pipeline.run_folder import RunFolder
from pipeline.run_list import Epoch, accuracy_of
from pipeline.score_places import find_scores, pairs_of

MOST_COMPARED = 6
_ROUNDED = 0.005
_CURVES = (("top1", "top-1 accuracy, percent"), ("loss", "loss"))


@dataclass(frozen=True)
class PairedTest:
    """Two models on the same n test samples; differences are the second minus the first.

    Attributes:
        name: The modality, or ``ensemble``.
        samples: n.
        first: Top-1 accuracy of the first in percent.
        second: Of the second.
        difference: In percentage points.
        interval: Of the difference: 95 % of paired bootstrap resamples.
        only_first: Samples that the first alone recognised.
        only_second: Samples that the second alone recognised.
        p: McNemar's exact test, two-sided.
        seen_in_training: Samples that a model was trained on, which makes a test meaningless.
        classes: Gains and losses by class, the largest change first; unchanged ones are left out.
    """

    name: str
    samples: int
    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    only_first: int
    only_second: int
    p: float
    seen_in_training: int
    classes: list[ClassChange]


@dataclass(frozen=True)
class RunPair:
    """A run held against another.

    Attributes:
        first: Id of the run that is held against.
        second: Id of the other.
        problem: Why they cannot be compared; None if they can.
        tests: By modality that both have, the ensemble last.
    """

    first: str
    second: str
    problem: str | None
    tests: list[PairedTest]


def run_pairs(
    runs: Sequence[RunRecord], folders: Sequence[RunFolder], epoch: Epoch
) -> list[RunPair]:
    """The first run against each of the others."""
    first, *others = zip(runs, folders, strict=True)
    return [_pair(first, other, epoch) for other in others]


def curves(folders: Sequence[RunFolder], names: Sequence[str]) -> list[tuple[str, LineChart]]:
    """Charts of what was measured after each epoch, a line for each run, with their titles.

    Args:
        folders: The runs.
        names: What their lines are called.
    """
    histories = [_histories(folder) for folder in folders]
    found = []
    for modality in MODALITIES:
        lines = {
            name: history[modality]
            for name, history in zip(names, histories, strict=True)
            if modality in history
        }
        for key, text in _CURVES:
            chart = epoch_chart(lines, key, may_be_logarithmic=key == "loss")
            if chart is not None:
                found.append((f"{modality.replace('_', ' ')}, {text}", chart))
    return found


def step_rows(runs: Sequence[RunRecord]) -> dict[str, list[StepRecord | None]]:
    """The steps of all runs by name, in the order in which they started."""
    by_run = [{step.name: step for step in run.steps} for run in runs]
    names = dict.fromkeys(name for steps in by_run for name in steps)
    return {name: [steps.get(name) for steps in by_run] for name in names}


def most_changed(test: PairedTest, count: int) -> dict[str, list[ClassChange]]:
    """The classes that gained most, and those that lost most."""
    return {
        "gained": [each for each in test.classes if each.gained > each.lost][:count],
        "lost": [each for each in test.classes if each.gained < each.lost][:count],
    }


_Place = tuple[RunRecord, RunFolder]


def _pair(first: _Place, second: _Place, epoch: Epoch) -> RunPair:
    one, two = first[0], second[0]
    try:
        tests = list(_tests(first, second, epoch))
    except FRHeadError as error:  # there is more to compare than scores
        return RunPair(one.id, two.id, str(error), [])
    return RunPair(one.id, two.id, None, tests)


def _tests(first: _Place, second: _Place, epoch: Epoch) -> Iterator[PairedTest]:
    sides = (first[0].id, f"{second[0].id} ")  # two different texts, even for one run
    found = [_scores(place, epoch) for place in (first, second)]
    for name, pair in pairs_of(*found).items():
        comparison = compare(*pair, names=sides)
        for (run, folder), measured in zip(
            (first, second), (comparison.first.mean, comparison.second.mean), strict=True
        ):
            _check_still_of(run, folder, name, epoch, measured)
        yield _test(name, comparison)


def _scores(place: _Place, epoch: Epoch) -> dict[str, Mapping[int | None, Scores]]:
    run, folder = place
    if run.state != "done":
        raise InputError("has no results", file=folder.path, found=run.state, expected="done")
    chosen = {each.best_on for each in run.accuracies.values() if each.best_on}
    which = "last" if epoch == "last" else next(iter(chosen), "best_on_test")
    return dict(find_scores(results_place(folder), which, Scores.load))


def _check_still_of(
    run: RunRecord, folder: RunFolder, name: str, epoch: Epoch, measured: float
) -> None:
    """Another run may have put its results into the same folder."""
    recorded = accuracy_of(run, name, epoch)
    if recorded is not None and abs(recorded - measured) > _ROUNDED:
        raise InputError(
            "these are not the results of this run any more",
            file=results_place(folder),
            field=name,
            found=f"{measured:.2f} %",
            expected=f"{recorded:.2f} % ({run.id})",
        )


def _test(name: str, comparison: Comparison) -> PairedTest:
    (outcomes,) = comparison.outcomes  # a run has one seed
    changed = [each for each in comparison.classes if each.gained or each.lost]
    return PairedTest(
        name=name,
        samples=comparison.samples,
        first=comparison.first.mean,
        second=comparison.second.mean,
        difference=comparison.difference,
        interval=comparison.interval,
        only_first=outcomes.only_first,
        only_second=outcomes.only_second,
        p=outcomes.p,
        seen_in_training=comparison.seen_in_training,
        classes=sorted(changed, key=lambda each: (-abs(each.gained - each.lost), each.name)),
    )


def _histories(folder: RunFolder) -> dict[Modality, list[dict[str, float]]]:
    """What was measured after each epoch, by modality; nothing of a run whose models are gone."""
    found: dict[Modality, list[dict[str, float]]] = {}
    for modality in MODALITIES:
        try:
            rows = ModelArtifact.open(results_place(folder) / "models" / modality).history()
        except FRHeadError:
            continue
        found[modality] = [
            {key: value for key, value in row.items() if not key.startswith("train_")}
            for row in rows
            if isinstance(row, dict)
        ]
    return found
