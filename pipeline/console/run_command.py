"""The command that does the same as a run, for copying."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from frhead_core.backbones import BACKBONES
from frhead_core.config import (
    MODALITIES,
    Recipe,
    load_recipe,
    override,
    recipe_from_json,
    recipe_to_json,
)
from frhead_core.data.raw_files import raw_data, raw_places
from frhead_core.errors import FRHeadError
from frhead_core.recipe_variants import REFERENCE, as_variant, variant_names
from pipeline.console.run_facts import RunFacts

_OF_THEIR_OWN = {
    "training.seed": "--seed",
    "training.precision": "--precision",
    "model.backbone": "--backbone",
}
_EPOCHS = "training.epochs"
_HELD_OUT = "training.hold_out_validation"
_SHORT = (*_OF_THEIR_OWN, _EPOCHS, _HELD_OUT)
_PLAIN = {"parallel_modalities": 1, "processes": 1, "engine": "process"}
"""Options that say nothing with these values."""


def command_of(facts: RunFacts, work_directory: Path) -> str | None:
    """What to enter in a terminal; None if the recipe is no benchmark's with settings changed."""
    if not facts.recipe or not facts.raw:
        return None
    recipe = _recipe_arguments(facts.recipe)
    if recipe is None:
        return None
    arguments = ["frhead", "run", *recipe]
    for place in raw_places(raw_data(facts.raw)):
        arguments += ["--raw", str(place)]
    if set(facts.modalities) != set(MODALITIES):
        arguments += ["--modalities", ",".join(facts.modalities)]
    for name, model in facts.given.items():
        arguments += ["--weights", f"{name}={model.directory}"]
    if facts.champions:
        arguments += ["--champions", facts.champions]
    arguments += [*_how_arguments(facts), "--work-directory", str(work_directory)]
    return shlex.join(arguments)


def _how_arguments(facts: RunFacts) -> Iterator[str]:
    for name, value in facts.how:
        option = f"--{name.replace('_', '-')}"
        if not value or value == _PLAIN.get(name):
            continue
        if isinstance(value, dict):
            for kind, image in value.items():
                yield from ("--image", f"{kind}={image}")
        elif value is True:
            yield option
        else:
            yield from (option, str(value))


@lru_cache
def _recipe_arguments(text: str) -> list[str] | None:
    """The benchmark and the options that make a recipe of it: of its variants the nearest."""
    try:
        recipe = recipe_from_json(text)
        ways = [_from_variant(recipe, variant) for variant in variant_names(recipe.name)]
    except (FRHeadError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return None
    return min((way for way in ways if way is not None), key=len, default=None)


def _from_variant(recipe: Recipe, variant: str) -> list[str] | None:
    base = as_variant(load_recipe(recipe.name), variant)
    settings: dict[str, Any] = {}
    if recipe.model.backbone != base.model.backbone and recipe.model.backbone in BACKBONES:
        settings["model.backbone"] = recipe.model.backbone
        base = override(base, settings)
    settings |= _changed(json.loads(recipe_to_json(base)), json.loads(recipe_to_json(recipe)))
    if override(base, settings) != recipe:
        return None  # something is not a setting: a benchmark's file has changed since
    start = [] if variant == REFERENCE else ["--recipe", variant]
    return [recipe.name, *start, *_options(settings)]


def _changed(base: Any, other: Any, key: str = "") -> dict[str, Any]:
    """Settings by dotted key that make one mapping of the other."""
    if key == _EPOCHS and len(set(other.values())) == 1 and base != other:
        return {key: next(iter(other.values()))}
    if isinstance(base, Mapping) and isinstance(other, Mapping) and base.keys() == other.keys():
        return {
            setting: value
            for name in base
            for setting, value in _changed(
                base[name], other[name], f"{key}.{name}" if key else name
            ).items()
        }
    return {} if base == other else {key: other}


def _options(settings: Mapping[str, Any]) -> Iterator[str]:
    for key, value in sorted(settings.items(), key=lambda setting: setting[0] not in _SHORT):
        if key == _HELD_OUT and value is True:
            yield "--hold-out-validation"
        elif key == _EPOCHS:
            yield from ("--epochs", str(value))
        elif key in _OF_THEIR_OWN:
            yield from (_OF_THEIR_OWN[key], str(value))
        else:
            yield from ("--set", f"{key}={_as_yaml(value)}")


def _as_yaml(value: Any) -> str:
    """A value as ``--set`` reads it, without quotes where none are needed."""
    if isinstance(value, str) and yaml.safe_load(value) == value:
        return value
    return json.dumps(value)
