"""Schedules: recurring runs of a cluster that are declared in a YAML file.

::

    time_zone: UTC                    # of the cluster's scheduler; UTC unless it was changed
    schedules:
      nightly:                        # a name of its own on the cluster
        cron: "0 30 2 * * 1-5"        # six fields: second minute hour day month weekday
        benchmark: nw-ucla            # or a recipe of your own, beside this file
        recipe: reference             # optional, as everything below
        raw: [s3://datasets/all_sqe.zip]
        modalities: [joint, bone]     # all without it
        settings: {training.epochs: 20}
        champions: s3://models/champions
        experiment: nightly
        service_account: frhead
        pipeline_root: s3://artifacts/frhead
        max_concurrency: 1            # how many of its runs at a time
        catch_up: false               # whether runs that were missed are made up for
        paused: false                 # without it a schedule stays as paused or not as it is
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from frhead_core.config import MODALITIES, Integer, Modality, Recipe, Switch, load_recipe, override
from frhead_core.errors import RecipeError
from frhead_core.recipe_variants import as_variant, recipe_beside
from frhead_core.settings_files import Place, read_checked
from pipeline.cron import check_cron

_STRICT = ConfigDict(extra="forbid")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _checked(expression: str) -> str:
    try:
        return check_cron(expression)
    except RecipeError as error:
        raise ValueError(str(error)) from error


@dataclass(frozen=True, config=_STRICT)
class Schedule:
    """One recurring run; see the module."""

    cron: Annotated[str, AfterValidator(_checked)]
    benchmark: str
    raw: Annotated[tuple[str, ...], Field(min_length=1)]
    recipe: str = "reference"
    modalities: tuple[Modality, ...] = MODALITIES
    settings: dict[str, Any] = Field(default_factory=dict)
    champions: str = ""
    experiment: str = "frhead"
    service_account: str = ""
    pipeline_root: str = ""
    max_concurrency: Annotated[Integer, Field(ge=1, le=10)] = 1
    catch_up: Switch = False
    paused: Switch | None = None


@dataclass(frozen=True, config=_STRICT)
class ScheduleFile:
    """All of a file.

    Attributes:
        schedules: By name.
        time_zone: Of the cluster's scheduler.
    """

    schedules: dict[str, Schedule]
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        for name in self.schedules:
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"schedules: {name!r} is no name; up to 63 small letters, digits and hyphens"
                )
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                f"time_zone: {self.time_zone!r} is none; like UTC or Europe/Berlin"
            ) from error

    @property
    def zone(self) -> ZoneInfo:
        """Of the cluster's scheduler."""
        return ZoneInfo(self.time_zone)


_FILE = TypeAdapter(ScheduleFile)


def read_schedules(
    file: Path, *, others_too: bool = True
) -> tuple[ScheduleFile, Mapping[str, Recipe]]:
    """The schedules of a file, completely checked, and the recipe of each.

    Args:
        file: The file.
        others_too: Whether it may name other files, which are then read: recipes and joint
            layouts. What a browser sent may not.

    Raises:
        RecipeError: If the file cannot be read, or a key or a value is not valid; the message
            names the line.
    """
    declared, lines = read_checked(file, "a file of schedules", _FILE, _known_keys)
    if not others_too:
        for name, schedule in declared.schedules.items():
            _refuse_other_files(file, lines, name, schedule)
    return declared, {
        name: _recipe(file, lines, name, schedule) for name, schedule in declared.schedules.items()
    }


def _refuse_other_files(
    file: Path, lines: Mapping[Place, int], name: str, schedule: Schedule
) -> None:
    """Refuse what would be read from the disk of whoever reads the schedule."""
    named = {
        ("benchmark",): schedule.benchmark,
        ("settings", "skeleton"): schedule.settings.get("skeleton"),
    }
    for place, found in named.items():
        if str(found).endswith((".yaml", ".yml")):
            raise RecipeError(
                "a file of your own cannot be read from here",
                file=file,
                line=lines.get(("schedules", name, *place)),
                field=".".join(("schedules", name, *place)),
                found=found,
                hint="Apply the file on your machine: frhead schedule apply",
            )


def _recipe(file: Path, lines: Mapping[Place, int], name: str, schedule: Schedule) -> Recipe:
    place = recipe_beside(file, schedule.benchmark)
    try:
        return override(as_variant(load_recipe(place), schedule.recipe), schedule.settings)
    except RecipeError as error:
        if error.file is not None:
            raise
        raise RecipeError(
            error.problem,
            file=file,
            line=lines.get(("schedules", name)),
            field=f"schedules.{name}: {error.field}",
            found=error.found,
            expected=error.expected,
            hint=error.hint,
        ) from error


def _known_keys(place: Place) -> list[str]:
    kinds: dict[int, type[Any]] = {0: ScheduleFile, 2: Schedule}
    kind = kinds.get(len(place))
    return [] if kind is None else [field.name for field in fields(kind)]
