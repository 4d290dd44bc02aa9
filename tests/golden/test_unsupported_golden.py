"""What the folder of golden numbers holds beyond what the other tests here read, and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.golden.cases import CASES, FACTS, PUBLISHED, SCORES, UNSUPPORTED, benchmark_of
from tests.golden.files import ENSEMBLE, FEEDERS, GOLDEN, MODELS, each

PARTS = ("models", "feeders", "ensemble", "ntu_raw")
UNKNOWN = "no test knows what to do with it"

pytestmark = pytest.mark.golden


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, without the tests themselves and notes for people."""
    if not folder.is_dir():
        return []
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix not in (".py", ".md") and not path.name.startswith((".", "__"))
    ]


def beyond_the_parts() -> Iterator[tuple[Path, str]]:
    for path in entries(GOLDEN):
        if path.name not in PARTS:
            for entry in entries(path) or [path]:
                yield entry, UNKNOWN


def in_models() -> Iterator[tuple[Path, str]]:
    listed = {case[key] for case in CASES.values() for key in ("file", "state_from")}
    for path in entries(MODELS):
        of_unit = path.name.startswith("frhead_unit") and path.suffix in (".json", ".npz")
        if path.name in listed | {"meta.json"}:
            continue
        if not of_unit:
            yield path, "models/meta.json does not list it" if path.suffix == ".npz" else UNKNOWN
        elif not all(path.with_suffix(suffix).is_file() for suffix in (".json", ".npz")):
            yield path, "arrays and settings only make sense together"
    for name, reason in UNSUPPORTED.items():
        yield MODELS / name, reason


def in_feeders() -> Iterator[tuple[Path, str]]:
    yield from ((path, UNKNOWN) for path in entries(FEEDERS) if path.suffix != ".npz")


def in_ensemble() -> Iterator[tuple[Path, str]]:
    read = {ENSEMBLE / f"{prefix}{kind}" for prefix in PUBLISHED for kind in (SCORES, FACTS)}
    read |= {ENSEMBLE / name for facts in PUBLISHED.values() for name in facts.get("files", {})}
    for path in sorted(ENSEMBLE.rglob("*")):
        if path.is_file() and path not in read and path.suffix != ".md":
            yield path, why_unread(path.name)


def why_unread(name: str) -> str:
    for kind, partner in ((SCORES, FACTS), (FACTS, SCORES)):
        prefix = name.removesuffix(kind)
        if prefix != name:
            return f"needs {prefix}{partner} beside it, and a benchmark {benchmark_of(prefix)}"
    return "no facts list it"


LISTINGS = (beyond_the_parts, in_models, in_feeders, in_ensemble)
UNCHECKED = {
    path.relative_to(GOLDEN).as_posix(): reason
    for listing in LISTINGS
    for path, reason in listing()
}


def test_the_folder_holds_something() -> None:
    assert GOLDEN.is_dir(), f"FRHEAD_GOLDEN names no folder: {GOLDEN}"
    assert any(path.is_file() for entry in entries(GOLDEN) for path in [entry, *entry.rglob("*")])


@pytest.mark.parametrize("place", each(UNCHECKED, "file that no test reads"))
def test_what_is_not_checked(place: str) -> None:
    pytest.skip(f"{place}: {UNCHECKED[place]}")
