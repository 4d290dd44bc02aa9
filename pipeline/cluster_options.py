# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""Options of the commands that speak to a cluster, or else to this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from frhead_core.errors import InputError
from pipeline import options

if TYPE_CHECKING:
    from pipeline.kubeflow_api import KubeflowApi
    from pipeline.profile import Kubeflow, Profile
    from pipeline.run_engine import RunEngine

_Command = TypeVar("_Command", bound=Callable[..., Any])

_API_OPTIONS = (
    click.option(
        "--profile",
        envvar="FRHEAD_PROFILE",
        show_envvar=True,
        type=options.FILE,
        help="The cluster: what the options below say, and what a run needs (docs/cluster.md).",
    ),
    click.option(
        "--endpoint",
        envvar="FRHEAD_KFP_ENDPOINT",
        show_envvar=True,
        metavar="URL",
        help="Of the Kubeflow Pipelines API, such as https://kubeflow.example.org/pipeline.",
    ),
    click.option(
        "--namespace",
        envvar="FRHEAD_KFP_NAMESPACE",
        show_envvar=True,
        default="",
        help="Of the runs, where several users share Kubeflow.",
    ),
    click.option(
        "--token-file",
        envvar="FRHEAD_KFP_TOKEN_FILE",
        show_envvar=True,
        type=options.FILE,
        help="Holds the token to log in with.",
    ),
    click.option(
        "--ca-file", type=options.FILE, help="Certificates to check the endpoint's against."
    ),
)


def api_options(command: _Command) -> _Command:
    """Where the API is, and how to log in."""
    for option in reversed(_API_OPTIONS):
        command = option(command)
    return command


def engine_options(command: _Command) -> _Command:
    """Where runs are: in a work directory of this machine, or at an endpoint."""
    return click.option(
        "--work-directory",
        type=options.FOLDER,
        default=Path("runs"),
        show_default=True,
        help="Of the runs of this machine; counts without --profile and --endpoint.",
    )(api_options(command))


def time_zone_option(command: _Command) -> _Command:
    """The time zone of a cluster's scheduler."""
    return click.option(
        "--time-zone",
        default="UTC",
        show_default=True,
        callback=lambda _context, _option, name: _zone(name),
        help="Of the cluster's scheduler, in which cron expressions hold.",
    )(command)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(f"{name!r} is none; like UTC or Europe/Berlin") from None


API_NAMES = ("profile", "endpoint", "namespace", "token_file", "ca_file")


def kubeflow_api(given: Mapping[str, Any]) -> KubeflowApi:
    """The API that the options name.

    Raises:
        InputError: If there is none, or it is no address.
    """
    from pipeline.kubeflow_api import Endpoint, KubeflowApi

    said = {_FIELDS[name]: given[name] for name in _FIELDS if given[name]}
    if "token_file" in said:
        said["token_variable"] = ""
    profile = given_profile(given)
    fields = ({} if profile is None else _fields_of(profile.kubeflow)) | said
    if "url" not in fields:
        raise InputError("no cluster is named", field="--profile or --endpoint")
    return KubeflowApi(Endpoint(**fields))


_FIELDS = {
    "endpoint": "url",
    "namespace": "namespace",
    "token_file": "token_file",
    "ca_file": "ca_file",
}


def _fields_of(kubeflow: Kubeflow) -> dict[str, Any]:
    """What a profile says of the API; the namespace counts only where runs have one."""
    login = kubeflow.login
    return {
        "url": kubeflow.endpoint,
        "namespace": kubeflow.namespace if kubeflow.multi_user else "",
        "token_file": login and login.token_file,
        "token_variable": (login and login.token_variable) or "",
        "ca_file": kubeflow.ca_certificate,
    }


def given_profile(given: Mapping[str, Any]) -> Profile | None:
    """The profile that the options name, if they do.

    Raises:
        RecipeError: If it is not valid.
    """
    from pipeline.profile import read_profile

    return read_profile(given["profile"]) if given["profile"] else None


def run_engine(given: Mapping[str, Any]) -> RunEngine:
    """The runs that the options name."""
    if given["endpoint"] or given["profile"]:
        from pipeline.kubeflow_runs import KubeflowRuns

        return KubeflowRuns(kubeflow_api(given))
    from pipeline.local_runs import LocalRuns

    return LocalRuns(given["work_directory"].resolve())


def apart(given: Mapping[str, Any], names: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of some options, and the rest."""
    return (
        {name: given[name] for name in names},
        {name: value for name, value in given.items() if name not in names},
    )
