from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components import lifeline, runtime
from frhead_core.errors import InputError


def events_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def run_body(tmp_path: Path, body: str) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that runs ``body`` inside a step, in a process group of its own."""
    step = tmp_path / "steps" / "one"
    step.mkdir(parents=True)
    variables = {runtime.RUN_DIRECTORY: str(tmp_path), runtime.STEP_DIRECTORY: str(step)}
    program = f"from components.runtime import step\nwith step() as reporter:\n    {body}\n"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return process, step


@pytest.mark.parametrize(
    ("body", "exit_code", "names"),
    [
        ("reporter.message('hello')", 0, ["started", "message", "finished"]),
        ("raise ValueError('x is odd')", 1, ["started", "error"]),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143, ["started", "stopped"]),
    ],
)
def test_a_step_reports_how_it_ended(
    tmp_path: Path, body: str, exit_code: int, names: list[str]
) -> None:
    with lifeline.held(tmp_path):
        process, folder = run_body(tmp_path, body)
        output, _ = process.communicate(timeout=30)

    assert process.returncode == exit_code
    assert [event["event"] for event in events_of(folder)] == names
    if exit_code == 1:
        assert "Traceback" in output
        assert events_of(folder)[-1]["text"] == "ValueError: x is odd"
        assert events_of(folder)[-1]["expected"] is False


def test_bad_input_is_said_in_one_line_and_ends_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught, runtime.step():
        raise InputError("is odd", file="a.json", line=3)

    assert caught.value.code == 2
    assert capsys.readouterr().out == "error: a.json:3: is odd\n"


def test_a_step_ends_with_the_program_that_waits_for_it(tmp_path: Path) -> None:
    with lifeline.held(tmp_path):
        process, folder = run_body(tmp_path, "import time; time.sleep(60)")
        while not (folder / "events.jsonl").exists():
            time.sleep(0.02)
        time.sleep(0.3)
        assert process.poll() is None

    assert process.wait(timeout=2) == -signal.SIGKILL


def test_a_step_that_starts_after_its_program_has_gone_ends_at_once(tmp_path: Path) -> None:
    with lifeline.held(tmp_path):
        pass
    process, _ = run_body(tmp_path, "import time; time.sleep(60)")

    assert process.wait(timeout=10) == -signal.SIGKILL


def test_what_results_do_not_depend_on_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(runtime.THREADS, "3")
    monkeypatch.setenv(runtime.CHECKPOINT_ROOT, "/somewhere")
    assert runtime.processes() == 1
    assert not runtime.accept_different_processes()
    monkeypatch.setenv(runtime.PROCESSES, "2")
    monkeypatch.setenv(runtime.ACCEPT_DIFFERENT_THREADS, "1")
    monkeypatch.setenv(runtime.ACCEPT_DIFFERENT_PROCESSES, "1")

    assert runtime.threads() == 3
    assert runtime.checkpoint_folder() == Path("/somewhere")
    assert runtime.processes() == 2
    assert runtime.accept_different_threads()
    assert runtime.accept_different_processes()


def test_a_checkpoint_root_elsewhere_has_a_mirror_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(runtime.CHECKPOINT_ROOT, "s3://bucket/checkpoints")
    assert runtime.progress_directory("step", "input") is None  # nothing here outlives the step
    one, other = runtime.checkpoint_folder(), runtime.checkpoint_folder()
    assert one.is_dir()
    assert one != other
    for folder in (one, other):
        folder.rmdir()

    monkeypatch.setenv(runtime.CHECKPOINT_MIRRORS, str(tmp_path))
    mirror = runtime.checkpoint_folder()
    assert mirror.parent == tmp_path
    assert mirror == runtime.checkpoint_folder()
    progress = runtime.progress_directory("step", "input")
    assert progress is not None
    assert progress.parent == mirror
    assert runtime.checkpoint_root() == "s3://bucket/checkpoints"
