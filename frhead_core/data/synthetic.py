"""A synthetic dataset in NW-UCLA's format: a stick figure seen by several cameras.

Performers differ in their bones and pace, views in where the camera stands, and every recording in
tempo, timing and sensor noise; the actions are the ten of the dataset, acted out.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from frhead_core.data import nw_ucla
from frhead_core.data.draws import sample_generator
from frhead_core.data.gestures import GESTURES
from frhead_core.data.stick_figure import act, draw_camera, draw_performer
from frhead_core.errors import InputError

_FOLDER = "all_sqe"
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is made


def write_nw_ucla(
    output: Path,
    *,
    seed: int = 0,
    performers: int,
    replications: int,
    views: int = 3,
    actions: int = 10,
    frames: tuple[int, int] = (30, 50),
) -> Path:
    """Write a zip archive of synthetic recordings in NW-UCLA's layout and naming.

    Every performer does every action ``replications`` times, seen in every view. The same
    arguments give the same bytes.

    Args:
        output: The archive to write.
        seed: Decides everything that is random.
        performers: How many people, at most 99.
        replications: How often each repeats an action, at most 100.
        views: How many cameras, at most 99.
        actions: How many of the ten actions.
        frames: Fewest and most frames of a recording.

    Returns:
        ``output``.

    Raises:
        InputError: If a number is out of range.
    """
    _check_ranges(performers=performers, replications=replications, views=views, actions=actions)
    partial = output.with_name(f".{output.name}.partial")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write_archive(partial, seed, (performers, replications, views, actions), frames)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return output


def _write_archive(
    path: Path, seed: int, counts: tuple[int, int, int, int], frames: tuple[int, int]
) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, label, coordinates in _recordings(seed, counts, frames):
            rounded = coordinates.round(5).tolist()
            content = {"file_name": name, "skeletons": rounded, "label": label + 1}
            entry = zipfile.ZipInfo(f"{_FOLDER}/{name}{nw_ucla.SUFFIX}", _EPOCH_OF_ZIP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, json.dumps(content))


def _recordings(
    seed: int, counts: tuple[int, int, int, int], frames: tuple[int, int]
) -> Iterator[tuple[str, int, np.ndarray]]:
    """Name, class and coordinates (T, V, C) of every recording, in the order of the names."""
    performers, replications, views, actions = counts
    people = [draw_performer(sample_generator(seed, 1, number)) for number in range(performers)]
    shape = (actions, performers, replications, views)
    for place in np.ndindex(shape):
        label, performer, replication, view = place
        generator = sample_generator(seed, 0, int(np.ravel_multi_index(place, shape)))
        action = list(nw_ucla.ACTIONS)[label]
        name = f"a{action:02}_s{performer + 1:02}_e{replication:02}_v{view + 1:02}"
        length = int(generator.integers(*frames, endpoint=True))
        joints = act(GESTURES[action], people[performer], length, generator)
        yield name, label, draw_camera(view, generator).film(joints, generator)


def _check_ranges(**numbers: int) -> None:
    largest = {"performers": 99, "replications": 100, "views": 99, "actions": len(nw_ucla.ACTIONS)}
    for name, number in numbers.items():
        if not 1 <= number <= largest[name]:
            raise InputError(
                "out of range", field=name, found=number, expected=f"1 to {largest[name]}"
            )
