"""A candidate against the champion, until one of them stands: what ``promote_model`` does."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.champions import ChampionRecord, Champions, new_mark, now
from frhead_core.config import Modality, Recipe, check_modality, recipe_to_json
from frhead_core.errors import InputError
from frhead_core.evaluation.ensemble import combine
from frhead_core.evaluation.predict import evaluate_model
from frhead_core.evaluation.promotion import Decision, decide
from frhead_core.evaluation.promotion_report import write_promotion_report
from frhead_core.evaluation.scores import Scores
from frhead_core.files import write_atomically
from frhead_core.progress import Reporter
from frhead_core.training.artifact import MODEL_FILES, ModelArtifact

_ATTEMPTS = 10
_ENSEMBLE = "ensemble"
_LAST = "last.npz"


@dataclass(frozen=True)
class Candidate:
    """What a run made.

    Attributes:
        recipe: The whole recipe; its gate decides.
        models: Folders of the models by modality.
        scores: Folders of their scores by modality.
        ensemble: Folder of the combined scores, which a single modality has none of.
        store: The sequence store that the test samples come from.
        run: Name of the run.
    """

    recipe: Recipe
    models: Mapping[Modality, Path]
    scores: Mapping[Modality, Path]
    ensemble: Path
    store: Path
    run: str

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        models: Sequence[Path],
        scores: Sequence[Path],
        ensemble: Path,
        store: Path,
        run: str,
    ) -> Candidate:
        """From models and their scores in the same order."""
        names = [ModelArtifact.open(path).modality for path in models]
        return cls(
            recipe,
            dict(zip(names, models, strict=True)),
            dict(zip(names, scores, strict=True)),
            ensemble,
            store,
            run,
        )

    @property
    def judged(self) -> str:
        """The score file that it is judged by: of the last epochs, on the test part."""
        alone = next(iter(self.scores)) if len(self.scores) == 1 else _ENSEMBLE
        return f"scores/{alone}/{_LAST}"

    def files(self) -> dict[str, Path]:
        """Everything that a champion consists of, by name."""
        folders: list[tuple[str, Path, tuple[str, ...]]] = [
            *((f"models/{name}", path, MODEL_FILES) for name, path in self.models.items()),
            *((f"scores/{name}", path, ("*.npz",)) for name, path in self.scores.items()),
            (f"scores/{_ENSEMBLE}", self.ensemble, ("*.npz",)),
        ]
        return {
            f"{folder}/{file.name}": file
            for folder, path, patterns in folders
            for pattern in patterns
            for file in sorted(path.glob(pattern))
        }

    def weights(self, judged: Scores) -> dict[str, float]:
        """Of the modalities in the ensemble."""
        return dict(judged.metadata.get("weights") or dict.fromkeys(self.models, 1.0))


@dataclass(frozen=True)
class Outcome:
    """What was decided, and the record if the candidate became the champion."""

    decision: Decision
    record: ChampionRecord | None

    @property
    def text(self) -> str:
        """One line for people."""
        if self.record is not None:
            return f"champion {self.record.number} of {self.record.benchmark}"
        number = self.decision.champion
        return "no champion" if number is None else f"champion {number} stays"

    def figures(self) -> dict[str, float]:
        """What to plot: whether it was promoted (1 or 0), accuracy and gain in percent."""
        figures = {"promoted": float(self.record is not None), "top1": self.decision.accuracy}
        if self.decision.comparison is not None:
            figures["gain"] = self.decision.comparison.difference
        return figures

    def write(self, values: Path, page: Path) -> None:
        """Write the decision as JSON, with the champion's record, and as a page."""
        record = None if self.record is None else json.loads(self.record.to_json())
        content = {"outcome": self.text, **self.decision.values(), "record": record}
        write_atomically(values, (json.dumps(content, indent=2) + "\n").encode())
        write_promotion_report(page, self.decision, self.text)


def compare_with_nothing(candidate: Candidate) -> Outcome:
    """What is to be said where no champion root is given."""
    judged = Scores.load(candidate.files()[candidate.judged])
    undecided = decide(judged, None, None, candidate.recipe.promotion)
    reason = "not compared: no champion root is given"
    return Outcome(replace(undecided, promoted=False, reason=reason, checks=()), None)


def promote(candidate: Candidate, champions: Champions, reporter: Reporter) -> Outcome:
    """Compare a candidate with the champion, and make it the champion if the gate holds.

    Where another promotion comes in between, the candidate is compared with that champion.

    Raises:
        InputError: If something cannot be read or written.
    """
    files = candidate.files()
    judged = Scores.load(files[candidate.judged])
    for _ in range(_ATTEMPTS):
        champion = champions.current()
        decision = _decide(candidate, judged, champions, champion, reporter)
        if not decision.promoted:
            return Outcome(decision, None)
        content, sums = champions.store(files)
        record = ChampionRecord(
            number=1 if champion is None else champion.number + 1,
            benchmark=champions.benchmark,
            kind="promotion",
            reason=decision.reason,
            run=candidate.run,
            created=now(),
            mark=new_mark(),
            content=content,
            files=sums,
            recipe=json.loads(recipe_to_json(candidate.recipe)),
            weights=candidate.weights(judged),
            judged=candidate.judged,
            metrics={"top1": decision.accuracy, "samples": decision.samples},
            decision=decision.values(),
        )
        if champions.add(record):
            return Outcome(decision, record)
        reporter.message(f"another run became champion {record.number} meanwhile: comparing again")
    raise InputError(
        f"other runs became champion {_ATTEMPTS} times meanwhile", hint="Run the step again"
    )


def _decide(
    candidate: Candidate,
    judged: Scores,
    champions: Champions,
    champion: ChampionRecord | None,
    reporter: Reporter,
) -> Decision:
    gate = candidate.recipe.promotion
    if champion is None:
        return decide(judged, None, None, gate)
    scores = _champion_scores(champions, champion, judged, candidate.store, reporter)
    return decide(judged, scores, champion.number, gate)


def _champion_scores(
    champions: Champions,
    champion: ChampionRecord,
    judged: Scores,
    store: Path,
    reporter: Reporter,
) -> Scores:
    """The champion's scores of the candidate's samples: its own, or made anew for other data."""
    with tempfile.TemporaryDirectory(prefix="frhead-champion-") as temporary:
        folder, _, name = champion.judged.rpartition("/")
        scores = Scores.load(champions.fetch(champion, folder, Path(temporary) / "scores") / name)
        key = "data_fingerprint"
        if scores.metadata.get(key) == judged.metadata.get(key):
            return scores
        reporter.message(f"champion {champion.number} is of other data: scoring these samples")
        weights = {check_modality(name): weight for name, weight in champion.weights.items()}
        made = {
            modality: evaluate_model(
                champions.fetch(champion, f"models/{modality}", Path(temporary) / modality),
                store,
                part="test",
                reporter=reporter,
            )
            for modality in weights
        }
        return combine(made, weights)
