"""Finding score files where runs, experiments and single commands leave them.

A place is a score file, a folder of score files, the results of a run (or its run folder), or a
folder with the results of several seeds::

    <file>.npz                      also the authors' .pkl
    <folder>/<which>.npz
    <results>/scores/<modality>/<which>.npz
    <run>/results/scores/...
    <several>/seed-<number>/scores/...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from frhead_core.config import MODALITIES
from frhead_core.errors import InputError
from frhead_core.evaluation.compare import Seed
from frhead_core.evaluation.scores import Scores

SEED_FOLDER = "seed-{}"
_SEED = re.compile(r"seed-(\d+)")

Read = Callable[[Path], Scores]


def find_scores(place: Path, which: str, read: Read) -> dict[str, dict[Seed, Scores]]:
    """The scores in a place, by modality (``ensemble`` among them) and seed.

    Args:
        place: See the module.
        which: Of the epochs that were kept; also ``validation_last``.
        read: Reads a score file.

    Raises:
        InputError: If there are none, or one cannot be read.
    """
    found: dict[str, dict[Seed, Scores]] = {}
    for seed, model, file in _files(place, which):
        scores = read(file)
        name = model or str(scores.metadata.get("modality") or file.stem)
        found.setdefault(name, {})[seed] = scores
    if not found:
        raise InputError(
            "holds no scores",
            file=place,
            field=which,
            expected="a score file, a folder of them, the results of a run, or a folder with the "
            "results of several seeds",
            hint="`frhead run` and `frhead evaluate` make them; --which names other epochs",
        )
    known = [name for name in (*MODALITIES, "ensemble") if name in found]
    return {name: found[name] for name in (*known, *sorted(found.keys() - set(known)))}


def _files(place: Path, which: str) -> Iterator[tuple[Seed, str, Path]]:
    """Seed, name of the model where its place tells it, and file."""
    if not place.exists():
        raise InputError("does not exist", file=place)
    if place.is_file():
        yield None, "", place
        return
    seeds = {
        int(match[1]): folder
        for folder in place.iterdir()
        if folder.is_dir() and (match := _SEED.fullmatch(folder.name))
    }
    if seeds:
        for seed in sorted(seeds):
            yield from ((seed, name, file) for _, name, file in _files(seeds[seed], which))
    elif (place / f"{which}.npz").is_file():
        yield None, "", place / f"{which}.npz"
    else:
        scores = place / "results" / "scores"
        for file in sorted(
            (scores if scores.is_dir() else place / "scores").glob(f"*/{which}.npz")
        ):
            yield None, file.parent.name, file


def pairs_of(
    first: Mapping[str, Mapping[Seed, Scores]], second: Mapping[str, Mapping[Seed, Scores]]
) -> dict[str, tuple[Mapping[Seed, Scores], Mapping[Seed, Scores]]]:
    """What to compare with what: one model with one model, else those of equal modality.

    Several seeds on both sides are reduced to those that both have.

    Raises:
        InputError: If there is nothing to compare.
    """
    if len(first) == len(second) == 1:
        (name, ours), (other, theirs) = *first.items(), *second.items()
        names = {name if name == other else f"{name} | {other}": (ours, theirs)}
    else:
        names = {name: (first[name], second[name]) for name in first if name in second}
    if not names:
        raise InputError(
            "nothing to compare: no modality is there on both sides",
            found=", ".join(second),
            expected=" or ".join(first),
        )
    return {name: _common_seeds(*pair) for name, pair in names.items()}


def _common_seeds(
    first: Mapping[Seed, Scores], second: Mapping[Seed, Scores]
) -> tuple[Mapping[Seed, Scores], Mapping[Seed, Scores]]:
    common = [seed for seed in first if seed in second]
    if not common and len(first) == len(second) == 1:
        return {None: next(iter(first.values()))}, {None: next(iter(second.values()))}
    if not common:
        return first, second  # which is refused, with both named
    return {seed: first[seed] for seed in common}, {seed: second[seed] for seed in common}
