"""What the page of a run shows, and the part of it that changes while the run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from frhead_core.config import Recipe
from pipeline.console.curves import Curves, curves_of
from pipeline.console.dag_picture import NARROW, WIDE, Picture, picture
from pipeline.console.dag_steps import DagStep, steps_of
from pipeline.console.run_command import command_of
from pipeline.console.run_facts import RunFacts, run_facts
from pipeline.console.step_facts import StepFacts, step_facts
from pipeline.run_engine import RunRecord
from pipeline.run_folder import RunFolder


@dataclass(frozen=True)
class Live:
    """The part that changes.

    Attributes:
        pictures: The steps as a graph, wide and narrow.
        facts: What is known of each step that has started, by name.
        curves: How the trainings go.
    """

    pictures: tuple[Picture, ...]
    facts: Mapping[str, StepFacts]
    curves: Curves


def live(run: RunRecord, folder: RunFolder) -> Live:
    """How a run is now."""
    known = run_facts(folder)
    facts = {step.name: step_facts(folder, step.name) for step in run.steps}
    records = {step.name: step for step in run.steps}
    steps = dag_of(known)
    pictures = tuple(
        picture(steps, records, facts, run.state, form) for form in (WIDE, NARROW) if steps
    )
    return Live(pictures, facts, curves_of(folder, known))


def dag_of(facts: RunFacts) -> tuple[DagStep, ...]:
    """The steps that a run has, whether they have started or not; none of unknown modalities."""
    if not facts.modalities:
        return ()
    return steps_of(facts.modalities, promotion=bool(facts.champions))


@dataclass(frozen=True)
class About:
    """What a run is.

    Attributes:
        facts: What its record says.
        recipe: Its recipe; None where that is not known.
        command: What does the same in a terminal; None if nothing of one line does.
    """

    facts: RunFacts
    recipe: Recipe | None
    command: str | None

    @property
    def head(self) -> str:
        """FR-Head in the words of the options; empty without a recipe."""
        if self.recipe is None:
            return ""
        head = self.recipe.head
        return f"FR-Head, version {head.version}" if head.enabled else "without FR-Head"

    @property
    def epochs(self) -> str:
        """How long is trained."""
        if self.recipe is None:
            return ""
        numbers = {
            name: getattr(self.recipe.training.epochs, name) for name in self.facts.modalities
        }
        if len(set(numbers.values())) == 1:
            return str(next(iter(numbers.values())))
        return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in numbers.items())


def about(folder: RunFolder, work_directory: Path) -> About:
    """What a run is."""
    facts = run_facts(folder)
    return About(facts, facts.parsed_recipe(), command_of(folder, work_directory))
