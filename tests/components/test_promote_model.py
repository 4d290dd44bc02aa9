from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.champion_place import DirectoryPlace, champion_place
from components.champions import Champions
from components.ensemble_modalities.component import ensemble_modalities
from components.promote_model.component import promote_model
from components.promotion import Candidate, Outcome, promote
from components.sections import promotion_to_json
from frhead_core.config import Promotion, Recipe, recipe_to_json
from frhead_core.evaluation.scores import Scores
from frhead_core.progress import Reporter
from frhead_core.training.artifact import ModelArtifact

LENIENT = Promotion(minimum_gain=-100.0, maximum_class_loss=100.0, significance=1.0)


@pytest.fixture(scope="session")
def ensemble(prepared, trained, tiny: Recipe, make) -> dsl.Dataset:
    output = make(dsl.Dataset, "ensemble")
    ensemble_modalities.python_func(
        models=[each.model for each in trained.values()],
        scores=[each.scores for each in trained.values()],
        raw_bodies=prepared.raw_bodies,
        denoised=prepared.denoised,
        sequences=prepared.sequences,
        recipe=recipe_to_json(tiny),
        code_version="n",
        ensemble=output,
        metrics=make(dsl.Metrics, "metrics"),
        report=make(dsl.HTML, "report"),
    )
    return output


@pytest.fixture
def decided(prepared, trained, ensemble, tiny: Recipe, make):
    """Runs the step with some of the modalities; returns its JSON, metrics and page."""

    def run(champions: Path | str, gate: Promotion = LENIENT, only: str | None = None):
        made = [each for name, each in trained.items() if only in (None, name)]
        outputs = (
            make(dsl.Artifact, "decision"),
            make(dsl.Metrics, "metrics"),
            make(dsl.HTML, "report"),
        )
        promote_model.python_func(
            models=[each.model for each in made],
            scores=[each.scores for each in made],
            ensemble=ensemble,
            sequences=prepared.sequences,
            recipe=recipe_to_json(tiny),
            gate=promotion_to_json(gate),
            champions=str(champions),
            run="run 1",
            decision=outputs[0],
            metrics=outputs[1],
            report=outputs[2],
        )
        decision, metrics, report = outputs
        return (
            json.loads(Path(decision.path).read_text()),
            metrics.metadata,
            Path(report.path).read_text(),
        )

    return run


def test_the_first_is_promoted_with_all_that_belongs_to_it(
    decided, trained, ensemble, tmp_path: Path
) -> None:
    values, metrics, page = decided(tmp_path)

    champions = Champions(DirectoryPlace(tmp_path), "demo-nw-ucla")
    record = champions.current()
    assert record is not None and record.number == 1
    assert values["record"] == json.loads(record.to_json())
    assert metrics["promoted"] == 1
    assert "there is no champion yet" in page
    assert record.run == "run 1"
    assert record.weights == {"joint": 0.6, "bone": 0.6}
    assert record.recipe["promotion"]["minimum_gain"] == -100
    folder = champions.fetch(record, "models/bone", tmp_path / "out")
    copied, original = (
        ModelArtifact.open(path) for path in (folder, Path(trained["bone"].model.path))
    )
    assert copied.content_digest() == original.content_digest()
    scores = champions.file(record, "scores/ensemble/last.npz")
    assert scores == (Path(ensemble.path) / "last.npz").read_bytes()


def test_the_same_models_again_are_refused_and_the_champion_stays(decided, tmp_path: Path) -> None:
    decided(tmp_path)
    values, metrics, page = decided(tmp_path)

    assert (values["promoted"], values["record"], metrics["promoted"]) == (False, None, 0)
    assert values["outcome"] == "champion 1 stays"
    assert "another model: the champion's scores" in values["reason"]
    assert "Champion 1 stays" in page
    assert Champions(DirectoryPlace(tmp_path), "demo-nw-ucla").numbers() == [1]


def test_other_modalities_are_judged_on_the_same_samples(decided, tmp_path: Path) -> None:
    decided(tmp_path, only="bone")
    values, _, _ = decided(tmp_path, only="joint")

    assert values["champion"] == 1
    assert values["comparison"]["samples"] == 20
    record = Champions(DirectoryPlace(tmp_path), "demo-nw-ucla").record(1)
    assert record.judged == "scores/bone/last.npz"
    assert record.weights == {"bone": 1.0}


