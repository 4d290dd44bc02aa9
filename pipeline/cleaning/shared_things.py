"""How what runs share is recognised: cache entries, artifacts, places of checkpoints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline.cleaning.known_runs import STEP_ARTIFACTS
from pipeline.run_folder import CONTENT_SUFFIX

CHECKPOINT_LOCK = "lock"
_ANY_RUN = "frhead-2000-01-01-00-00-00-000000"
_ENTRY = re.compile(r"[0-9a-f]{64}\.json")
_UNFINISHED_ENTRY = re.compile(r"\.kfp_cache_.*\.tmp")
_LOOP = re.compile(r"for-loop-\d+-iteration-\d+")
_CHECKPOINTS = re.compile(r"[0-9a-f]{32}|prepare-[0-9a-f]{16}")
_IN_CHECKPOINTS = re.compile(
    r"lock|checkpoint\.pt|best-epoch-\d+\.safetensors|tensorboard|\..+\.part|journal\.jsonl|files"
)


def is_unfinished_entry(path: Path) -> bool:
    """Whether a program was killed while it wrote this entry of the cache."""
    return _UNFINISHED_ENTRY.fullmatch(path.name) is not None and not path.is_symlink()


def is_entry(path: Path) -> bool:
    """Whether this is an entry of the cache."""
    return (
        _ENTRY.fullmatch(path.name) is not None
        and not path.is_symlink()
        and _places_of(path) is not None
    )


def described_entry(path: Path) -> Path | None:
    """The entry of the cache that this file describes; None if it is no such file."""
    entry = path.with_suffix(".json")
    is_one = path.suffix == CONTENT_SUFFIX and _ENTRY.fullmatch(entry.name) is not None
    return entry if is_one and not path.is_symlink() else None


def entry_problem(path: Path, unused: Collection[str]) -> str | None:
    """Why an entry of the cache, or what describes it, is of no use; None if it is.

    Args:
        path: The entry.
        unused: What no run refers to, by its place among the artifacts.
    """
    places = _places_of(path)
    if places is None:
        return "there is no such entry"
    if any("://" not in place and not Path(place).exists() for place in places):
        return "what it leads to is not there any more"
    if any(name in unused for place in places for name in STEP_ARTIFACTS.findall(place)):
        return "no run that stays refers to what it leads to"
    return None


def _places_of(entry: Path) -> list[str] | None:
    """Where the artifacts lie that an entry leads to; None if it is no entry."""
    try:
        outputs = json.loads(entry.read_text(encoding="utf-8"))
        return list(_places_in(outputs.values()))
    except (OSError, ValueError, AttributeError):
        return None


def _places_in(values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, dict) and isinstance(value.get("uri"), str):
            yield value["uri"]
        elif isinstance(value, dict) and isinstance(value.get("artifacts"), list):
            yield from _places_in(value["artifacts"])


def steps_made(
    artifacts: Path, leave: Callable[[Path], None] = lambda path: None
) -> Iterator[Path]:
    """Folders of what one step has made, and what is left of emptied folders above them.

    Args:
        artifacts: The folder of all artifacts.
        leave: Called with what is none of that.
    """
    for path in sorted(artifacts.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_symlink() or not STEP_ARTIFACTS.fullmatch(f"{path.name}/step"):
            leave(path)
        else:
            yield from _steps_in(path, leave)


def _steps_in(folder: Path, leave: Callable[[Path], None]) -> Iterator[Path]:
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    if folder.is_dir() and not inside:
        yield folder
    for path in inside:
        if path.is_symlink() or not path.is_dir():
            leave(path)
        elif _LOOP.fullmatch(path.name):
            yield from _steps_in(path, leave)
        elif STEP_ARTIFACTS.fullmatch(f"{_ANY_RUN}/{path.name}"):
            yield path
        else:
            leave(path)


def made_nothing(step: Path) -> bool:
    """Whether all that a step has made are values and no artifacts."""
    return [path.name for path in step.iterdir()] == ["executor_output.json"]


def looks_like_checkpoints(path: Path) -> bool:
    """Whether this is a place of checkpoints, of training or preparation, and of nothing else."""
    return (
        _CHECKPOINTS.fullmatch(path.name) is not None
        and path.is_dir()
        and not path.is_symlink()
        and all(_IN_CHECKPOINTS.fullmatch(each.name) for each in path.iterdir())
    )


def locked(checkpoints: Path) -> bool:
    """Whether a program holds a place of checkpoints now."""
    path = checkpoints / CHECKPOINT_LOCK
    if not path.is_file():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
