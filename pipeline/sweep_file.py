"""Sweeps: experiments that are described in a YAML file.

::

    benchmark: nw-ucla                # or a recipe of your own, beside this file
    title: Learning rate and head     # optional
    modalities: [joint]               # all without it
    seeds: [1, 2, 3]                  # the recipe's own without it
    settings:                         # of all variants
      training.epochs: 20
      training.hold_out_validation: true
    grid:                             # every combination of these values ...
      training.learning_rate: [0.05, 0.1]
      head.version: [V0, V1]
    variants:                         # ... or what each variant changes
      plain: {head.enabled: false}
      calibrated: {head.version: V1}
    baseline: plain                   # the first without it; of a grid some of its values:
                                      # {training.learning_rate: 0.1, head.version: V0}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from frhead_core.config import MODALITIES, Integer, Modality, Recipe, load_recipe
from frhead_core.errors import RecipeError
from frhead_core.recipe_variants import recipe_beside
from frhead_core.settings_files import Place, read_checked
from pipeline.plans import Plan, Variant, combinations, variant

Result = TypeVar("Result")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Sweep:
    """What the file says; see the module."""

    benchmark: str
    title: str = ""
    modalities: tuple[Modality, ...] = MODALITIES
    seeds: tuple[Annotated[Integer, Field(ge=0)], ...] | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(default_factory=dict)
    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    baseline: str | dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if bool(self.grid) == bool(self.variants):
            raise ValueError("a sweep has either a grid or variants")
        for key, values in self.grid.items():
            if any(value in values[:place] for place, value in enumerate(values)):
                raise ValueError(f"grid: {key} has a value twice")


_SWEEP = TypeAdapter(Sweep)


def read_sweep(file: Path) -> Plan:
    """The experiment that a file describes, completely checked.

    Raises:
        RecipeError: If the file cannot be read, or a key or a value is not valid; the message
            names the line.
    """
    sweep, lines = read_checked(file, "a sweep", _SWEEP, _known_keys)
    reading = _Reading(file, lines)
    recipe = reading.at(("benchmark",), lambda: load_recipe(recipe_beside(file, sweep.benchmark)))
    recipe = reading.at(("settings",), lambda: variant(recipe, "", sweep.settings).recipe)
    variants = reading.variants(recipe, sweep)
    return reading.at(
        (),
        lambda: Plan(
            name=file.stem,
            title=sweep.title or f"{recipe.title}, {file.stem}",
            variants=variants,
            seeds=tuple(sweep.seeds or (recipe.training.seed,)),
            modalities=tuple(name for name in MODALITIES if name in sweep.modalities),
            baseline=_baseline(sweep, variants),
        ),
    )


def _known_keys(place: Place) -> list[str]:
    return [] if place else [field.name for field in fields(Sweep)]


class _Reading:
    """Adds file and line to what is wrong with a setting."""

    def __init__(self, file: Path, lines: Mapping[Place, int]) -> None:
        self._file = file
        self._lines = lines

    def at(self, section: Place, make: Callable[[], Result]) -> Result:
        """What ``make`` gives, which reads a section of the file."""
        try:
            return make()
        except RecipeError as error:
            if error.file is not None:
                raise
            raise RecipeError(
                error.problem,
                file=self._file,
                line=self._line(section, error.field),
                field=error.field,
                found=error.found,
                expected=error.expected,
                hint=error.hint,
            ) from error

    def _line(self, section: Place, key: str | None) -> int | None:
        """Of the key in the section; a key within a setting's value is found at the setting."""
        parts = (key or "").split(".")
        ends = range(len(parts), 0, -1)
        places = [(*section, ".".join(parts[:end])) for end in ends]
        return next((self._lines[each] for each in [*places, section] if each in self._lines), None)

    def variants(self, recipe: Recipe, sweep: Sweep) -> tuple[Variant, ...]:
        """Every variant of a sweep."""
        given = combinations(sweep.grid) if sweep.grid else sweep.variants
        return tuple(
            self.at(
                ("grid",) if sweep.grid else ("variants", name),
                lambda name=name, settings=settings: variant(recipe, name, settings),  # type: ignore[misc]
            )
            for name, settings in given.items()
        )


def _baseline(sweep: Sweep, variants: tuple[Variant, ...]) -> str:
    """Name of the variant that the others are compared with."""
    wanted = sweep.baseline
    if wanted is None:
        return variants[0].name
    if isinstance(wanted, str):
        return wanted
    found = [
        each.name
        for each in variants
        if all(key in each.settings and each.settings[key] == wanted[key] for key in wanted)
    ]
    if len(found) != 1:
        raise RecipeError(
            "is not exactly one of the variants",
            field="baseline",
            found=f"{len(found)} variants with {wanted}",
            expected="one of " + "; ".join(each.name for each in variants),
        )
    return found[0]
