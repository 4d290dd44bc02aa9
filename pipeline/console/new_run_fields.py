"""The fields of the form for a new run, made from the command's options and the recipe's settings.

Names, texts, kinds, defaults and limits are those of ``frhead run`` and of a recipe's dataclasses:
an option or a setting that is added there is in the form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, get_args

import click
import yaml
from pydantic import TypeAdapter

from frhead_core.backbones import BACKBONES
from frhead_core.config import MODALITIES, Precision, Recipe, recipe_to_yaml
from pipeline.commands.run import command
from pipeline.options import SETTINGS

Kind = Literal["number", "text", "choice", "switch", "lines", "several"]
SETTING = "settings."
"""What the names of fields begin with that are settings of the recipe."""
_APART = ("benchmark", "recipe", "raw", "settings")  # which the form shows in a way of its own
_OF_THE_CONSOLE = ("work_directory", "seeds")  # seeds make many runs, and no name fits them all
_WHAT = (
    *("modalities", "epochs", "backbone", "seed", "precision"),
    *("hold_out_validation", "champions", "weights", "name"),
)
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "precision": get_args(Precision),
    "backbone": tuple(BACKBONES),
}
_SECTIONS = (
    *("training", "loader", "model", "head", "preparation"),
    *("evaluation", "ensemble", "promotion"),
)
_DEFAULT_IN_HELP = re.compile(r"\s*\[default: (.*)\]$")


@dataclass(frozen=True)
class Field:
    """One field of the form; left empty, it is what the command or the recipe says.

    Attributes:
        name: Of the option's value, or the setting's key after :data:`SETTING`.
        label: For people.
        option: As on the command line.
        kind: ``lines`` has several values, each in a line; ``several`` some of the choices.
        help: What it is for.
        default: What it is when it is left empty.
        least: Smallest number.
        most: Largest number.
        step: Between numbers; ``any`` if they need not be whole.
        choices: Of which it is one, or some.
    """

    name: str
    label: str
    option: str
    kind: Kind
    help: str = ""
    default: str = ""
    least: float | None = None
    most: float | None = None
    step: str = "1"
    choices: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """Fields that belong together.

    Attributes:
        title: For people.
        help: What is to say of all of them.
        fields: In the order in which they are shown.
    """

    title: str
    help: str
    fields: Sequence[Field]


@cache
def option_fields() -> Mapping[str, Field]:
    """The fields of the command's options, by name."""
    options = (each for each in command.params if isinstance(each, click.Option))
    fields = [_option_field(each) for each in options if each.name not in _OF_THE_CONSOLE]
    return {field.name: field for field in fields}


def option_sections(recipe: Recipe) -> tuple[Section, ...]:
    """The options, but for those that the form shows in a way of its own: what to run, and how.

    Args:
        recipe: Whose settings are the defaults of options that change it.
    """
    data = yaml.safe_load(recipe_to_yaml(recipe))
    own = {name: _default_of(data, key) for name, key in SETTINGS.items()}
    fields = {
        name: replace(each, default=own.get(name, each.default))
        for name, each in option_fields().items()
    }
    how = [name for name in fields if name not in (*_APART, *_WHAT)]
    return (
        Section("What to run", "", [fields[name] for name in _WHAT]),
        Section("How it runs", "", [fields[name] for name in how]),
    )


def settings_sections(recipe: Recipe) -> list[Section]:
    """The settings of a recipe, but for those that have an option and those that are the benchmark.

    Args:
        recipe: Whose settings are the defaults.
    """
    data = yaml.safe_load(recipe_to_yaml(recipe))
    schema = _schema()
    sections = []
    for name in _SECTIONS:
        if data[name] is not None:
            place = _resolved(schema["properties"][name], schema, data[name])
            fields = list(_settings(name, data[name], place, schema))
            text = place.get("description", "").replace("``", "")
            sections.append(Section(_words(name), text, fields))
    return sections


@cache
def _schema() -> dict[str, Any]:
    return TypeAdapter(Recipe).json_schema()


