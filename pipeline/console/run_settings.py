"""What runs were told, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frhead_core.errors import InputError
from pipeline.run_folder import RECORD

_TOLD = ("benchmark", "raw", "modalities", "given", "champions", "how")
NOT_SAID = "–"


@dataclass(frozen=True)
class Setting:
    """One setting of several runs.

    Attributes:
        name: Dotted, as ``--set`` has it for those of the recipe.
        values: As text, one for each run; a dash where a run does not have it.
        differs: Whether they are not all the same.
    """

    name: str
    values: tuple[str, ...]
    differs: bool


def compared_settings(facts: Sequence[Mapping[str, Any]]) -> list[Setting]:
    """All settings that a run has: first those of the run, then those of its recipe.

    Args:
        facts: The values of each ``run.json``.

    Raises:
        InputError: If a recipe cannot be read.
    """
    runs = [dict(_settings(each)) for each in facts]
    names = dict.fromkeys(name for settings in runs for name in settings)
    return [
        Setting(name, values, len(set(values)) > 1)
        for name in names
        for values in (tuple(settings.get(name, NOT_SAID) for settings in runs),)
    ]


def _settings(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    try:
        yield from _flat({name: facts[name] for name in _TOLD if name in facts})
        yield from _flat(json.loads(facts.get("recipe") or "{}"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"holds damaged settings ({error})", file=RECORD) from error


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Lists are one value, as ``--set`` takes them."""
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from _flat(each, f"{name}.{key}" if name else str(key))
    else:
        yield _text(name), _text(value)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode("utf-8")
