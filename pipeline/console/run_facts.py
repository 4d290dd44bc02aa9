"""What ``run.json`` says of a run, read and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from frhead_core.config import Modality, Recipe, recipe_from_json
from frhead_core.errors import FRHeadError, InputError
from pipeline.run_folder import RECORD, RunFolder


class StepOutputs(BaseModel):
    """What a step made, by name."""

    name: str
    outputs: dict[str, Any] = {}


class How(BaseModel):
    """How a run was run: what its results do not depend on."""

    output: Path | None = None


class GivenModel(BaseModel):
    """A model that was evaluated instead of training one."""

    directory: str


class RunFacts(BaseModel):
    """What is needed here of a ``run.json``; what an older one does not say is left out."""

    status: str = "unknown"
    benchmark: str = ""
    raw: str = ""
    champions: str = ""
    modalities: tuple[Modality, ...] = ()
    given: dict[Modality, GivenModel] = {}
    recipe: str = ""
    started_by: str = ""
    how: How = How()
    steps: list[StepOutputs] = []

    def outputs_of(self, step: str) -> dict[str, Any]:
        """What a step made, as the run says at its end; empty before."""
        return next((each.outputs for each in self.steps if each.name == step), {})

    def parsed_recipe(self) -> Recipe | None:
        """The recipe; None where none is recorded, or one that this version does not know."""
        try:
            return recipe_from_json(self.recipe) if self.recipe else None
        except (FRHeadError, ValueError, TypeError, AttributeError):
            return None


def run_facts(folder: RunFolder) -> RunFacts:
    """What is known of a run.

    Raises:
        InputError: If its record cannot be read.
    """
    path = folder.path / RECORD
    try:
        return RunFacts.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=path) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or None
        raise InputError(
            f"is not the record of a run ({first['msg']})", file=path, field=field
        ) from error