def test_a_candidate_that_does_not_pass_leaves_no_trace(decided, tmp_path: Path) -> None:
    values, _, _ = decided(tmp_path / "root", Promotion(minimum_accuracy=100.0))

    assert values["outcome"] == "no champion"
    assert "minimum_accuracy" in values["reason"]
    assert not (tmp_path / "root").exists()


def test_without_a_place_nothing_is_compared(decided) -> None:
    values, metrics, page = decided("")

    assert values["promoted"] is False
    assert values["reason"] == "not compared: no champion root is given"
    assert metrics["promoted"] == 0
    assert "no champion root is given" in page


def test_a_place_that_cannot_be_used_ends_the_step_with_2(
    decided, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SystemExit) as caught:
        decided(tmp_path / "file")

    assert caught.value.code == 2
    assert "file/demo-nw-ucla" in capsys.readouterr().out


def candidate(prepared, tiny: Recipe, made, folder: Path, run: str, **metadata: str) -> Candidate:
    """A single modality as a candidate, its scores marked to be of other data if asked to."""
    scores = folder / run
    shutil.copytree(made.scores.path, scores)
    last = Scores.load(scores / "last.npz")
    marked = Scores(
        last.names, last.logits, last.labels, last.parts, last.seen_in_training,
        {**last.metadata, **metadata},
    )  # fmt: skip
    marked.save(scores / "last.npz")
    modality = ModelArtifact.open(Path(made.model.path)).modality
    empty = folder / "no ensemble"
    empty.mkdir(exist_ok=True)
    return Candidate(
        recipe=tiny,
        models={modality: Path(made.model.path)},
        scores={modality: scores},
        ensemble=empty,
        store=Path(prepared.sequences.path),
        run=run,
    )


def test_a_champion_of_other_data_scores_the_samples_of_these(
    prepared, trained, tiny: Recipe, tmp_path: Path
) -> None:
    old = candidate(prepared, tiny, trained["joint"], tmp_path, "old", data_fingerprint="other")
    new = candidate(prepared, tiny, trained["joint"], tmp_path, "new")
    champions = Champions(DirectoryPlace(tmp_path / "root"), tiny.name)
    messages: list[str] = []

    class Listening(Reporter):
        def message(self, text: str) -> None:
            messages.append(text)

    promote(old, champions, Listening())
    outcome = promote(new, champions, Listening())

    assert messages == ["champion 1 is of other data: scoring these samples"]
    # The same model on the same samples, wherever its scores come from.
    assert outcome.decision.comparison is not None
    assert outcome.decision.comparison.outcomes[0].only_first == 0
    assert outcome.decision.comparison.outcomes[0].only_second == 0


@pytest.mark.parametrize("kind", ["directory", "object storage"])
def test_of_two_that_promote_at_once_one_is_the_champion_and_the_other_is_compared_with_it(
    prepared, trained, tiny: Recipe, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """Both read that there is no champion before either creates one."""
    storage = kind == "object storage"
    root = str(request.getfixturevalue("bucket") / "champions") if storage else str(tmp_path / "r")
    both = threading.Barrier(2)

    class Meeting:
        """A champion root where two meet before the first champion."""

        def __init__(self) -> None:
            self._place = champion_place(root)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._place, name)

        def names(self, folder: str) -> list[str]:
            found = self._place.names(folder)
            if not found:
                both.wait(timeout=60)
            return found

    outcomes: dict[str, Outcome] = {}

    def run(name: str) -> None:
        made = candidate(prepared, tiny, trained[name], tmp_path, name)
        outcomes[name] = promote(made, Champions(Meeting(), tiny.name), Reporter())

    threads = [threading.Thread(target=run, args=[name]) for name in ("joint", "bone")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    first, second = sorted(outcomes.values(), key=lambda outcome: outcome.decision.champion or 0)
    assert first.record is not None and first.record.number == 1
    assert first.decision.champion is None
    assert second.decision.champion == 1
    assert second.decision.comparison is not None
    numbers = Champions(champion_place(root), tiny.name).numbers()
    assert numbers == ([1] if second.record is None else [1, 2])
