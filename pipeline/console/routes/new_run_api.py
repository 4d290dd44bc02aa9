"""The REST API for new runs: fields, types and limits are those of the command ``frhead run``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.requests import Request

from frhead_core.errors import InputError
from pipeline.console import new_run_fields
from pipeline.console.new_run_checks import SOURCE, checked_request
from pipeline.console.queue_dependencies import Starter, UploadFolder
from pipeline.console.queue_entries import QueueEntry
from pipeline.console.routes.api import Failure

router = APIRouter(
    prefix="/api/v1",
    tags=["new runs"],
    responses={status: {"model": Failure} for status in (401, 403)},
)


def _type_of(field: new_run_fields.Field) -> Any:
    if field.kind == "switch":
        return bool, Field(False, description=field.help)
    if field.kind == "lines":
        return list[str], Field(default_factory=list, description=field.help)
    if field.kind == "several":
        choices: Any = Literal[tuple(field.choices)]
        return list[choices], Field(default_factory=list, description=field.help)
    description = f"{field.help} Default: {field.default or 'that of the recipe'}."
    if field.kind == "number":
        limits = Field(None, description=description, ge=field.least, le=field.most, strict=True)
        return int | None, limits
    kind: Any = Literal[tuple(field.choices)] if field.choices else str
    return kind | None, Field(None, description=description)


NewRun = cast(
    type[BaseModel],
    create_model(
        "NewRun",
        __config__=ConfigDict(extra="forbid"),
        __doc__="What to run: what is left out is as with the command ``frhead run``.",
        benchmark=(str, Field(description="One that `frhead benchmarks` lists, or a recipe file.")),
        synthetic=(bool, Field(False, description="Run demo or demo-nw-ucla on stick figures.")),
        **{name: _type_of(each) for name, each in new_run_fields.option_fields().items()},
    ),
)


class Upload(BaseModel):
    """Where an uploaded archive lies: what to give as ``raw``."""

    place: str


@router.post("/runs", status_code=202)
def start_run(asked: NewRun, starter: Starter) -> QueueEntry:  # type: ignore[valid-type]
    """Ask for a run. It starts as soon as fewer run than the console runs at once."""
    given = cast(BaseModel, asked).model_dump()
    values = {name: _text(name, value) for name, value in given.items()}
    values[SOURCE] = "synthetic" if given["synthetic"] else "place"
    checked = checked_request(values, starter.work_directory, starter.folder)
    if checked.mistakes:
        raise _refusal(checked.mistakes)
    try:
        return starter.start(checked)
    except InputError as error:
        raise _refusal({"name" if error.field == "--name" else "": str(error)}) from error


@router.put("/uploads/{name}", status_code=201)
async def upload(
    request: Request,
    uploads: UploadFolder,
    name: Annotated[str, PathParameter(max_length=200)],
) -> Upload:
    """Keep the body, a zip archive, as raw data for runs."""
    return Upload(place=str(await uploads.file(name, request.stream())))


def _text(name: str, value: Any) -> str:
    """A value as it is entered in the form."""
    if isinstance(value, list):
        fields = new_run_fields.option_fields()
        return ("," if fields[name].kind == "several" else "\n").join(value)
    if isinstance(value, bool):
        return "on" if value else ""
    return "" if value is None else str(value)


def _refusal(mistakes: dict[str, str]) -> RequestValidationError:
    """The same form of answer as for fields of the wrong type."""
    names = {"": (), SOURCE: ("synthetic",)}
    return RequestValidationError(
        [
            {"type": "value_error", "loc": ("body", *names.get(name, (name,))), "msg": text}
            for name, text in mistakes.items()
        ]
    )
