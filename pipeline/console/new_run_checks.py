"""What was entered for a new run as the command's arguments, and what is wrong with it.

The checks are the command's own: its options read the arguments, and what it would refuse before
it starts anything is refused here, beside the field that is to blame.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click
from click.core import iter_params_for_processing

from components.champion_place import champion_place
from frhead_core.config import Recipe
from frhead_core.data.raw_files import Place
from frhead_core.errors import FRHeadError
from pipeline import options
from pipeline.commands.run import command
from pipeline.console.new_run_fields import SETTING, option_fields
from pipeline.given_models import given_models
from pipeline.run_request import RunRequest, check_raw, run_request

SOURCE = "source"
"""The field that says where raw data come from."""
Layout = Literal["nw-ucla", "ntu"]
SYNTHETIC_LAYOUTS: Mapping[str, Layout] = {"nw-ucla": "nw-ucla", "ntu60": "ntu"}
"""How ``frhead synthetic`` writes recordings of a dataset."""
_LONGEST = 20_000  # characters that may be entered in a field
_LONGEST_SETTING = 500


@dataclass
class CheckedRequest:
    """What a new run would be.

    Attributes:
        arguments: Of the command ``frhead``, but for the run's name.
        name: Of the run; empty for date, time and benchmark.
        layout: Of synthetic recordings that it is to run on; None for others.
        made_first: Of the command that makes them; empty without.
        mistakes: What is wrong, by field; under the empty name what no field is to blame for.
        request: What is to run; None if anything is wrong.
    """

    arguments: Sequence[str]
    name: str = ""
    layout: Layout | None = None
    made_first: Sequence[str] = ()
    mistakes: dict[str, str] = field(default_factory=dict)
    request: RunRequest | None = None

    @property
    def all_arguments(self) -> list[str]:
        """The arguments with the name."""
        return [*self.arguments, *(_option("--name", self.name) if self.name else [])]

    @property
    def command(self) -> str:
        """What does the same in a terminal."""
        lines = [self.made_first, self.all_arguments] if self.made_first else [self.all_arguments]
        return " && \\\n".join(shlex.join(["frhead", *line]) for line in lines)


def asked_request(values: Mapping[str, str], work_directory: Path, folder: Path) -> CheckedRequest:
    """What was entered, before it is checked.

    Args:
        values: By field; those of several values have one in each line.
        work_directory: Where the run will lie.
        folder: The console's own.
    """
    layout = _layout_of(values) if values.get(SOURCE) == "synthetic" else None
    if layout is not None:
        values = {**values, "raw": str(synthetic_archive(folder, layout))}
    return CheckedRequest(
        arguments=arguments_of(values, work_directory),
        name=values.get("name", "").strip(),
        layout=layout,
        made_first=() if layout is None else _synthetic_arguments(folder, layout),
    )


def checked_request(
    values: Mapping[str, str], work_directory: Path, folder: Path
) -> CheckedRequest:
    """What was entered, with all that is wrong with it; arguments as of :func:`asked_request`."""
    source = values.get(SOURCE)
    checked = asked_request(values, work_directory, folder)
    checked.mistakes = _unreadable(values)
    is_there = source not in ("synthetic", "upload")
    if not checked.mistakes:
        given, checked.mistakes = _read_options(checked.all_arguments)
        if not checked.mistakes:
            _check_together(checked, values, is_there=is_there)
        elif is_there and "raw" in given:
            _check_raw_alone(checked, values, given["raw"])
    if source == "synthetic" and checked.layout is None and "benchmark" not in checked.mistakes:
        checked.mistakes.pop("raw", None)
        checked.mistakes[SOURCE] = "Synthetic recordings are for demo and demo-nw-ucla."
    return checked


def arguments_of(values: Mapping[str, str], work_directory: Path) -> list[str]:
    """What was entered as arguments of the command ``frhead``, but for the run's name."""
    arguments = ["run", values.get("benchmark", "").strip()]
    for each in option_fields().values():
        text = values.get(each.name, "").strip()
        if each.name == "name" or (each.name == "recipe" and text == each.default):
            continue
        if each.kind == "switch":
            arguments += [each.option] if text else []
        elif each.kind == "lines":
            for line in filter(None, map(str.strip, text.splitlines())):
                arguments += _option(each.option, line)
        elif text:
            arguments += _option(each.option, text)
    for name, setting in _settings(values):
        if name != "settings":
            arguments += _option("--set", setting)
    return [*arguments, *_option("--work-directory", str(work_directory))]


def synthetic_archive(folder: Path, layout: Layout) -> Path:
    """Where the console keeps synthetic recordings."""
    return folder / "synthetic" / f"{layout}.zip"


def _synthetic_arguments(folder: Path, layout: Layout) -> list[str]:
    return ["synthetic", "--layout", layout, "--output", str(synthetic_archive(folder, layout))]


def _option(name: str, text: str) -> list[str]:
    """An option and its value, which cannot be taken for another option."""
    return [f"{name}={text}"] if text.startswith("-") else [name, text]


def _unreadable(values: Mapping[str, str]) -> dict[str, str]:
    """What no command line can hold, and what is too much."""
    mistakes = {}
    for name, text in values.items():
        longest = _LONGEST_SETTING if name.startswith(SETTING) else _LONGEST
        if len(text) > longest:
            mistakes[name] = f"Longer than {longest} characters."
        elif not all(line.isprintable() for line in text.splitlines()):
            mistakes[name] = "Holds characters that cannot be printed."
    benchmark = values.get("benchmark", "").strip()
    if not benchmark or benchmark.startswith("-"):
        mistakes["benchmark"] = "Choose one."
    return mistakes


