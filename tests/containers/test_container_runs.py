"""``frhead run --engine docker``: the whole pipeline in the step images, killed and resumed."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from components.object_storage.client import ObjectStore
from components.object_storage.location import Location
from components.object_storage.transfer import upload_file
from pipeline.step_containers import RUN_LABEL
from tests.s3_fixtures import SECRET_KEY

pytestmark = [pytest.mark.docker, pytest.mark.slow]

EPOCHS = 12
SETTINGS = (
    f"training.epochs.joint={EPOCHS}",
    "training.epochs.bone=1",
    "model.base_channels=8",
    "loader.window=16",
    "loader.repeat=1",
    "training.batch_size=8",
)
PREPARATION = {"extract_raw_skeletons", "denoise_skeletons", "transform_sequences"}

Start = Callable[..., subprocess.Popen[str]]


def start_run(raw: Path | str, work_directory: Path, *arguments: str) -> subprocess.Popen[str]:
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    command = ["run", "demo-nw-ucla", "--raw", str(raw), "--work-directory", str(work_directory)]
    program = "from pipeline.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *command, "--engine", "docker", *settings, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def start(images: dict[str, str], synthetic_zip: Path) -> Iterator[Start]:
    """Starts runs; what is still running at the end is killed."""
    processes = []

    def run(
        work_directory: Path, *arguments: str, raw: Path | str = synthetic_zip
    ) -> subprocess.Popen[str]:
        processes.append(start_run(raw, work_directory, *arguments))
        return processes[-1]

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def undisturbed(
    images: dict[str, str], synthetic_zip: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The record of a run of two modalities that nothing disturbed."""
    work_directory = tmp_path_factory.mktemp("undisturbed") / "runs"
    run = start_run(synthetic_zip, work_directory, "--modalities", "joint,bone", "--memory", "4Gi")
    output, error = run.communicate(timeout=300)
    assert run.returncode == 0, output + error
    return last_run(work_directory)


