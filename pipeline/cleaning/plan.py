"""What in a work directory is no longer needed, why, and what is left alone.

A run that stays keeps what it refers to: artifacts, the cache entries that lead to them, the places
of checkpoints that may be its own, and the folders of other runs. Nothing goes that is not
recognised, nor anything that links lead to; while a run is alive, nothing that runs share.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from pipeline.cleaning.known_runs import KnownRun
from pipeline.cleaning.shared_things import (
    described_entry,
    entry_problem,
    is_entry,
    is_unfinished_entry,
    locked,
    looks_like_checkpoints,
    made_nothing,
    steps_made,
)
from pipeline.cleaning.tree_facts import tree_facts
from pipeline.run_folder import ARTIFACTS, CACHE, CHECKPOINTS, COMPILED, EXPERIMENTS, RECORD
from pipeline.work_lock import LOCK_NAME

Kind = Literal["cache", "artifacts", "checkpoints", "runs"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order in which they are removed: a cache entry before what it leads to."""
REMOVED = ".removed"
"""Folder of what is being removed, so that nothing is there by half under its own name."""

DAYS_OF_CHECKPOINTS = 7
"""For so long checkpoints stay unless asked otherwise: `frhead train` has no run folder."""
_DAY = 86400.0
_OTHERS = frozenset({ARTIFACTS, CACHE, CHECKPOINTS, EXPERIMENTS, "console", LOCK_NAME, REMOVED})


@dataclass(frozen=True)
class Policy:
    """What may go.

    Attributes:
        kinds: Only these.
        keep: So many of the newest runs stay; with neither this nor ``older_than`` all do.
        older_than: Seconds since something was used last, below which it stays.
    """

    kinds: Collection[Kind] = KINDS
    keep: int | None = None
    older_than: float | None = None


@dataclass(frozen=True)
class Item:
    """Something that can go."""

    kind: Kind
    path: Path
    reason: str
    size: int


@dataclass(frozen=True)
class Cleaning:
    """What is to be done in a work directory.

    Attributes:
        work_directory: Which.
        items: What can go, in the order of :data:`KINDS`.
        left_alone: Why something stays although nobody is known to need it, by its name.
        staying: How many runs stay.
    """

    work_directory: Path
    items: Sequence[Item]
    left_alone: Mapping[str, str]
    staying: int


def plan_cleaning(work_directory: Path, policy: Policy, *, free: bool) -> Cleaning:
    """Find what can go; changes nothing.

    Args:
        work_directory: Of `frhead run`.
        policy: What may go.
        free: Whether no run holds the lock of the work directory.
    """
    planner = _Planner(work_directory.resolve(), policy, free)
    items = sorted(planner.items(), key=lambda item: KINDS.index(item.kind))
    return Cleaning(planner.root, items, planner.left_alone, len(planner.staying))


