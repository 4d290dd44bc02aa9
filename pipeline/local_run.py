"""``frhead run`` on this machine: a run folder, the engine, the display, and the results."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from components import runtime
from components.object_storage.client import ObjectStore
from components.object_storage.location import Location, is_uri
from frhead_core.config import (
    Modality,
    Recipe,
    check_modality,
    recipe_from_json,
    recipe_to_json,
)
from frhead_core.data.raw_files import raw_data, raw_places
from frhead_core.errors import FRHeadError, InputError
from frhead_core.files import has_scheme
from pipeline import work_lock
from pipeline.arguments import GivenModel, pipeline_arguments
from pipeline.container_run import RunPlaces, chosen_images, step_containers
from pipeline.dag import build_pipeline
from pipeline.display import progress_of
from pipeline.given_models import given_models
from pipeline.local_engine import LocalEngine
from pipeline.pipeline_root import NotStoredError, PipelineRoot, usable_root
from pipeline.profile import read_profile
from pipeline.raw_data import absolute
from pipeline.results import PROMOTING, REPORTING, collect_results, read_accuracies
from pipeline.run_folder import MIRRORS, RunFolder, recorded_now
from pipeline.run_starter import started_by
from pipeline.step_images import rename_images
from pipeline.step_limits import StepLimits, limits_of
from pipeline.step_processes import StepProcesses
from pipeline.step_runner import StepRunner


class StepError(FRHeadError):
    """A step ended before its time.

    Args:
        text: What happened.
        step: Name of the step, where it is known.
    """

    def __init__(self, text: str, step: str = "") -> None:
        self.step = step
        super().__init__(text)


class StepInputError(StepError):
    """A step stopped because something it was given is wrong; the message is the step's own."""


class StepCrashedError(StepError):
    """A step ended in a way that is no fault of its input; its log has the traceback."""

    exit_code = 1


_HOW = (
    "output",
    "checkpoint_root",
    "parallel_modalities",
    "processes",
    "threads",
    "accept_different_threads",
    "accept_different_processes",
    "engine",
    "memory",
    "images",
    "profile",
    "pipeline_root",
)
"""Fields of a LocalRun that its run.json says under ``how``."""


@dataclass(frozen=True)
class LocalRun:
    """What to run, and how.

    Attributes:
        recipe: The benchmark's settings.
        modalities: Which to train.
        raw: Raw data; several places with commas between them.
        work_directory: Where runs, artifacts, cache and checkpoints lie.
        output: Where the results go; None for a folder in the run's.
        checkpoint_root: Where checkpoints go, a path or URI; None for the work directory.
        parallel_modalities: How many are trained at the same time.
        processes: How many train a model together.
        threads: Of each of them; None for the cores divided by how many there are at a time.
        accept_different_threads: Go on from checkpoints of another number of threads.
        accept_different_processes: Go on from checkpoints of another number of processes.
        given: Models that are evaluated instead of training these modalities.
        champions: Where champions lie; empty to compare with none.
        engine: What steps run as: processes, or containers of a Docker engine on this machine.
        memory: The most that a container may use, in bytes; None for what its limits say.
        profile: Cluster profile with the limits of the containers; None for all there is.
        images: Images to run in, "data" and "trainer"; the others are those of these sources.
        pipeline_root: Where in object storage results of steps are shared; empty for nowhere.
    """

    recipe: Recipe
    modalities: Sequence[Modality]
    raw: Path | str
    work_directory: Path
    output: Path | None = None
    checkpoint_root: Path | str | None = None
    parallel_modalities: int = 1
    processes: int = 1
    threads: int | None = None
    accept_different_threads: bool = False
    accept_different_processes: bool = False
    given: Mapping[Modality, GivenModel] = field(default_factory=dict)
    champions: str = ""
    engine: Literal["process", "docker"] = "process"
    memory: int | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    pipeline_root: str = ""
    profile: Path | None = None

    def __post_init__(self) -> None:
        if self.profile is not None and self.engine == "process":
            raise InputError(
                "limits are for containers", field="--profile", hint="Give --engine docker as well"
            )
        _ = self.limits  # which reads the profile before anything else is done

    @cached_property
    def limits(self) -> Mapping[str, StepLimits]:
        """Limits of the containers of a step, by its name.

        Raises:
            RecipeError: If the profile is not valid.
        """
        return {} if self.profile is None else limits_of(read_profile(self.profile))


