"""What the containers of ``frhead run --engine docker`` are made from and what they get."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components import runtime
from components.images import DATA_IMAGE, TRAINER_IMAGE
from components.object_storage.connection import (
    ACCESS_KEY,
    ENDPOINT,
    REGION,
    SECRET_DIRECTORY,
    SECRET_KEY,
    SESSION_TOKEN,
)
from frhead_core.errors import InputError
from frhead_core.files import has_scheme
from pipeline.code_version import package_root
from pipeline.run_folder import COMPILED, RunFolder
from pipeline.step_containers import (
    StepContainers,
    StepNeeds,
    StepPlaces,
    check_images,
    connect,
)
from pipeline.step_images import IMAGES, image_name, is_checkout
from pipeline.step_limits import StepLimits

BUILD_COMMAND = "python images/build.py data trainer"
_DECLARED = {"data": DATA_IMAGE, "trainer": TRAINER_IMAGE}
_ON_GPUS = ("train_modality", "evaluate_modality", "promote_model")
_FILES = (SECRET_DIRECTORY, "SSL_CERT_FILE")
VARIABLES = (*_FILES, *ENDPOINT, *REGION, *ACCESS_KEY, *SECRET_KEY, *SESSION_TOKEN)


def chosen_images(given: Mapping[str, str]) -> dict[str, str]:
    """The images to run in, by the names that the components declare.

    Args:
        given: Names by what the images are for; the others are named by this program's sources.

    Raises:
        InputError: If no engine answers, or it does not have one of them.
    """
    root = package_root()
    missing = [name for name in IMAGES if name not in given]
    if missing and not is_checkout(root):
        raise InputError(
            "images are named by a checkout, and this is an installed package",
            field="--image",
            found=", ".join(f"{name}={image}" for name, image in given.items()) or "none",
            expected=", ".join(f"{name}=NAME" for name in missing),
        )
    names = {name: image_name(IMAGES[name], root) for name in missing} | dict(given)
    with contextlib.closing(connect()) as client:
        check_images(client, names.values(), BUILD_COMMAND)
    return {_DECLARED[name]: image for name, image in names.items()}


@dataclass(frozen=True)
class RunPlaces:
    """What a run reads and writes beside its work directory: paths, or addresses like ``s3://``.

    Attributes:
        raw: Raw data.
        weights: Models that are given instead of trained.
        checkpoints: Where steps keep what they have done so far.
        champions: Where champions lie; empty for no comparison.
    """

    raw: tuple[str, ...]
    weights: tuple[str, ...]
    checkpoints: str
    champions: str = ""

    def reached_over_network(self) -> set[str]:
        """The steps that read or write something that is not on this machine."""
        uses = {
            ("fingerprint_data", "extract_raw_skeletons"): self.raw,
            ("train_modality",): (*self.weights, self.checkpoints),
            ("promote_model",): (self.champions,),
        }
        return {
            step for steps, places in uses.items() if any(map(has_scheme, places)) for step in steps
        }


def step_needs(
    places: RunPlaces, memory: int | None, limits: Mapping[str, StepLimits]
) -> dict[str, StepNeeds]:
    """What each step gets.

    Args:
        places: What the run reads and writes.
        memory: The most that any of them may use, in bytes; None for what its limits say.
        limits: Limits by step; one without may use all there is.
    """
    connected = places.reached_over_network()
    own = {
        step: limits.get(step, StepLimits()) for image in IMAGES.values() for step in image.steps
    }
    return {
        step: StepNeeds(
            memory=memory or limit.memory,
            cpus=None if limit.cpus is None else min(limit.cpus, os.cpu_count() or 1),
            shared_memory=limit.shared_memory or StepNeeds.shared_memory,
            gpus=step in _ON_GPUS,
            network=step in connected,
            variables=VARIABLES if step in connected else (),
        )
        for step, limit in own.items()
    }


def step_containers(
    folder: RunFolder,
    environment: Mapping[str, str],
    places: RunPlaces,
    memory: int | None,
    limits: Mapping[str, StepLimits],
) -> StepContainers:
    """What runs the steps of a run in containers.

    Args:
        folder: The run folder.
        environment: Variables for every step.
        places: What the run reads and writes.
        memory: The most that any of them may use, in bytes; None for what its limits say.
        limits: Limits by step; one without may use all there is.

    Raises:
        InputError: If no engine answers.
    """
    compiled = folder.cache / COMPILED  # functions that one step compiled and the next one needs
    mirrors = environment.get(runtime.CHECKPOINT_MIRRORS, "")
    written = [folder.artifacts, compiled, *_local(places.checkpoints, mirrors, places.champions)]
    for place in written:
        place.mkdir(parents=True, exist_ok=True)
    connected = places.reached_over_network()
    files = [os.environ.get(name, "") for name in _FILES if connected]
    return StepContainers(
        connect(),
        folder.path,
        {**environment, "NUMBA_CACHE_DIR": str(compiled)},
        StepPlaces(written, _local(*places.raw, *places.weights, *files)),
        step_needs(places, memory, limits),
    )


def _local(*places: str) -> list[Path]:
    return [Path(place) for place in places if place and not has_scheme(place)]
