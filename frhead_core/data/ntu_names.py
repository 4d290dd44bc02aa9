"""NTU RGB+D 60 and 120: what the names of recordings say, and which recordings there are."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

from frhead_core.data.recordings import Recording

SUFFIX = ".skeleton"

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_FOLDER = Path(__file__).parent
_MISSING_LISTS = {
    "ntu60": "ntu60_missing_skeletons.txt",
    "ntu120": "ntu120_missing_skeletons.txt",
}


@dataclass(frozen=True)
class NTUFacts:
    """What there is in one of the two datasets.

    Attributes:
        name: As recipes call it.
        setups: How many, counted from 1.
        actions: How many, counted from 1.
        listed: Recordings without those whose skeletons are missing.
    """

    name: str
    setups: int
    actions: int
    listed: int

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes by index, which is the action's number less 1."""
        return class_names()[: self.actions]

    @property
    def missing(self) -> frozenset[str]:
        """Recordings whose skeletons are missing or incomplete, by the dataset's own list."""
        return _missing(self.name)


NTU60 = NTUFacts("ntu60", setups=17, actions=60, listed=56_578)
NTU120 = NTUFacts("ntu120", setups=32, actions=120, listed=113_945)


def recording(name: str) -> Recording:
    """The recording that a name like ``S001C002P003R001A010`` describes.

    Raises:
        ValueError: If it is no such name.
    """
    match = _NAME.fullmatch(name)
    numbers = [int(number) for number in match.groups()] if match else [0]
    if 0 in numbers:
        raise ValueError("strange name, expected one like S001C002P003R001A010")
    setup, camera, performer, replication, action = numbers
    return Recording(
        name=name,
        setup=setup,
        camera=camera,
        performer=performer,
        replication=replication,
        action=action,
        label=action - 1,
    )


@cache
def class_names() -> tuple[str, ...]:
    """The 120 classes by index; those of NTU RGB+D 60 are the first 60."""
    return tuple((_FOLDER / "ntu_class_names.txt").read_text(encoding="ascii").splitlines())


def not_found(facts: NTUFacts, names: Collection[str]) -> list[str]:
    """Recordings that should be among ``names`` and are not, as far as it can be told, sorted.

    Who was recorded in which setup is taken from the names themselves; each of these people did
    all actions of that part of the dataset (1 to 60 in setups up to 17, else 61 to 120) twice,
    before three cameras.
    """
    found = frozenset(names)
    people = sorted({(name[:4], name[8:12]) for name in found})
    absent = []
    for (setup, performer), camera, replication in product(people, range(1, 4), range(1, 3)):
        first = 1 if int(setup[1:]) <= NTU60.setups else NTU60.actions + 1
        for action in range(first, first + NTU60.actions):
            name = f"{setup}C{camera:03}{performer}R{replication:03}A{action:03}"
            if name not in found and name not in facts.missing:
                absent.append(name)
    return sorted(absent)


@cache
def _missing(dataset: str) -> frozenset[str]:
    text = (_FOLDER / _MISSING_LISTS[dataset]).read_text(encoding="ascii")
    return frozenset(text.split())