def run_locally(run: LocalRun, name: str = "") -> Path:
    """Run the whole pipeline; what an earlier run has made is used again.

    Args:
        run: What to run, and how.
        name: Of the run and its folder; empty for date, time and benchmark.

    Returns:
        The folder with the results.

    Raises:
        StepInputError: If a step refused its input.
        StepCrashedError: If a step failed otherwise.
        InputError: If there is nothing to run containers with, or in, a run of that name, or the
            object storage for checkpoints or the pipeline root cannot be used.
        NotStoredError: If the pipeline root failed meanwhile; the results are whole.
        KeyboardInterrupt: If the run was asked to stop.
    """
    images, root = _images(run), usable_root(run.pipeline_root)
    if is_uri(run.checkpoint_root or ""):
        ObjectStore().check(Location.parse(str(run.checkpoint_root)))
    folder = RunFolder.create(run.work_directory.resolve(), run.recipe.name, name)
    with work_lock.shared(folder.path.parent):
        return _run_in(folder, run, images, root)


def _run_in(
    folder: RunFolder, run: LocalRun, images: Mapping[str, str], root: PipelineRoot | None
) -> Path:
    print(f"run {folder.name} in {folder.path}\n{_summary(run)}", flush=True)
    arguments = pipeline_arguments(run.recipe, run.modalities, run.given)
    engine = LocalEngine(folder, _step_runner(run, folder), root)
    facts = _facts(run)
    promotion = bool(run.champions)
    pipeline = build_pipeline(arguments, run.parallel_modalities, promotion=promotion)
    rename_images(pipeline, images)
    begin = time.monotonic()
    folder.record(facts | {"status": "running"})  # and the lifeline is held from now on
    status, accuracies = "failed", {}
    try:
        with progress_of(folder.steps, sys.stdout):
            places = {"raw": str(absolute(run.raw)), "champions": run.champions}
            engine.run(pipeline, places)
        _raise_unless_complete(engine, folder, PROMOTING if promotion else REPORTING)
        results = collect_results(engine.outcomes, run.output or folder.results)
        accuracies = read_accuracies(engine.outcomes)
        if engine.not_stored is not None:
            facts |= {"error": f"not all is in {root}: {engine.not_stored}"}
            raise NotStoredError(
                f"{engine.not_stored}\nThe results are whole, in {results}, but not all that the "
                f"steps made is in {root}; the same command sends the rest"
            )
        status = "done"
    finally:
        folder.record(
            facts
            | {
                "status": "stopped" if engine.stopped else status,
                "seconds": round(time.monotonic() - begin, 3),
                "accuracies": accuracies,
                "steps": [dataclasses.asdict(each) for each in engine.outcomes.values()],
            }
        )
    return results


def _images(run: LocalRun) -> dict[str, str]:
    """The images of the steps by the names that components declare; none for processes."""
    if run.engine == "process":
        return {}
    return chosen_images(run.images)


def _step_runner(run: LocalRun, folder: RunFolder) -> StepRunner:
    environment = _environment(run, folder)
    if run.engine == "process":
        return StepProcesses(folder.path, environment)
    places = RunPlaces(
        raw=tuple(map(str, raw_places(absolute(run.raw)))),
        weights=tuple(model.directory for model in run.given.values()),
        checkpoints=environment[runtime.CHECKPOINT_ROOT],
        champions=run.champions,
    )
    return step_containers(folder, environment, places, run.memory, run.limits)


def _summary(run: LocalRun) -> str:
    """What is about to happen, in one line."""
    several = f"{run.processes} processes of " if run.processes > 1 else ""
    training = run.recipe.training
    trained = [name for name in run.modalities if name not in run.given]
    epochs = ", ".join(f"{name} {getattr(training.epochs, name)}" for name in trained)
    parts = [f"given, not trained: {', '.join(run.given)}"] if run.given else []
    if trained:
        parts.append(f"{run.recipe.model.backbone}, epochs: {epochs}")
        parts.append(f"{training.precision}, seed {training.seed}")
    parts.append(f"{several}{threads_of(run)} threads for each modality")
    return f"{run.recipe.title or run.recipe.name}: {'; '.join(parts)}"