@dataclass
class _Planner:
    root: Path
    policy: Policy
    free: bool
    now: float = field(default_factory=time.time)
    left_alone: dict[str, str] = field(default_factory=dict)

    def items(self) -> Iterator[Item]:
        for run, reason in self.going.items():
            yield self._item("runs", run.path, reason)
        found = {
            CACHE: self._cache_entries,
            ARTIFACTS: self._artifacts,
            CHECKPOINTS: self._checkpoints,
        }
        for kind in KINDS:
            folder = self.root if kind == "runs" else self.root / kind
            if kind not in self.policy.kinds or not self._may_look_into(folder):
                continue
            if kind in found:
                yield from found[kind](folder, kind)
            rest = folder / REMOVED
            if rest.is_dir() and not rest.is_symlink():
                yield self._item(kind, rest, "its removal was interrupted")

    # Runs

    @cached_property
    def runs(self) -> list[KnownRun]:
        """All of them, the newest first."""
        runs = []
        for path in sorted(self.root.iterdir(), reverse=True):
            if path.name in _OTHERS:
                continue
            if (path / RECORD).is_file():
                runs.append(KnownRun(path))
            else:
                self.left_alone[path.name] = f"is no folder with a {RECORD}"
        return runs

    @cached_property
    def going(self) -> dict[KnownRun, str]:
        """The runs that go, and why: none that a run uses that stays."""
        going = self._chosen()
        while needed := self._needed(going):
            for run, user in needed.items():
                self.left_alone[run.name] = f"{user.name} uses something in it"
                del going[run]
        return going

    @cached_property
    def staying(self) -> list[KnownRun]:
        return [run for run in self.runs if run not in self.going]

    def _chosen(self) -> dict[KnownRun, str]:
        """The runs that may go by themselves."""
        keep, least = self.policy.keep, self.policy.older_than
        if "runs" not in self.policy.kinds or (keep is None and least is None):
            return {}
        chosen = {}
        for run in self.runs[keep or 0 :]:
            if run.is_alive or not self._is_old(run.last_used):
                continue
            if problem := run.reason_to_leave_alone():
                self.left_alone[run.name] = problem
            else:
                chosen[run] = self._last_used(run.last_used)
        return chosen

    def _needed(self, going: Collection[KnownRun]) -> dict[KnownRun, KnownRun]:
        """Runs that were to go, each with one that stays and uses it."""
        staying = [run for run in self.runs if run not in going]
        return {run: user for run in going for user in staying if user.uses(run)}

    # What runs share

    def _may_look_into(self, folder: Path) -> bool:
        if folder == self.root:
            return True
        alive = [run.name for run in self.runs if run.is_alive]
        unread = [run.name for run in self.staying if run.record is None]
        if folder.is_symlink():
            self.left_alone[folder.name] = "is a link"
        elif not folder.is_dir():
            return False
        elif alive or not self.free:
            who = ", ".join(alive) or "a run"
            self.left_alone[folder.name] = f"{who} is alive, or may have just been started"
        elif unread:
            self.left_alone[folder.name] = f"what {', '.join(unread)} needs of it is not known"
        else:
            return True
        return False

    def _cache_entries(self, folder: Path, kind: Kind) -> Iterator[Item]:
        for path in _within(folder):
            if is_unfinished_entry(path):
                yield self._item(kind, path, "was never finished")
            elif (entry := path if is_entry(path) else described_entry(path)) is not None:
                if problem := entry_problem(entry, self._unused):
                    yield self._item(kind, path, problem)
            elif path.name != COMPILED:
                self._leave(path)

    def _artifacts(self, folder: Path, kind: Kind) -> Iterator[Item]:
        for path in steps_made(folder, self._leave):
            if str(path.relative_to(folder)) in self._unused:
                yield self._item(kind, path, "no run that stays refers to it")

    @cached_property
    def _unused(self) -> frozenset[str]:
        """What steps have made and no run refers to that stays, by its place among the artifacts.

        A reference to a folder is one to all that is in it. A step that made no artifact is not
        referred to; it goes with what the other steps of its run have made.
        """
        folder = self.root / ARTIFACTS
        if folder.is_symlink() or not folder.is_dir():
            return frozenset()
        used = {name for run in self.staying for name in run.artifacts}
        runs_used = {name.partition("/")[0] for name in used}
        unused = set()
        for path in steps_made(folder):
            name = path.relative_to(folder)
            if not used.isdisjoint(map(str, (name, *name.parents))):
                continue
            if made_nothing(path) and name.parts[0] in runs_used:
                continue
            if self._is_old(tree_facts(path).newest):
                unused.add(str(name))
        return frozenset(unused)

    def _checkpoints(self, folder: Path, kind: Kind) -> Iterator[Item]:
        oldest = min((run.started or 0.0 for run in self.staying), default=self.now)
        for path in _within(folder):
            used = tree_facts(path).newest
            if not looks_like_checkpoints(path):
                self._leave(path)
            elif used >= oldest or not self._is_old(used, DAYS_OF_CHECKPOINTS * _DAY):
                continue
            elif locked(path):
                self.left_alone[self._name(path)] = "another program is using it"
            else:
                text = f"{self._last_used(used)}, before any run that stays"
                yield self._item(kind, path, text)

    # All of them

    def _item(self, kind: Kind, path: Path, reason: str) -> Item:
        return Item(kind, path, reason, tree_facts(path).size)

    def _leave(self, path: Path) -> None:
        what = "is a link" if path.is_symlink() else "is not recognised"
        self.left_alone[self._name(path)] = what

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.root))

    def _is_old(self, used: float, default: float = 0.0) -> bool:
        least = default if self.policy.older_than is None else self.policy.older_than
        return self.now - used >= least

    def _last_used(self, used: float) -> str:
        for unit, seconds in (("days", _DAY), ("hours", 3600.0), ("minutes", 60.0)):
            if self.now - used >= 2 * seconds:
                return f"last used {(self.now - used) / seconds:.0f} {unit} ago"
        return "last used just now"


def _within(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != REMOVED)
