"""A training whose machine is lost goes on elsewhere, and ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from components.object_storage.client import ObjectStore
from components.object_storage.location import Location
from tests.frhead_core.training import training_process

pytestmark = [pytest.mark.s3, pytest.mark.slow]

BATCHES_OF_EPOCH = 5
BATCHES = 15


def start(store: Path, folder: Path, root: object, pause: float = 0.0) -> subprocess.Popen[str]:
    """A training that saves its state after every batch."""
    program = [sys.executable, "-u", training_process.__file__]
    return subprocess.Popen(
        [*program, *map(str, (store, folder / "model", root, "often", 1))],
        env=os.environ | {"PAUSE": str(pause)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def lines_of(process: subprocess.Popen[str]) -> list[str]:
    return process.communicate(timeout=120)[0].splitlines()


def begin(lines: list[str]) -> int:
    """How many batches were done when a training went on."""
    (told,) = [line for line in lines if line.startswith("going on from the checkpoint")]
    numbers = re.search(r"epoch (\d+), batch (\d+)", told)
    assert numbers is not None
    return (int(numbers[1]) - 1) * BATCHES_OF_EPOCH + int(numbers[2]) - 1


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_killed_then_stopped_each_time_on_another_machine(
    synthetic_store: Path, bucket: Location, store: ObjectStore, tmp_path: Path
) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    lines = lines_of(start(synthetic_store, undisturbed, undisturbed / "checkpoints"))
    assert lines.count("batch") == BATCHES, lines
    root = bucket / "checkpoints"

    def manifests() -> list[str]:
        names = [each.location.name for each in store.objects(root)]
        return [name for name in names if name.startswith("manifest")]

    seed = random.randrange(2**32)
    print(f"a random moment of seed {seed}")  # pytest shows it when this fails

    # The machine is lost with all that is on it.
    process = start(synthetic_store, disturbed, root, pause=0.5)
    wait_until(lambda: len(manifests()) > 0, process)
    time.sleep(random.Random(seed).uniform(0, 1.5))
    process.kill()
    killed = lines_of(process)
    assert 0 < killed.count("batch") < BATCHES
    shutil.rmtree(disturbed)

    # The next one is asked to stop, and waits until its last state is kept.
    process = start(synthetic_store, disturbed, root, pause=0.2)
    wait_until(lambda: any(name.startswith("manifest-000002") for name in manifests()), process)
    process.send_signal(signal.SIGTERM)
    stopped = lines_of(process)
    assert any("taking over" in line for line in stopped)
    assert any("fetching the checkpoint" in line for line in stopped)
    assert any("stopped on request" in line for line in stopped)
    assert 0 < begin(stopped) <= killed.count("batch")
    shutil.rmtree(disturbed)

    last = lines_of(start(synthetic_store, disturbed, root))
    assert begin(last) == begin(stopped) + stopped.count("batch")
    assert begin(last) + last.count("batch") == BATCHES, last
    for name in ("last", "best_on_test"):
        weights = [(each / "model" / f"{name}.safetensors") for each in (disturbed, undisturbed)]
        assert weights[0].read_bytes() == weights[1].read_bytes()
    events = list((disturbed / "mirrors").glob("*/*/tensorboard/*"))
    assert events