def _facts(run: LocalRun) -> dict[str, Any]:
    return {
        "benchmark": run.recipe.name,
        "started_by": started_by(),
        "started": recorded_now(),
        "raw": str(absolute(run.raw)),
        "champions": run.champions,
        "modalities": list(run.modalities),
        "given": {
            name: {"directory": model.directory, "digest": model.digest}
            for name, model in run.given.items()
        },
        "recipe": recipe_to_json(run.recipe),
        "how": {name: _plain(getattr(run, name)) for name in _HOW},
    }


def local_run_of(facts: Mapping[str, Any], work_directory: Path) -> LocalRun:
    """The same run again, from what ``run.json`` says of it.

    Raises:
        InputError: If it says too little, or a given model is not there any more.
    """
    try:
        recipe = recipe_from_json(facts["recipe"])
        modalities = [check_modality(name) for name in facts["modalities"]]
        places = {
            check_modality(name): str(model["directory"]) for name, model in facts["given"].items()
        }
        how = {name: facts["how"][name] for name in _HOW}
        raw, champions = raw_data(facts["raw"]), facts["champions"]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"says too little of the run ({error})", file="run.json", hint="Start it anew"
        ) from error
    for name in ("output", "checkpoint_root"):
        how[name] = None if how[name] is None else raw_data(how[name])
    how["profile"] = None if how["profile"] is None else Path(how["profile"])
    return LocalRun(
        recipe=recipe,
        modalities=modalities,
        raw=raw,
        work_directory=work_directory,
        given=given_models(places, recipe, modalities) if places else {},
        champions=champions,
        **how,
    )


def _plain(value: Any) -> Any:
    return str(value.resolve()) if isinstance(value, Path) else value


def _environment(run: LocalRun, folder: RunFolder) -> dict[str, str]:
    """What the steps are told but their results do not depend on."""
    threads, root = threads_of(run), run.checkpoint_root or folder.checkpoints
    mirrors = {runtime.CHECKPOINT_MIRRORS: str(folder.checkpoints / MIRRORS)}
    return (mirrors if has_scheme(root) else {}) | {
        runtime.CHECKPOINT_ROOT: str(root.resolve() if isinstance(root, Path) else root),
        runtime.PROCESSES: str(run.processes),
        runtime.THREADS: str(threads),
        runtime.ACCEPT_DIFFERENT_THREADS: "1" if run.accept_different_threads else "0",
        runtime.ACCEPT_DIFFERENT_PROCESSES: "1" if run.accept_different_processes else "0",
        "OMP_NUM_THREADS": str(run.processes * threads),  # of the steps that are one process
    }


def threads_of(run: LocalRun) -> int:
    """CPU threads of each training process of a run."""
    if run.threads:
        return run.threads
    trainers = min(run.parallel_modalities, len(run.modalities))
    share = threads_each(run.processes * trainers)
    # Libraries would start as many threads as the machine has cores, whatever the limit is.
    limit = run.limits.get("train_modality", StepLimits()).cpus
    return share if limit is None else max(1, min(share, int(limit) // run.processes))


def threads_each(trainers: int) -> int:
    """Cores for each of several trainers: sharing all of them is several times slower."""
    cores = len(os.sched_getaffinity(0))
    # OMP_NUM_THREADS may list a number for each level of nesting; the first is the outermost.
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    allowed = int(asked) if asked.isdecimal() else cores
    return max(1, min(cores // trainers, allowed))


def _raise_unless_complete(engine: LocalEngine, folder: RunFolder, last_step: str) -> None:
    if engine.stopped:
        raise KeyboardInterrupt
    failure = engine.failure
    if failure is not None:
        text = f"{failure.name}: {failure.error}"
        if failure.expected:
            raise StepInputError(text, failure.name)
        log = folder.step(failure.name) / "log.txt"
        raise StepCrashedError(f"{text}\nlog: {log}", failure.name)
    if last_step not in engine.outcomes:
        raise StepCrashedError(f"the pipeline ended early; {folder.path / 'kfp.log'} says more")
