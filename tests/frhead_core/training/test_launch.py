"""What is said when one of several processes ends early; test_interruption.py really kills some."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from torch.multiprocessing.spawn import ProcessExitedException

from frhead_core.errors import FRHeadError, InputError, LostProcessError, RecipeError
from frhead_core.progress import Reporter
from frhead_core.training import launch
from frhead_core.training.launch import train_in_processes
from frhead_core.training.loop import TrainingJob

MakeJob = Callable[..., TrainingJob]


def ended(exit_code: int, signal_name: str | None = None) -> ProcessExitedException:
    """The end of the second of three processes."""
    return ProcessExitedException("ended", 1, 4711, exit_code, signal_name)


def test_an_error_of_a_process_is_the_error_of_all(tmp_path: Path) -> None:
    (tmp_path / "error-of-1").write_text("store: has no sample")
    with pytest.raises(FRHeadError, match=r"^store: has no sample$") as caught:
        launch._explain(ended(2), 3, tmp_path)
    assert caught.value.exit_code == 2
    with pytest.raises(LostProcessError):
        launch._explain(ended(1), 3, tmp_path)


@pytest.mark.parametrize(
    ("exit_code", "signal_name", "how"), [(-9, "SIGKILL", "SIGKILL"), (3, None, "exit code 3")]
)
def test_a_process_that_could_say_nothing_is_named(
    exit_code: int, signal_name: str | None, how: str, tmp_path: Path
) -> None:
    with pytest.raises(
        LostProcessError, match=f"process 2 of 3 ended with {how}, so all"
    ) as caught:
        launch._explain(ended(exit_code, signal_name), 3, tmp_path)
    assert caught.value.exit_code == 1


def test_a_stop_on_request_is_one_here_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        launch._explain(ended(130), 3, tmp_path)


def test_an_error_reaches_the_one_who_asked(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    job = make_job(store=tmp_path / "nowhere")
    with pytest.raises(SystemExit) as caught:
        launch._train_as_one_of_them(0, 1, tmp_path, job, Reporter)
    assert caught.value.code == 2
    error = ProcessExitedException("ended", 0, 4711, 2)
    with pytest.raises(FRHeadError, match=r"nowhere.*expected a directory of sequence store"):
        launch._explain(error, 1, tmp_path)


def test_a_batch_that_cannot_be_divided_starts_nothing(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(launch, "start_processes")
    with pytest.raises(RecipeError, match=r"batch_size: cannot be divided.*found 8"):
        train_in_processes(make_job(), 3, Reporter)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="torchrun has started the processes already"):
        train_in_processes(make_job(), 2, Reporter)
