"""What the page of a step shows beside its log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.console.artifact_files import Artifact, artifact
from pipeline.console.run_facts import run_facts
from pipeline.console.step_facts import StepFacts, step_facts
from pipeline.run_folder import RunFolder


@dataclass(frozen=True)
class StepDetails:
    """A step, as its files and its run tell it.

    Attributes:
        facts: What its events say.
        outputs: What it made, or took from the cache.
        inputs: What it read.
    """

    facts: StepFacts
    outputs: tuple[Artifact, ...]
    inputs: tuple[Artifact, ...]

    @property
    def maker(self) -> str:
        """The run whose results were used instead of a new one's; empty if that is not known."""
        return next((each.maker for each in self.outputs if each.maker), "")


def step_details(folder: RunFolder, step: str) -> StepDetails:
    """What is known of a step."""
    facts = step_facts(folder, step)
    # Events say it as soon as the step is done; runs of older versions say it at their end.
    outputs = facts.outputs or run_facts(folder).outputs_of(step)
    return StepDetails(
        facts=facts,
        outputs=_artifacts(folder, outputs),
        inputs=_artifacts(folder, facts.inputs),
    )


def output_place(folder: RunFolder, step: str, output: str) -> Any:
    """Where an output lies, as the run says; None if the step has none of that name."""
    outputs = step_facts(folder, step).outputs or run_facts(folder).outputs_of(step)
    return outputs.get(output)


def value_text(value: Any) -> str:
    """A parameter for people: JSON in lines of its own, everything else as it is."""
    if isinstance(value, str):
        if not value.startswith(("{", "[")):
            return value
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    return json.dumps(value, indent=2, ensure_ascii=False)


def _artifacts(folder: RunFolder, places: Mapping[str, Any]) -> tuple[Artifact, ...]:
    return tuple(artifact(folder, name, place) for name, place in sorted(places.items()))
