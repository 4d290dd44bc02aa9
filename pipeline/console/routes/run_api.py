"""One run in the REST API: its graph, its steps in detail, its training curves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from frhead_core.config import Modality
from pipeline.console.artifact_files import Artifact
from pipeline.console.curves import curves_of
from pipeline.console.dag_picture import state_of
from pipeline.console.dependencies import Folder, Name, Record
from pipeline.console.failures import NoSuchThingError
from pipeline.console.routes.api import Failure
from pipeline.console.routes.run import file_to_keep
from pipeline.console.run_facts import run_facts
from pipeline.console.run_page import dag_of
from pipeline.console.step_facts import step_facts
from pipeline.console.step_page import step_details

router = APIRouter(
    prefix="/api/v1/runs/{name}",
    tags=["runs"],
    responses={status: {"model": Failure} for status in (401, 403, 404, 422)},
)


class Node(BaseModel):
    """A step in the graph; ``state`` is ``not run`` once the run has ended without it."""

    name: str
    component: str
    modality: Modality | None
    after: tuple[str, ...]
    always_runs: bool
    state: str
    share: float | None
    started: datetime | None
    ended: datetime | None


class Step(BaseModel):
    """A step in detail; ``parameters`` are null where they were not recorded."""

    name: str
    state: str
    text: str
    queued: datetime | None
    started: datetime | None
    ended: datetime | None
    cached_from: str
    parameters: dict[str, Any] | None
    inputs: tuple[Artifact, ...]
    outputs: tuple[Artifact, ...]
    figures: dict[str, float]


class Training(BaseModel):
    """One training: a mapping for each epoch, and (epochs done, loss) of single batches."""

    epochs: list[dict[str, float]]
    batch_losses: list[tuple[float, float]]


@router.get("/dag")
def show_dag(run: Record, folder: Folder) -> list[Node]:
    """The steps of a run, each after those that it waits for."""
    records = {step.name: step for step in run.steps}
    nodes = []
    for step in dag_of(run_facts(folder)):
        facts = step_facts(folder, step.name)
        nodes.append(
            Node(
                name=step.name,
                component=step.component,
                modality=step.modality,
                after=step.after,
                always_runs=step.always_runs,
                state=state_of(records.get(step.name), run.state),
                share=facts.share,
                started=facts.started,
                ended=facts.ended,
            )
        )
    return nodes


@router.get("/steps/{step}")
def show_step(run: Record, folder: Folder, step: Name) -> Step:
    """One step: its parameters, artifacts, timing, and from which run its results are."""
    record = next((each for each in run.steps if each.name == step), None)
    if record is None:
        raise NoSuchThingError(f"The run {run.id} has no step {step}, or it has not started.")
    details = step_details(folder, step)
    facts = details.facts
    return Step(
        name=step,
        state=record.state,
        text=record.text,
        queued=facts.queued,
        started=facts.started,
        ended=facts.ended,
        cached_from=details.maker if facts.cached else "",
        parameters=None if facts.parameters is None else dict(facts.parameters),
        inputs=details.inputs,
        outputs=details.outputs,
        figures=dict(facts.figures),
    )


@router.get(
    "/steps/{step}/artifacts/{output}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def download_artifact(
    folder: Folder, step: Name, output: Name, path: Annotated[str, Query(max_length=1000)] = ""
) -> Response:
    """A file of what a step made; ``path`` is within the artifact, where that is a folder."""
    return file_to_keep(folder, step, output, path)


@router.get("/curves")
def show_curves(folder: Folder) -> dict[Modality, Training]:
    """How the trainings of a run go, or went, by modality."""
    curves = curves_of(folder, run_facts(folder))
    return {
        name: Training(
            epochs=[dict(row) for row in curves.histories.get(name, ())],
            batch_losses=list(curves.within.get(name, ())),
        )
        for name in curves.names
    }
