"""The work directory of local runs: what is shared by all runs, and one folder for each.

::

    <work directory>/
      artifacts/          what the steps made, whichever run asked for it
      cache/              which inputs and code gave which artifacts
      checkpoints/        training that is under way or done
      experiments/        tables of several runs, and their results
      console/            what is the web console's own
      runs.lock           held by every run, see pipeline/work_lock.py
      <run>/              run.json, kfp.log, steps/<step>/{log.txt,events.jsonl}, results/
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from components import lifeline
from frhead_core.errors import InputError
from pipeline import work_lock

ARTIFACTS, CACHE, CHECKPOINTS, EXPERIMENTS = "artifacts", "cache", "checkpoints", "experiments"
COMPILED = "numba"
"""Folder in the cache: functions that one container compiled and the next one needs."""
RECORD = "run.json"
KFP_LOG = "kfp.log"
CONTENTS_OF_ENTRIES = "contents"
"""Folder in the cache: what is known of the contents of what its entries lead to."""
FETCHED = "fetched"
"""Folder among the artifacts: what was fetched from a pipeline root."""
MIRRORS = "mirrors"
"""Folder among the checkpoints: a mirror of each root that is elsewhere."""
MAKER = "run.txt"
"""File beside the artifacts that a run has made, with its name."""
_PARTIAL_RECORD = f"{RECORD}.partial"
_MOMENT = "%Y-%m-%dT%H:%M:%S%z"
CONTENTS = frozenset({RECORD, _PARTIAL_RECORD, KFP_LOG, lifeline.LOCK_NAME, "steps", "results"})
"""Everything that a run puts into its folder; whoever adds to it says so here."""
STARTED_BY = "FRHEAD_STARTED_BY"
"""Environment variable that says who starts a run, for its record."""
RUN_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"
"""What a run may be called: no separator, no parent folder, nothing hidden."""
_NOT_RUNS = (ARTIFACTS, CACHE, CHECKPOINTS, "console", EXPERIMENTS, work_lock.LOCK_NAME)


def check_run_name(name: str) -> None:
    """Refuse what cannot be the name of a run.

    Raises:
        InputError: If it could be no folder of its own in a work directory.
    """
    if re.fullmatch(RUN_NAME, name) is None or name in _NOT_RUNS:
        raise InputError(
            "cannot be the name of a run",
            field="--name",
            found=repr(name),
            expected="letters, digits, dots, hyphens and underscores, beginning with a letter or "
            f"digit, and none of {', '.join(_NOT_RUNS)}",
        )


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @classmethod
    def create(cls, work_directory: Path, benchmark: str, name: str = "") -> RunFolder:
        """Make the folder of a new run, named as asked, or by date, time and benchmark.

        Raises:
            InputError: If it cannot be made, or there is one of the name that was asked for.
        """
        names = iter([name]) if name else names_of_runs(benchmark)
        try:
            work_directory.mkdir(parents=True, exist_ok=True)
            made = next((path for each in names if _made(path := work_directory / each)), None)
            if made is None:
                raise InputError("there is one of this name", field="--name", found=name)
            folder = cls(made)
            for shared in (folder.artifacts, folder.cache):
                shared.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot be written ({error.strerror})",
                file=work_directory,
                hint="Choose another --work-directory",
            ) from error
        return folder

    @property
    def name(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def artifacts(self) -> Path:
        """Artifacts of all runs."""
        return self.path.parent / ARTIFACTS

    @property
    def cache(self) -> Path:
        """Cache entries of all runs."""
        return self.path.parent / CACHE

    @property
    def checkpoints(self) -> Path:
        """Default place of checkpoints."""
        return self.path.parent / CHECKPOINTS

    @property
    def results(self) -> Path:
        """Default place of the results."""
        return self.path / "results"

    @property
    def steps(self) -> Path:
        """Parent of the folders of the steps."""
        return self.path / "steps"

    def step(self, name: str) -> Path:
        """Folder of one step, made when missing."""
        path = self.steps / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def is_recorded(self) -> bool:
        """Whether there is such a run: one that has written its record."""
        return (self.path / RECORD).is_file()

    def record(self, facts: dict[str, Any]) -> None:
        """Write ``run.json``, atomically."""
        partial = self.path / _PARTIAL_RECORD
        partial.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        partial.replace(self.path / RECORD)


def recorded_now() -> str:
    """This moment, as a record says it."""
    return time.strftime(_MOMENT)


def recorded_moment(text: str) -> datetime:
    """The moment that a record says.

    Raises:
        ValueError: If it says none.
    """
    return datetime.strptime(text, _MOMENT)


def maker_file(artifacts: Path, place: object) -> Path | None:
    """The file that names the run which made an artifact; None for what is no such artifact.

    kfp puts all that a run makes into one folder below ``artifacts``, whose name is its own.
    """
    path = Path(str(place))
    if not path.is_relative_to(artifacts) or path == artifacts:
        return None
    return artifacts / path.relative_to(artifacts).parts[0] / MAKER


def names_of_runs(benchmark: str) -> Iterator[str]:
    """Names for a run that starts now, the first of which is mostly free."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "_", benchmark)[:100]
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{kept}"
    yield stem
    yield from (f"{stem}-{number}" for number in range(2, 1000))


def _made(path: Path) -> bool:
    """Whether the folder is new; two runs that start in the same second get different ones."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True
