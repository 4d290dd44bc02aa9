"""A form filled from what an earlier run was: to run it again with changes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from frhead_core.config import (
    MODALITIES,
    Recipe,
    benchmark_names,
    load_recipe,
    override,
    recipe_from_json,
    recipe_to_json,
    recipe_to_yaml,
)
from frhead_core.data.raw_files import raw_data, raw_places
from frhead_core.errors import FRHeadError, InputError
from frhead_core.files import write_atomically
from frhead_core.recipe_variants import as_variant, variant_names
from pipeline import options
from pipeline.console.new_run_fields import SETTING, option_fields, settings_sections, text_of
from pipeline.run_folder import RECORD, RunFolder

_OPTIONS = {setting: name for name, setting in options.SETTINGS.items()}
_EPOCHS = "training.epochs"


def values_of(folder: RunFolder, console: Path) -> dict[str, str]:
    """What to enter for the same run again.

    Args:
        folder: The run.
        console: The console's own folder; a recipe that is none of the benchmarks' becomes a file
            there.

    Raises:
        InputError: If its record says too little.
    """
    values, recipe = recorded_values(folder)
    return values | (changes_of(recipe) or _as_file(recipe, console))


def recorded_values(folder: RunFolder) -> tuple[dict[str, str], Recipe]:
    """What to enter beside the recipe for the same run again, and the recipe.

    Raises:
        InputError: If its record says too little.
    """
    path = folder.path / RECORD
    try:
        facts = json.loads(path.read_bytes())
        recipe = recipe_from_json(facts["recipe"])
        raw = raw_places(raw_data(facts["raw"]))
        given = {name: model["directory"] for name, model in facts["given"].items()}
        values = {
            "raw": "\n".join(map(str, raw)),
            "modalities": ",".join(facts["modalities"]),
            "weights": "\n".join(f"{name}={place}" for name, place in given.items()),
            "champions": facts["champions"],
            **_how(facts["how"]),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"says too little of the run ({error})", file=path) from error
    if len(facts["modalities"]) == len(MODALITIES):
        values["modalities"] = ""
    return values, recipe


def _how(how: Mapping[str, Any]) -> dict[str, str]:
    """What differs from the defaults of how a run is made."""
    values = {}
    for name, value in how.items():
        field = option_fields().get(name)
        if field is None or value in (None, False, {}) or str(value) == field.default:
            continue
        if isinstance(value, dict):
            values[name] = "\n".join(f"{key}={text}" for key, text in value.items())
        else:
            values[name] = "on" if value is True else str(value)
    return values


def changes_of(recipe: Recipe) -> dict[str, str] | None:
    """What to enter to make the recipe of a benchmark's; None if nothing does."""
    if recipe.name not in benchmark_names():
        return None
    found = []
    for variant in variant_names(recipe.name):
        base = as_variant(load_recipe(recipe.name), variant)
        if base.model.backbone != recipe.model.backbone:
            base = override(base, {options.SETTINGS["backbone"]: recipe.model.backbone})
        changes = _differences(_data(base), _data(recipe))
        if _makes(base, changes, recipe):
            known = _fields_of(options.chosen_recipe(recipe.name, recipe=variant))
            values = {"benchmark": recipe.name, "recipe": variant} | _entered(changes, known)
            if recipe.model.backbone != load_recipe(recipe.name).model.backbone:
                values["backbone"] = recipe.model.backbone
            found.append(values)
    return min(found, key=len, default=None)


def _makes(base: Recipe, changes: Mapping[str, Any], recipe: Recipe) -> bool:
    try:
        settings = [f"{key}={text_of(value)}" for key, value in changes.items()]
        return recipe_to_json(override(base, settings)) == recipe_to_json(recipe)
    except FRHeadError:
        return False


def _fields_of(recipe: Recipe) -> set[str]:
    return {field.name for section in settings_sections(recipe) for field in section.fields}


def _entered(changes: Mapping[str, Any], known: Collection[str]) -> dict[str, str]:
    """Changed settings by the field that each is entered in; of those that have none, lines."""
    values, lines = {}, []
    epochs = {key: value for key, value in changes.items() if key.startswith(f"{_EPOCHS}.")}
    if len(epochs) == len(MODALITIES) and len(set(epochs.values())) == 1:
        values["epochs"] = text_of(next(iter(epochs.values())))
        changes = {key: value for key, value in changes.items() if key not in epochs}
    for key, value in changes.items():
        if key in _OPTIONS:
            values[_OPTIONS[key]] = "on" if value is True else text_of(value)
        elif SETTING + key in known:
            values[SETTING + key] = text_of(value)
        else:
            lines.append(f"{key}={text_of(value)}")
    return values | ({"settings": "\n".join(lines)} if lines else {})


def _differences(base: Any, other: Any, prefix: str = "") -> dict[str, Any]:
    """The dotted keys of what is different in another recipe, with what it is there."""
    changes: dict[str, Any] = {}
    for key, value in other.items():
        before = base.get(key)
        if isinstance(before, dict) and isinstance(value, dict) and before.keys() == value.keys():
            changes |= _differences(before, value, f"{prefix}{key}.")
        elif before != value:
            changes[prefix + key] = value
    return changes


def _as_file(recipe: Recipe, console: Path) -> dict[str, str]:
    text = recipe_to_yaml(recipe).encode()
    path = console / "recipes" / f"{Path(recipe.name).name or 'recipe'}.yaml"
    number = 1
    while path.exists() and path.read_bytes() != text:
        number += 1
        path = path.with_name(f"{Path(recipe.name).name or 'recipe'}-{number}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)
    return {"benchmark": str(path)}


def _data(recipe: Recipe) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(recipe_to_yaml(recipe))
    return data
