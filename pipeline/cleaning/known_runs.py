"""The runs of a work directory as one sees them who wants to remove some: used, ended, needed.

What a run refers to is read from everything that it and its steps have recorded, so that also the
artifacts of a run whose program was killed are known.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from components import lifeline
from components.events import FILE_NAME
from frhead_core.errors import InputError
from pipeline.cleaning.tree_facts import tree_facts
from pipeline.results import RESULTS_CONTENTS
from pipeline.run_folder import CONTENTS, FETCHED, KFP_LOG, RECORD, recorded_moment
from pipeline.run_records import read_facts

STEP_ARTIFACTS = re.compile(
    r"frhead-\d{4}(?:-\d\d){5}-\d{6}/(?:for-loop-\d+-iteration-\d+/)*[a-z][a-z0-9-]*"
    rf"|{FETCHED}/[0-9a-f]{{32}}"
)
"""What one step has made, here or elsewhere, by its place in the folder of artifacts."""

_ENDED = ("done", "failed", "stopped")
_SECONDS_TO_START = 600.0
"""For so long a run that nobody seems to hold may be one that is just starting."""


@dataclass(frozen=True)
class KnownRun:
    """A folder with the record of a run."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def record(self) -> Mapping[str, Any] | None:
        """What ``run.json`` says; None if it cannot be read."""
        try:
            return read_facts(self.path)
        except InputError:
            return None

    @cached_property
    def started(self) -> float | None:
        """When it started, in seconds since 1970; None if it does not say so."""
        try:
            return recorded_moment((self.record or {})["started"]).timestamp()
        except (KeyError, TypeError, ValueError):
            return None

    @cached_property
    def last_used(self) -> float:
        """When something in it was written last, in seconds since 1970."""
        return tree_facts(self.path).newest

    @cached_property
    def is_alive(self) -> bool:
        """Whether it is running, or may have just been started."""
        if lifeline.holder(self.path) is not None:
            return True
        status = (self.record or {}).get("status")
        return status not in _ENDED and time.time() - self.last_used < _SECONDS_TO_START

    def reason_to_leave_alone(self) -> str | None:
        """Why this is no folder to remove, whoever asks; None if it is one."""
        if self.path.is_symlink():
            return "is a link"
        if self.record is None:
            return f"its {RECORD} cannot be read"
        status = self.record.get("status")
        if status not in (*_ENDED, "running"):
            return f"is {status}"
        strange = sorted(self._strange())
        return f"holds what no run makes: {', '.join(strange)}" if strange else None

    def _strange(self) -> Iterator[str]:
        yield from ({path.name for path in self.path.iterdir()} - CONTENTS)
        results = self.path / "results"
        if results.is_dir() and not results.is_symlink():
            made = {path.name for path in results.iterdir()}
            yield from (f"results/{name}" for name in made - RESULTS_CONTENTS)

    @cached_property
    def artifacts(self) -> frozenset[str]:
        """What its steps have made or have found made, as :data:`STEP_ARTIFACTS`."""
        return frozenset(name for text in self._texts for name in STEP_ARTIFACTS.findall(text))

    def uses(self, other: KnownRun) -> bool:
        """Whether it names something in the folder of another run, such as a given model."""
        return other != self and other.name in self._folders_named

    @cached_property
    def _folders_named(self) -> frozenset[str]:
        """Each part of every place that the run was given; what its steps made is apart."""
        given = {name: value for name, value in (self.record or {}).items() if name != "steps"}
        return frozenset(part for text in _strings(given) for part in re.split("[/,]", text))

    @property
    def _texts(self) -> Iterator[str]:
        """Everything that it says of places. What is looked for in it is never escaped."""
        for path in (self.path / RECORD, self.path / KFP_LOG):
            if path.is_file():
                yield path.read_text("utf-8", "replace")
        for path in self.path.glob(f"steps/*/{FILE_NAME}"):
            with path.open(encoding="utf-8", errors="replace") as lines:
                yield from (line for line in lines if '"cached"' in line)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