def _read_options(arguments: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The value of each of the command's options that takes what was given, and what others say."""
    context = click.Context(command, info_name=command.name)
    mistakes = {}
    try:
        given, rest, order = command.make_parser(context).parse_args(list(arguments[1:]))
    except click.UsageError as error:
        return {}, {"": _said(error)}
    for option in iter_params_for_processing(order, command.get_params(context)):
        try:
            _, rest = option.handle_parse_result(context, given, rest)
        except (click.UsageError, FRHeadError) as error:
            mistakes[option.name or ""] = _said(error)
    return context.params, mistakes


def _check_raw_alone(checked: CheckedRequest, values: Mapping[str, str], raw: Place) -> None:
    """Open the raw data although something else is wrong: that is told at once, too."""
    try:
        recipe = options.chosen_recipe(values["benchmark"].strip())
    except FRHeadError:
        return
    _tried(checked, "raw", partial(check_raw, recipe, raw))


def _check_together(checked: CheckedRequest, values: Mapping[str, str], *, is_there: bool) -> None:
    """What needs the recipe: first each setting alone, then all of them, then what they name."""
    given: dict[str, Any] = command.make_context("run", checked.all_arguments[1:]).params
    benchmark, recipe = given["benchmark"], given["recipe"]
    recipe_with = partial(options.chosen_recipe, benchmark, recipe=recipe)
    if _tried(checked, "benchmark", recipe_with) is None:
        return
    for name in options.SETTINGS:
        _tried(checked, name, partial(recipe_with, **{name: given[name]}))
    if not checked.mistakes:
        # A backbone has settings of its own, which these may change.
        of_backbone = partial(recipe_with, backbone=given["backbone"])
        for name, setting in _settings(values):
            _tried(checked, name, partial(of_backbone, settings=[setting]))
    if checked.mistakes:
        return
    whole = _tried(checked, "", partial(options.chosen_recipe, **_recipe_options(given)), values)
    if whole is None:
        return
    _tried(checked, "processes", partial(options.check_shares, whole, given["processes"]))
    request = _tried(checked, "", partial(run_request, **given), values)
    if request is None:
        return
    _check_places(checked, request, is_there=is_there)
    if request.how["profile"] is not None:
        from pipeline.local_run import LocalRun  # noqa: PLC0415 - brings kfp

        _tried(checked, "profile", partial(LocalRun, request.recipe, (), **request.how))
    if not checked.mistakes:
        checked.request = request


def _recipe_options(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"benchmark": given["benchmark"]} | options.apart(given)[1]


def _settings(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Fields with what they add to ``--set``."""
    for name, text in values.items():
        if name == "settings":
            yield from ((name, line.strip()) for line in text.splitlines() if line.strip())
        elif name.startswith(SETTING) and text.strip():
            yield name, f"{name.removeprefix(SETTING)}={text.strip()}"


def _check_places(checked: CheckedRequest, request: RunRequest, *, is_there: bool) -> None:
    """Open what the run will read, as far as that is done in a moment."""
    if is_there:
        _tried(checked, "raw", partial(check_raw, request.recipe, request.how["raw"]))
    models = partial(given_models, request.weights, request.recipe, request.modalities)
    _tried(checked, "weights", models)
    if request.champions:
        _tried(checked, "champions", partial(champion_place, request.champions))
    if request.how["engine"] == "docker":
        from pipeline.container_run import chosen_images  # noqa: PLC0415 - brings kfp

        _tried(checked, "engine", partial(chosen_images, request.how["images"]))


def _tried(
    checked: CheckedRequest,
    name: str,
    check: Callable[[], Any],
    values: Mapping[str, str] | None = None,
) -> Any:
    """The result of a check; None if it refuses, which is noted.

    Args:
        checked: Where to note it.
        name: The field that is to blame.
        check: The check.
        values: What was entered, if the refusal is to be asked which field is to blame.
    """
    try:
        return check()
    except (FRHeadError, click.UsageError) as error:
        to_blame = name if values is None else _to_blame(error, values)
        checked.mistakes.setdefault(to_blame, _said(error))
    except OSError as error:
        checked.mistakes.setdefault(name, f"Cannot be used ({error.strerror or error}).")
    return None


def _to_blame(error: Exception, values: Mapping[str, str]) -> str:
    """The field that an error names; empty if it names none of the form's."""
    key = getattr(error, "field", None) or ""
    if SETTING + key in values:
        return SETTING + key
    fields = {each.option: each.name for each in option_fields().values()}
    settings = {setting: name for name, setting in options.SETTINGS.items()}
    return {**fields, **settings, "modality": "modalities"}.get(key, "")


def _said(error: Exception) -> str:
    if isinstance(error, click.MissingParameter):
        return "Is needed."
    return error.message if isinstance(error, click.ClickException) else str(error)


def _layout_of(values: Mapping[str, str]) -> Layout | None:
    """In which layout synthetic recordings fit the benchmark; None if there are none."""
    try:
        recipe = options.chosen_recipe(values.get("benchmark", "").strip())
    except (FRHeadError, ValueError):
        return None
    return None if _needs_real(recipe) else SYNTHETIC_LAYOUTS.get(recipe.dataset)


def _needs_real(recipe: Recipe) -> bool:
    return recipe.preparation.official_list
