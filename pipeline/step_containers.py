"""Steps as containers of a Docker engine on this machine.

kfp's own handler lets the engine remove a container when it ends, and then takes a container that
is gone for one that succeeded. Here a container is removed once its exit code is known. It sees the
places that it is given, under their own paths, and nothing else of this machine; it runs as the
user who started the program, has no network unless its step needs one, and ends with the program,
as processes do: it follows the lifeline in the run folder.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.containers import Container
from docker.types import DeviceRequest, Mount
from kfp import local

from components import lifeline
from components.runtime import RUN_DIRECTORY, STEP_DIRECTORY
from frhead_core.errors import InputError
from pipeline.step_processes import LOG_NAME, SECONDS_TO_END, with_python
from pipeline.step_runner import StepEnd, StepTask

RUN_LABEL = "frhead.run"
_SECONDS_TO_ANSWER = 120  # of the engine
_NVIDIA_DEVICE = Path("/dev/nvidiactl")
_NO_CONTAINER = 125  # what docker itself says then
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}  # as the kernel and as images call them


@dataclass(frozen=True)
class StepNeeds:
    """What the containers of a step get.

    Attributes:
        memory: The most that it may use, in bytes; None for all there is.
        cpus: How many cores it may use; None for all there are.
        shared_memory: Size of ``/dev/shm``, through which loading workers hand on batches, in
            bytes; what is used counts as memory.
        gpus: Whether it gets the GPUs of this machine, if there are any.
        network: Whether it may reach others, as this program may.
        variables: Names of environment variables that it gets from this program.
    """

    memory: int | None = None
    cpus: float | None = None
    shared_memory: int = 2**30
    gpus: bool = False
    network: bool = False
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepPlaces:
    """What the containers of a run see of this machine, under the same paths.

    Attributes:
        written: Folders that steps write to.
        read: Files and folders that they only read; what does not exist is left out, and the step
            says so.
    """

    written: Sequence[Path]
    read: Sequence[Path] = ()


def connect() -> docker.DockerClient:
    """The engine that ``DOCKER_HOST`` names, or the usual one.

    Raises:
        InputError: If none answers.
    """
    try:
        client = docker.from_env(timeout=_SECONDS_TO_ANSWER)
        client.ping()
    except (DockerException, OSError) as error:
        raise InputError(
            f"no container engine answers ({_cause(error)})",
            field="DOCKER_HOST",
            found=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock, as it is not set"),
            hint="Start docker, set DOCKER_HOST, or run without --engine docker",
        ) from error
    return client


def check_images(client: docker.DockerClient, images: Iterable[str], build_command: str) -> None:
    """See that the engine has the images, and for machines of its kind.

    Args:
        client: The engine.
        images: Their names.
        build_command: How a missing one is made.

    Raises:
        InputError: If one is missing or for other machines.
    """
    machine = client.info()["Architecture"]
    for image in images:
        _check_image(client, image, _MACHINES.get(machine, machine), build_command)


def _check_image(client: docker.DockerClient, image: str, machine: str, build: str) -> None:
    try:
        made_for = client.images.get(image).attrs["Architecture"]
    except ImageNotFound:
        raise InputError(
            "the engine has no such image", field="image", found=image, hint=f"Build it: {build}"
        ) from None
    if made_for != machine:
        raise InputError(
            f"the image {image} is for other machines",
            field="architecture",
            found=made_for,
            expected=machine,
            hint=f"Build it here: {build}",
        )


class StepContainers:
    """All step containers of a run.

    Args:
        client: The engine.
        run_directory: The run folder, whose lifeline this program holds.
        environment: Variables for every step.
        places: What steps see of this machine, the run folder apart.
        needs: What a step gets, by its name; without an entry what :class:`StepNeeds` says.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        run_directory: Path,
        environment: Mapping[str, str],
        places: StepPlaces,
        needs: Mapping[str, StepNeeds],
    ) -> None:
        self._client = client
        self._run_directory = run_directory
        self._environment = dict(environment)
        self._mounts = _mounts(places, run_directory)
        self._needs = needs
        self._identity = identity(client.info().get("SecurityOptions", []))
        self._running: set[Container] = set()
        self._lock = threading.Lock()
        self.stopping = False
        _remove_leftovers(client, run_directory.parent)

    def kfp_runner(self) -> local.DockerRunner:
        """The runner that kfp.local is set up with."""
        return local.DockerRunner()

    def run(self, task: StepTask) -> StepEnd:
        """Run one step to its end, its output going to the step's log."""
        try:
            container = self._start(task)
            if container is None:
                return StepEnd(-signal.SIGTERM)
            try:
                return self._follow(container, task)
            finally:
                with self._lock:
                    self._running.discard(container)
                container.remove(force=True, v=True)
        except (DockerException, OSError) as error:
            return StepEnd(_NO_CONTAINER, f"the container engine failed: {_cause(error)}")

    def stop(self) -> None:
        """End all steps, gently at first; at the second call at once. New ones do not start."""
        sign = signal.SIGKILL if self.stopping else signal.SIGTERM
        self.stopping = True
        # In threads: this is called from a signal handler, in the middle of anything.
        threading.Thread(target=self._signal_all, args=[sign], daemon=True).start()
        if sign == signal.SIGTERM:
            timer = threading.Timer(SECONDS_TO_END, self._signal_all, [signal.SIGKILL])
            timer.daemon = True
            timer.start()

    def _signal_all(self, sign: signal.Signals) -> None:
        with self._lock:
            running = list(self._running)
        for container in running:
            with contextlib.suppress(APIError):  # it has ended meanwhile
                container.kill(sign.name)

    def _start(self, task: StepTask) -> Container | None:
        container = self._client.containers.create(**self._description(task))
        with self._lock:
            if self.stopping:
                container.remove(force=True)
                return None
            try:
                container.start()
            except APIError:
                container.remove(force=True)
                raise
            self._running.add(container)
        return container

    def _follow(self, container: Container, task: StepTask) -> StepEnd:
        with (task.directory / LOG_NAME).open("ab", buffering=0) as log:
            for output in container.logs(stream=True, follow=True):
                log.write(output)
        code = container.wait(timeout=None)["StatusCode"]
        container.reload()
        if container.attrs["State"]["OOMKilled"]:
            limit = self._needs.get(task.name, StepNeeds()).memory
            return StepEnd(code or 1, _out_of_memory(limit), expected=True)
        # A process that a signal ended is, in a container, one with that number above 128.
        return StepEnd(128 - code if 128 < code <= 128 + signal.NSIG else code)

    def _description(self, task: StepTask) -> dict[str, Any]:
        """Arguments of the engine's "create"."""
        needs = self._needs.get(task.name, StepNeeds())
        gpus = needs.gpus and _NVIDIA_DEVICE.exists()
        limits = {"mem_limit": needs.memory, "memswap_limit": needs.memory} if needs.memory else {}
        return {
            "image": task.image,
            "command": with_python(task.command, "python3"),
            "environment": self._variables(task, needs),
            "labels": {RUN_LABEL: str(self._run_directory)},
            "mounts": self._mounts,
            "network_mode": "host" if needs.network else "none",
            "device_requests": [DeviceRequest(count=-1, capabilities=[["gpu"]])] if gpus else None,
            "nano_cpus": None if needs.cpus is None else round(needs.cpus * 1e9),
            "shm_size": needs.shared_memory,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges", "label=disable"],
            "init": True,  # signals reach a process that is not the first one, as they do outside
            **limits,
            **self._identity,
        }

    def _variables(self, task: StepTask, needs: StepNeeds) -> dict[str, str]:
        given = {name: os.environ[name] for name in needs.variables if name in os.environ}
        return (
            self._environment
            | given
            | dict(task.variables)
            | {
                "HOME": "/tmp",  # the user has no other in the image
                RUN_DIRECTORY: str(self._run_directory),
                STEP_DIRECTORY: str(task.directory),
            }
        )


