"""What routes ask for: the runs, one run by its name, and a checked form."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from starlette.datastructures import FormData
from starlette.requests import Request

from pipeline.console.cluster import Cluster
from pipeline.console.failures import NoSuchThingError
from pipeline.console.security import checked_form
from pipeline.local_runs import LocalRuns
from pipeline.run_engine import RunRecord
from pipeline.run_folder import RunFolder

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"  # no separator, no parent folder
Name = Annotated[str, Path(pattern=NAME_PATTERN)]


def _runs(request: Request) -> LocalRuns:
    runs: LocalRuns = request.app.state.runs
    return runs


def _possible_cluster(request: Request) -> Cluster | None:
    cluster: Cluster | None = request.app.state.settings.cluster
    return cluster


PossibleCluster = Annotated[Cluster | None, Depends(_possible_cluster)]


def _named_cluster(cluster: PossibleCluster) -> Cluster:
    if cluster is None:
        raise NoSuchThingError(
            "This console shows no cluster: start it with --endpoint or --profile."
        )
    return cluster


NamedCluster = Annotated[Cluster, Depends(_named_cluster)]
Runs = Annotated[LocalRuns, Depends(_runs)]
CheckedForm = Annotated[FormData, Depends(checked_form)]


def run_folder(name: Name, runs: Runs) -> RunFolder:
    """The folder of a run.

    Raises:
        NoSuchThingError: If there is none of that name.
    """
    folder = RunFolder(runs.work_directory / name)
    if not folder.is_recorded:
        raise NoSuchThingError(f"There is no run {name}.")
    return folder


Folder = Annotated[RunFolder, Depends(run_folder)]


def _run_record(folder: Folder, runs: Runs) -> RunRecord:
    return runs.run(folder.name)


Record = Annotated[RunRecord, Depends(_run_record)]
