"""Training curves of a run: while it trains from its events, and else from the models it made."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frhead_core.config import MODALITIES, Modality
from pipeline.console.artifact_files import NotAnArtifactError, artifact_place
from pipeline.console.line_chart import LineChart, Points, epoch_chart
from pipeline.console.run_facts import RunFacts
from pipeline.console.step_facts import StepFacts, step_facts
from pipeline.run_folder import RunFolder

_MOST_HISTORY = 4 * 2**20
_TOP1 = "Top-1 accuracy in percent"


@dataclass(frozen=True)
class Curves:
    """How the trainings of a run went.

    Attributes:
        histories: Figures of each epoch, by modality.
        within: Loss of single batches by how many epochs were done, by modality.
    """

    histories: Mapping[Modality, Sequence[Mapping[str, float]]]
    within: Mapping[Modality, Points]

    def charts(self) -> list[tuple[str, LineChart]]:
        """What can be drawn, each with its name."""
        drawn = (
            (text, epoch_chart(self.histories, key, within, may_be_logarithmic=key == "loss"))
            for key, text, within in (("loss", "Loss", self.within), ("top1", _TOP1, None))
        )
        return [(text, chart) for text, chart in drawn if chart is not None]

    @property
    def names(self) -> list[Modality]:
        """Modalities of which anything is known."""
        return [name for name in MODALITIES if name in self.histories or name in self.within]


def curves_of(folder: RunFolder, facts: RunFacts) -> Curves:
    """The curves of a run, as far as they are known; a model that was given has none here."""
    recipe = facts.parsed_recipe()
    histories: dict[Modality, Sequence[Mapping[str, float]]] = {}
    within: dict[Modality, Points] = {}
    for name in facts.modalities:
        if name in facts.given:
            continue
        step = step_facts(folder, f"train_modality-{name}")
        rows = [
            row
            for each in step.epochs or _history(folder, facts, name, step)
            if (row := _figures(each))
        ]
        if rows:
            histories[name] = rows
        epochs = getattr(recipe.training.epochs, name) if recipe else 0
        if epochs and step.losses:
            within[name] = [(share * epochs, loss) for share, loss in step.losses]
    return Curves(histories, within)


def _history(
    folder: RunFolder, facts: RunFacts, name: Modality, step: StepFacts
) -> Sequence[Mapping[str, Any]]:
    """The history of the model that a step made, or took from the cache."""
    outputs = step.outputs or facts.outputs_of(f"train_modality-{name}")
    try:
        path = artifact_place(folder, outputs.get("model"), "history.jsonl")
        if path.stat().st_size > _MOST_HISTORY:
            return ()
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (NotAnArtifactError, OSError, ValueError):
        return ()
    return [row for row in rows if isinstance(row, dict)]


def _figures(row: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an epoch; nothing if it does not say which."""
    found = {
        key: value
        for key, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
    return found if isinstance(found.get("epoch"), int) else {}
