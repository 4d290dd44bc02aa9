"""Whatever kills a training, the same command goes on, and the result is that of no kill at all."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from frhead_core.training.distributed import RENDEZVOUS

PROGRAM = Path(__file__).with_name("training_process.py")
BATCHES = 15  # 3 epochs of 40 samples in batches of 8


def program(store: Path, folder: Path, often: bool = False, processes: int = 1) -> list[str]:
    """The training with its arguments."""
    when = "often" if often else "rarely"
    arguments = (store, folder / "model", folder / "checkpoints", when, processes)
    return [str(PROGRAM), *map(str, arguments)]


def start(store: Path, folder: Path, often: bool, processes: int = 1) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", *program(store, folder, often, processes)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_to_end(store: Path, folder: Path, often: bool, processes: int = 1) -> list[str]:
    process = start(store, folder, often, processes)
    lines = process.communicate()[0].splitlines()
    assert process.returncode == 0, lines
    return lines


def interrupt(
    process: subprocess.Popen[str], batches: int, wait: float, number: int, rank: int | None = None
) -> list[str]:
    """Send a signal once so many batches were done, and a moment later.

    It goes to the process that was started, or to one of those that it has started by its rank.
    """
    lines: list[str] = []
    assert process.stdout is not None
    while lines.count("batch") < batches:
        line = process.stdout.readline()
        assert line, f"the process ended before batch {batches}: {lines}"
        lines.append(line.strip())
    time.sleep(wait)
    if rank is None:
        process.send_signal(number)
    else:
        os.kill(started_by(process)[rank], number)
    lines += process.communicate()[0].splitlines()
    return lines


def started_by(process: subprocess.Popen[str]) -> list[int]:
    """The training processes that a process has started, in the order of their ranks."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    is_one = {pid: b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return sorted(int(pid) for pid, yes in is_one.items() if yes)


def final_state(folder: Path) -> dict[str, Any]:
    (path,) = (folder / "checkpoints").glob("*/checkpoint.pt")
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


def assert_same_state(one: Any, other: Any, place: str = "") -> None:
    """Equal bit for bit, but for the times in the history."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one.keys() - {"seconds", "samples_per_second"}:
            assert_same_state(one[key], other[key], f"{place}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same_state(a, b, f"{place}/{number}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), place
    else:
        assert one == other, place


@pytest.fixture(scope="module")
def undisturbed(synthetic_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    run_to_end(synthetic_store, folder, often=False)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("often", [True, False], ids=["checkpoint each batch", "each epoch"])
@pytest.mark.parametrize("seed", [0, 1])
def test_kill_at_random_moments(
    synthetic_store: Path, tmp_path: Path, undisturbed: Path, often: bool, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(3 if often else 1):
        process = start(synthetic_store, tmp_path, often)
        # Beyond the fifth batch there is a checkpoint of a finished epoch.
        batches = chance.randint(1, 4) if often else chance.randint(6, 8)
        interrupt(process, batches, chance.uniform(0, 0.05), signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    lines = run_to_end(synthetic_store, tmp_path, often)
    assert lines.count("batch") < BATCHES, "it began anew instead of going on"
    assert_same_state(final_state(tmp_path), final_state(undisturbed))
    for name in ("last", "best_on_test"):
        weights = [(f / "model" / f"{name}.safetensors") for f in (tmp_path, undisturbed)]
        assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_signal_loses_no_batch(
    synthetic_store: Path, tmp_path: Path, undisturbed: Path, number: signal.Signals
) -> None:
    process = start(synthetic_store, tmp_path, often=False)
    first = interrupt(process, 7, 0.0, number)
    assert process.returncode != 0
    assert any("stopped on request" in line for line in first)
    second = run_to_end(synthetic_store, tmp_path, often=False)
    assert first.count("batch") + second.count("batch") == BATCHES
    assert_same_state(final_state(tmp_path), final_state(undisturbed))


def test_two_writers_never_share_a_checkpoint(
    synthetic_store: Path, tmp_path: Path, undisturbed: Path
) -> None:
    both = [start(synthetic_store, tmp_path, often=True) for _ in range(2)]
    outputs = [process.communicate()[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    counts = sorted(lines.count("batch") for lines in outputs)
    assert counts == [0, BATCHES], "one trains, the other waits and takes its result"
    waiting = outputs[0] if "batch" not in outputs[0] else outputs[1]
    assert any("another process is training this model" in line for line in waiting)
    assert_same_state(final_state(tmp_path), final_state(undisturbed))


def by_torchrun(store: Path, folder: Path) -> None:
    """Train in two processes that torchrun starts; they meet through files, not on the network."""
    folder.mkdir()
    command = ["--nproc-per-node", "2", "--rdzv-backend", "c10d"]
    command += ["--rdzv-conf", "store_type=file", "--rdzv-endpoint", str(folder / "agents")]
    subprocess.run(
        [Path(sys.executable).with_name("torchrun"), *command, *program(store, folder)],
        env=os.environ | {RENDEZVOUS: (folder / "rendezvous").as_uri()},
        check=True,
    )


def test_several_processes_end_together_and_go_on_together(
    synthetic_store: Path, tmp_path: Path
) -> None:
    by_torchrun(synthetic_store, tmp_path / "undisturbed")
    process = start(synthetic_store, tmp_path, often=True, processes=2)
    lines = interrupt(process, 3, 0.0, signal.SIGKILL, rank=1)
    assert process.returncode == 1
    ended = "LostProcessError: process 2 of 2 ended with SIGKILL, so all of them were ended"
    assert any(ended in line for line in lines)
    process = start(synthetic_store, tmp_path, often=False, processes=2)
    first = interrupt(process, 4, 0.0, signal.SIGTERM)
    assert process.returncode != 0
    assert any("stopped on request" in line for line in first)
    second = run_to_end(synthetic_store, tmp_path, often=False, processes=2)
    assert first.count("batch") + second.count("batch") <= BATCHES - 2
    state = final_state(tmp_path)
    assert state["processes"] == len(state["random"]) == 2
    # Dropout is different in the two processes, and each goes on with its own.
    assert not torch.equal(*state["random"])
    assert_same_state(state, final_state(tmp_path / "undisturbed"))
