"""The work directory of local runs: what is shared by all runs, and one folder for each.

::

    <work directory>/
      artifacts/          what the steps made, whichever run asked for it
      cache/              which inputs and code gave which artifacts
      checkpoints/        training that is under way or done
      experiments/        tables of several runs, and their results
      runs.lock           held by every run, see pipeline/work_lock.py
      <run>/              run.json, kfp.log, steps/<step>/{log.txt,events.jsonl}, results/
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import lifeline
from frhead_core.errors import InputError

ARTIFACTS, CACHE, CHECKPOINTS, EXPERIMENTS = "artifacts", "cache", "checkpoints", "experiments"
COMPILED = "numba"
"""Folder in the cache: functions that one container compiled and the next one needs."""
FETCHED = "fetched"
"""With what folders of artifacts begin that come from a pipeline root."""
CONTENT_SUFFIX = ".contents"
"""Of a file beside an entry of the cache: what the artifacts contain that it leads to."""
RECORD = "run.json"
KFP_LOG = "kfp.log"
_PARTIAL_RECORD = f"{RECORD}.partial"
CONTENTS = frozenset({RECORD, _PARTIAL_RECORD, KFP_LOG, lifeline.LOCK_NAME, "steps", "results"})
"""Everything that a run puts into its folder; whoever adds to it says so here."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @classmethod
    def create(cls, work_directory: Path, benchmark: str) -> RunFolder:
        """Make the folder of a new run, named by date, time and benchmark.

        Raises:
            InputError: If it cannot be made.
        """
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{benchmark}"
        names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 1000))
        try:
            work_directory.mkdir(parents=True, exist_ok=True)
            folder = cls(next(path for name in names if _made(path := work_directory / name)))
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

    def record(self, facts: dict[str, Any]) -> None:
        """Write ``run.json``, atomically."""
        partial = self.path / _PARTIAL_RECORD
        partial.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        partial.replace(self.path / RECORD)


def maker_file(artifacts: Path, place: object) -> Path | None:
    """The file that names the run which made an artifact; None for what is no such artifact.

    kfp puts all that a run makes into one folder below ``artifacts``, whose name is its own.
    """
    path = Path(str(place))
    if not path.is_relative_to(artifacts) or path == artifacts:
        return None
    return artifacts / path.relative_to(artifacts).parts[0] / "run.txt"


def _made(path: Path) -> bool:
    """Whether the folder is new; two runs that start in the same second get different ones."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True