def identity(security_options: Sequence[str]) -> dict[str, Any]:
    """As whom containers run, so that what they write belongs to the user of this program.

    Args:
        security_options: What the engine says of itself: in a rootless one the user is root, and
            one that maps users is asked not to.
    """
    names = {option.partition("name=")[2].partition(",")[0] for option in security_options}
    if "rootless" in names:
        return {"user": "0:0"}
    groups = [str(group) for group in os.getgroups()]
    who = {"user": f"{os.getuid()}:{os.getgid()}", "group_add": groups}
    return who | ({"userns_mode": "host"} if "userns" in names else {})


def _mounts(places: StepPlaces, run_directory: Path) -> list[Mount]:
    written = {path.resolve(): False for path in (run_directory, *places.written)}
    read = {path.resolve(): True for path in places.read if path.exists()}
    return [
        Mount(target=str(path), source=str(path), type="bind", read_only=read_only)
        for path, read_only in (read | written).items()
    ]


def _remove_leftovers(client: docker.DockerClient, work_directory: Path) -> None:
    """Remove the ended containers of killed runs in this work directory."""
    for container in client.containers.list(all=True, filters={"label": RUN_LABEL}):
        run_directory = Path(container.labels[RUN_LABEL])
        if run_directory.parent == work_directory and lifeline.holder(run_directory) is None:
            with contextlib.suppress(APIError):  # another run does the same
                container.remove(force=True, v=True)


def _out_of_memory(limit: int | None) -> str:
    if limit is None:
        return "the step ran out of memory"
    used = f"the step used more than its {limit / 2**30:.3g} GiB of memory"
    return f"{used}. Give more: --memory, or the profile"


def _cause(error: Exception) -> str:
    if isinstance(error, APIError) and error.explanation:
        return str(error.explanation).strip()
    return str(error).strip()
