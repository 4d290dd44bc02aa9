"""The page for a new run: a form, what is wrong with it, and the command that does the same."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from frhead_core.config import benchmark_names, load_recipe
from frhead_core.errors import FRHeadError, InputError
from frhead_core.recipe_variants import REFERENCE, variant_names
from pipeline import options
from pipeline.console.dependencies import NAME_PATTERN, CheckedForm, Runs, run_folder
from pipeline.console.new_run_again import values_of
from pipeline.console.new_run_checks import SOURCE, CheckedRequest, asked_request, checked_request
from pipeline.console.new_run_data import Submitted
from pipeline.console.new_run_fields import (
    option_fields,
    option_sections,
    settings_sections,
)
from pipeline.console.pages import page, to_page
from pipeline.console.queue_dependencies import Starter, UploadFolder
from pipeline.console.security import CSRF_FIELD, check_csrf

router = APIRouter(include_in_schema=False)
_FIRST = "demo"
"""The benchmark of an empty form: one that needs no data."""
_TRIED = frozenset({"demo", "demo-nw-ucla"})


@router.get("/new")
def show(
    request: Request,
    starter: Starter,
    runs: Runs,
    benchmark: str = _FIRST,
    recipe: str = REFERENCE,
    of: str = Query("", alias="from", pattern=f"^$|{NAME_PATTERN}"),
) -> Response:
    """An empty form for a benchmark, or one filled from an earlier run."""
    source = "synthetic" if benchmark in _TRIED else "place"
    values = {"benchmark": benchmark, "recipe": recipe, SOURCE: source}
    if of:
        values = values_of(run_folder(of, runs), starter.folder) | {SOURCE: "place"}
    return _form(request, starter, values, again=of)


@router.post("/new")
async def take(request: Request, starter: Starter, uploads: UploadFolder) -> Response:
    """Start what was entered, or say what is wrong with it."""
    submitted = await uploads.form(
        request.headers.get("content-type", ""),
        request.stream(),
        lambda fields: check_csrf(request, fields.get(CSRF_FIELD)),
    )
    return await run_in_threadpool(_answer, request, starter, submitted)


@router.post("/new/check")
def check(starter: Starter, form: CheckedForm) -> Response:
    """The command that does the same and what is wrong, while somebody is writing."""
    fields: dict[str, str] = {}
    for name, text in form.multi_items():
        before = fields.get(name)
        fields[name] = str(text) if before is None else f"{before},{text}"
    checked = _checked(starter, fields)
    return JSONResponse({"command": checked.command, "mistakes": checked.mistakes})


def _answer(request: Request, starter: Starter, submitted: Submitted) -> Response:
    values = dict(submitted.fields)
    if submitted.places:
        values |= {"raw": "\n".join(map(str, submitted.places)), SOURCE: "place"}
    if values.get("do") == "preset":
        return _form(request, starter, values)
    checked = _checked(starter, values)
    if submitted.mistake:
        checked.mistakes = {**checked.mistakes, "upload": submitted.mistake}
    elif values.get(SOURCE) == "upload":
        checked.mistakes = {**checked.mistakes, "upload": "Choose a zip archive."}
    if not checked.mistakes and values.get("do") == "start":
        try:
            name = starter.start(checked).name
        except InputError as error:
            checked.mistakes["name" if error.field == "--name" else ""] = str(error)
        else:
            return to_page(request, f"/queue/{name}")
    return _form(request, starter, values, checked)


def _checked(starter: Starter, fields: Mapping[str, str]) -> CheckedRequest:
    return checked_request(fields, starter.work_directory, starter.folder)


def _form(
    request: Request,
    starter: Starter,
    values: Mapping[str, str],
    checked: CheckedRequest | None = None,
    again: str = "",
) -> Response:
    """The form with what was entered.

    Args:
        request: Whose session the page is for.
        starter: Where runs start.
        values: What was entered.
        checked: What is wrong with it; None to say nothing of that.
        again: The run that it was filled from.
    """
    shown = checked or asked_request(values, starter.work_directory, starter.folder)
    context = {
        **_fields(values),
        "values": values,
        "mistakes": {} if checked is None else checked.mistakes,
        "command": shown.command,
        "checked": checked is not None,
        "again": again,
        "limit": request.app.state.settings.upload_limit,
    }
    refused = bool(context["mistakes"]) and values.get("do") == "start"
    return page(request, "new_run.html", context, 422 if refused else 200)


@cache
def _titles() -> list[tuple[str, str]]:
    return [(name, load_recipe(name).title) for name in benchmark_names()]


@cache
def _variants() -> list[str]:
    names = {each for name in benchmark_names() for each in variant_names(name)}
    return [REFERENCE, *sorted(names - {REFERENCE})]


def _fields(values: Mapping[str, str]) -> dict[str, Any]:
    """The fields, whose defaults are those of the chosen benchmark's recipe as far as it is one."""
    benchmark = values.get("benchmark", "")
    try:
        recipe = options.chosen_recipe(benchmark, recipe=values.get("recipe") or REFERENCE)
    except (FRHeadError, ValueError):
        recipe = load_recipe(_FIRST)
    what, how = option_sections(recipe)
    sections = settings_sections(recipe)
    return {
        "benchmarks": _titles(),
        "variants": _variants(),
        "title": recipe.title,
        "raw": option_fields()["raw"],
        "more_settings": option_fields()["settings"],
        "what": what,
        "how": how,
        "settings": sections,
        "changed": [name for name, text in values.items() if name.startswith("settings") and text],
    }
