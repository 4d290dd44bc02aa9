"""One engine and one set of images for all container tests of a worker.

All of them are of one group, so that only one worker makes these.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import docker
import pytest

from pipeline.step_images import ALL_IMAGES
from tests.containers import engine


@pytest.fixture(scope="session")
def images() -> Iterator[dict[str, str]]:
    """Names of the images, built in an engine that ``DOCKER_HOST`` leads to."""
    with contextlib.ExitStack() as stack:
        own = not engine.answers()
        if own:
            engine.install_packages()
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setenv("DOCKER_HOST", stack.enter_context(engine.own_engine()))
        yield engine.build_images(tuple(ALL_IMAGES), own)


@pytest.fixture(scope="session")
def client(images: dict[str, str]) -> Iterator[docker.DockerClient]:
    """The engine with the images."""
    with contextlib.closing(docker.from_env(timeout=120)) as client:
        yield client