def last_run(work_directory: Path) -> dict[str, Any]:
    newest = max(work_directory.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(newest.read_text()) | {"folder": newest.parent}


def statuses(run: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in run["steps"]}


def weights(run: dict[str, Any]) -> bytes:
    return bytes((run["folder"] / "results/models/joint/last.safetensors").read_bytes())


def containers(client: docker.DockerClient, work_directory: Path) -> list[Any]:
    found = client.containers.list(all=True, filters={"label": RUN_LABEL})
    return [each for each in found if Path(each.labels[RUN_LABEL]).parent == work_directory]


def wait_until(condition: Callable[[], bool], seconds: float = 90) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_the_whole_pipeline_runs_in_its_images(
    undisturbed: dict[str, Any], client: docker.DockerClient
) -> None:
    steps = statuses(undisturbed)
    modality_steps = {
        f"{step}_modality-{name}" for step in ("train", "evaluate") for name in ("joint", "bone")
    }
    assert set(steps) == {"fingerprint_data", "ensemble_modalities"} | PREPARATION | modality_steps
    assert set(steps.values()) == {"done"}
    results = undisturbed["folder"] / "results"
    assert (results / "report.html").stat().st_size > 10_000
    logs = results.parent / "steps"
    assert f"epoch {EPOCHS}/{EPOCHS}" in (logs / "train_modality-joint/log.txt").read_text()
    assert all((logs / name / "events.jsonl").exists() for name in steps)
    work_directory = undisturbed["folder"].parent
    assert {path.stat().st_uid for path in work_directory.rglob("*")} == {os.getuid()}
    assert containers(client, work_directory) == []


def test_a_second_run_starts_one_container(undisturbed: dict[str, Any], start: Start) -> None:
    work_directory = undisturbed["folder"].parent
    again = start(work_directory, "--modalities", "joint,bone")
    output, error = again.communicate(timeout=120)

    assert again.returncode == 0, output + error
    steps = statuses(last_run(work_directory))
    done = {name for name, status in steps.items() if status != "cached"}
    assert done == {"fingerprint_data"}


@pytest.mark.s3
def test_another_work_directory_fetches_everything_from_the_pipeline_root(
    undisturbed: dict[str, Any], start: Start, bucket: Location, tmp_path: Path
) -> None:
    machines = (undisturbed["folder"].parent, tmp_path / "runs")
    for work_directory in machines:
        arguments = ("--modalities", "joint,bone", "--pipeline-root", f"{bucket}/root")
        _, error = start(work_directory, *arguments).communicate(timeout=120)
        assert error == ""
        steps = statuses(last_run(work_directory))
        assert {name for name, status in steps.items() if status != "cached"} == {
            "fingerprint_data"
        }
    assert weights(last_run(machines[1])) == weights(undisturbed)


def test_an_error_that_the_user_can_mend_comes_through(
    start: Start, tmp_path: Path, synthetic_zip: Path
) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(synthetic_zip.read_bytes()[:-200])

    process = start(tmp_path / "runs", "--raw", str(cut))
    _, error = process.communicate(timeout=120)

    assert process.returncode == 2
    assert error.startswith("error: fingerprint_data: ")
    assert str(cut) in error
    assert len(error.splitlines()) == 1


def test_a_missing_image_is_told_before_anything_is_done(start: Start, tmp_path: Path) -> None:
    process = start(tmp_path / "runs", "--image", "data=frhead-pipeline/data:none")
    output, error = process.communicate(timeout=60)

    assert process.returncode == 2
    assert error == (
        "error: image: the engine has no such image; found frhead-pipeline/data:none. "
        "Build it: python images/build.py data trainer\n"
    )
    assert output == ""
    assert not (tmp_path / "runs").exists()


class Trainer:
    """A run of one modality that is started again and again, and disturbed while it trains."""

    def __init__(
        self, client: docker.DockerClient, start: Start, work_directory: Path, chance: random.Random
    ) -> None:
        self.client, self.work_directory, self.chance = client, work_directory, chance
        self._start = start

    def start(self) -> subprocess.Popen[str]:
        return self._start(self.work_directory, "--modalities", "joint")

    def in_training(self) -> tuple[subprocess.Popen[str], Any]:
        """A run at a random moment of its training, and its container."""
        before = self.epochs_done()
        run = self.start()
        assert wait_until(lambda: self.epochs_done() > before)
        time.sleep(self.chance.random())
        (container,) = containers(self.client, self.work_directory)
        return run, container

    def epochs_done(self) -> int:
        files = self.work_directory.glob("*/steps/train_modality-joint/events.jsonl")
        return sum(len(re.findall(r'"text": "epoch \d+', file.read_text())) for file in files)


def test_training_that_was_killed_in_three_ways_ends_in_the_weights_of_an_undisturbed_one(
    undisturbed: dict[str, Any], client: docker.DockerClient, start: Start, tmp_path: Path
) -> None:
    seed = random.randrange(2**32)
    print(f"random moments of seed {seed}")  # pytest shows it when this fails
    trainer = Trainer(client, start, tmp_path / "runs", random.Random(seed))

    # The container is killed, as by a node that runs out of memory: the run says so and ends.
    run, container = trainer.in_training()
    container.kill()
    _, error = run.communicate(timeout=60)
    assert run.returncode == 1, error
    assert "train_modality-joint: the step was ended by signal SIGKILL" in error
    assert containers(client, trainer.work_directory) == []

    # The program is killed: nobody is there to end the container, so it ends itself.
    run, container = trainer.in_training()
    run.kill()
    run.communicate()
    assert container.wait(timeout=20)["StatusCode"] == 128 + signal.SIGKILL

    # The program is asked to stop: it asks the container, which is gone when the program is. And
    # what the killed program left was removed when this one started.
    run, _ = trainer.in_training()
    run.send_signal(signal.SIGTERM)
    _, error = run.communicate(timeout=60)
    assert run.returncode == 130, error
    assert containers(client, trainer.work_directory) == []

    assert 3 <= trainer.epochs_done() < EPOCHS
    run = trainer.start()
    output, error = run.communicate(timeout=180)
    assert run.returncode == 0, output + error
    last = last_run(trainer.work_directory)
    steps = statuses(last)
    assert {steps[name] for name in PREPARATION} == {"cached"}
    log = last["folder"] / "steps/train_modality-joint/log.txt"
    assert "going on from the checkpoint: epoch" in log.read_text()
    assert weights(last) == weights(undisturbed)


@pytest.mark.s3
def test_a_training_whose_machine_is_lost_goes_on_elsewhere_from_object_storage(
    undisturbed: dict[str, Any],
    client: docker.DockerClient,
    start: Start,
    bucket: Location,
    store: ObjectStore,
    synthetic_zip: Path,
    tmp_path: Path,
) -> None:
    upload_file(synthetic_zip, bucket / "raw.zip", store)

    def begin(machine: str) -> subprocess.Popen[str]:
        root = str(bucket / "checkpoints")
        options = ("--modalities", "joint", "--checkpoint-root", root)
        return start(tmp_path / machine, *options, raw=str(bucket / "raw.zip"))

    run = begin("first")
    assert wait_until(
        lambda: (
            any("manifest-" in each.location.name for each in store.objects(bucket))
            or run.poll() is not None
        ),
        seconds=300,
    )
    assert run.poll() is None, run.communicate()
    (container,) = containers(client, tmp_path / "first")
    container.kill()
    _, error = run.communicate(timeout=60)
    assert run.returncode == 1, error

    run = begin("second")  # with nothing of the first one's disk
    output, error = run.communicate(timeout=300)
    assert run.returncode == 0, output + error
    last = last_run(tmp_path / "second")
    log = (last["folder"] / "steps/train_modality-joint/log.txt").read_text()
    assert f"fetching the checkpoint {bucket}/checkpoints/" in log
    assert "going on from the checkpoint: epoch" in log
    assert weights(last) == weights(undisturbed)
    written = [*tmp_path.rglob("*.txt"), *tmp_path.rglob("*.json*"), *tmp_path.rglob("*.log")]
    assert not any(SECRET_KEY in path.read_text() for path in written if path.is_file())