def text_of(value: Any) -> str:
    """A setting's value as it is written behind ``--set KEY=``."""
    if value is None:
        return "null"
    if isinstance(value, str) and yaml.safe_load(value) == value:
        return value
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)
    return text.removesuffix("\n...\n").strip()


def _default_of(data: Any, key: str) -> str:
    for part in key.split("."):
        data = data[part]
    if not isinstance(data, dict):
        return text_of(data)
    different = set(data.values())
    return text_of(different.pop()) if len(different) == 1 else "by modality"


def _option_field(option: click.Option) -> Field:
    name = option.name or ""
    found = _DEFAULT_IN_HELP.search(option.help or "")
    given = option.default
    default = found[1] if found else str(given) if isinstance(given, str | int) else ""
    kind, choices = _kind_of(option)
    text = _DEFAULT_IN_HELP.sub("", option.help or "")
    if kind == "several":
        text = f"{text.partition(', with commas')[0]}. Without any: {default}."
    bounds = option.type if isinstance(option.type, click.IntRange) else None
    return Field(
        name=name,
        label=_words(name),
        option=max(option.opts, key=len),
        kind=kind,
        help=text,
        default="" if option.is_flag else default,
        least=bounds.min if bounds else None,
        most=bounds.max if bounds else None,
        choices=choices,
    )


def _kind_of(option: click.Option) -> tuple[Kind, Sequence[str]]:
    if option.name == "modalities":
        return "several", MODALITIES
    if option.name in _CHOICES:
        return "choice", _CHOICES[option.name]
    if isinstance(option.type, click.Choice):
        return "choice", tuple(map(str, option.type.choices))
    if option.is_flag:
        return "switch", ()
    if option.multiple:
        return "lines", ()
    return ("number" if isinstance(option.type, click.IntRange) else "text"), ()


def _settings(
    key: str, values: Mapping[str, Any], place: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[Field]:
    for name, value in values.items():
        below, inner = f"{key}.{name}", place["properties"][name]
        if isinstance(value, dict):
            yield from _settings(below, value, _resolved(inner, schema, value), schema)
        elif below not in SETTINGS.values() and "const" not in inner:
            yield _setting_field(below, value, inner)


def _setting_field(key: str, value: Any, place: Mapping[str, Any]) -> Field:
    kinds = [each for each in place.get("anyOf", [place]) if each.get("type") != "null"]
    only = kinds[0] if len(kinds) == 1 else {}
    kind, choices = _kind_in_schema(only)
    whole = only.get("type") == "integer"
    return Field(
        name=SETTING + key,
        label=_words(key.partition(".")[2]),
        option=f"--set {key}=",
        kind=kind,
        default=text_of(value),
        least=_least(only),
        most=only.get("maximum"),
        step="1" if whole else "any",
        choices=choices,
    )


def _least(place: Mapping[str, Any]) -> float | None:
    above = place.get("exclusiveMinimum")
    if above is not None and place["type"] == "integer":
        return float(above + 1)
    least: float | None = place.get("minimum", above)
    return least


def _kind_in_schema(place: Mapping[str, Any]) -> tuple[Kind, Sequence[str]]:
    if "enum" in place:
        return "choice", tuple(map(text_of, place["enum"]))
    if place.get("type") == "boolean":
        return "choice", ("true", "false")
    return ("number" if place.get("type") in ("integer", "number") else "text"), ()


def _resolved(
    place: Mapping[str, Any], schema: Mapping[str, Any], value: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The description of a section, of several kinds that of the value's."""
    if "discriminator" in place:
        discriminator = place["discriminator"]
        place = {"$ref": discriminator["mapping"][value[discriminator["propertyName"]]]}
    for choice in place.get("anyOf", ()):
        place = choice if "$ref" in choice else place
    if "$ref" in place:
        found: Mapping[str, Any] = schema["$defs"][place["$ref"].rpartition("/")[2]]
        return found
    return place


def _words(name: str) -> str:
    """A name as a label."""
    text = name.replace("_", " ").replace(".", ", ")
    return text[:1].upper() + text[1:]
