"""The three steps of preparation, each killed at random moments until it has come to its end.

Every attempt is a process of its own, forked from this one, which has imported and compiled
everything already. Arguments: raw files, a folder for the results, and a seed. Prints how often
each step was killed, and from which items it went on.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from frhead_core.config import Preparation, Split
from frhead_core.data import packed_writer
from frhead_core.data.datasets import (
    denoise_skeletons,
    extract_raw_skeletons,
    transform_sequences,
)
from frhead_core.data.ntu_raw import parse_skeletons
from frhead_core.progress import Reporter

FOUND = Preparation(official_list=False, max_quarantined_share=1.0)
SPLITS = {"ntu60-xsub": Split(column="performer", train=(1,), test=(2,))}

Step = Callable[[Path, Path | None, Reporter], object]


class Start(Reporter):
    """Writes down where a step goes on, and works slowly enough to be killed."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def begin(self, task: str, total: int, unit: str, done: int = 0) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a") as file:
            file.write(f"{done}\n")

    def advance(self, amount: int = 1, **figures: float) -> None:
        time.sleep(0.0005 * amount)


def steps(raw: Path, folder: Path) -> dict[str, Step]:
    """Each step reads what the one before it wrote, undisturbed, into ``folder``."""
    return {
        "raw": lambda output, progress, reporter: extract_raw_skeletons(
            "ntu60", raw, output, FOUND, "mark", reporter, progress
        ),
        "denoised": lambda output, progress, reporter: denoise_skeletons(
            "ntu60", folder / "raw", output, FOUND, reporter, progress
        ),
        "store": lambda output, progress, reporter: transform_sequences(
            "ntu60", folder / "denoised", output, SPLITS, FOUND, reporter, progress
        ),
    }


def forked(work: Callable[[], object]) -> int:
    """Start a process that does ``work``: its id."""
    process = os.fork()
    if process == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return process


def ended(process: int, within: float | None) -> bool:
    """Wait for a process, and kill it after that many seconds."""
    if within is None:
        return os.waitpid(process, 0)[1] == 0
    time.sleep(within)
    os.kill(process, signal.SIGKILL)
    return os.waitpid(process, 0)[1] == 0


def kill_until_done(step: Step, output: Path, folder: Path, moments: Callable[[], float]) -> int:
    """Do a step, killing it up to six times: how often."""
    work = partial(step, output, folder / "progress" / output.name, Start(log_of(output)))
    for kills in range(6):
        if ended(forked(work), moments()):
            return kills
    assert ended(forked(work), None)
    return 6


def log_of(output: Path) -> Path:
    return output.parent.with_name(f"{output.parent.name}-{output.name}.log")


def main(raw: Path, folder: Path, seed: int) -> None:
    draw = random.Random(seed)
    packed_writer._STRETCH = 8
    parse_skeletons(next(raw.iterdir()).read_bytes())
    told = {}
    for name, step in steps(raw, folder / "undisturbed").items():
        output = folder / "undisturbed" / name
        began = time.monotonic()
        assert ended(forked(partial(step, output, None, Start(log_of(output)))), None)
        took = time.monotonic() - began
        output = folder / "killed" / name
        kills = kill_until_done(step, output, folder, partial(draw.uniform, 0, took))
        went_on_from = [int(item) for item in log_of(output).read_text().split()]
        told[name] = {"kills": kills, "went on from": went_on_from}
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
