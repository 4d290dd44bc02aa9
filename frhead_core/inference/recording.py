"""One recording on its own, prepared exactly as the pipeline prepares whole datasets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from frhead_core.config import Compatibility, Recipe
from frhead_core.data import nw_ucla, own, own_names
from frhead_core.data.ntu_denoise import FIRST_NOT_TRACKED, NOTHING_TRACKED, denoise
from frhead_core.data.ntu_raw import parse_skeletons
from frhead_core.data.ragged import RaggedBatch
from frhead_core.data.recordings import Recording
from frhead_core.data.registry import find_dataset
from frhead_core.data.tracked_bodies import TrackedRecording
from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton


def recording_suffixes(dataset: str) -> tuple[str, ...]:
    """How the names of recordings of a dataset may end: its raw files, and arrays.

    Raises:
        InputError: If the dataset is unknown.
    """
    # Arrays of one's own are read like any other; those of several recordings are no recording.
    suffix = find_dataset(dataset).suffix
    return (suffix, own_names.ARRAYS) if isinstance(suffix, str) else (own_names.ARRAYS,)


def read_recording(path: Path, recipe: Recipe) -> np.ndarray:
    """Read a recording, choose its actors and centre it, as the steps of the pipeline do.

    What its name says (the action, for one) does not matter.

    Args:
        path: A raw file of the dataset (``.skeleton``, NW-UCLA's ``.json``, an array of one's
            own), or ``.npy``: numbers, (T, V, 3) or (M, T, V, 3), the actors' joints in the
            coordinates of the raw files, not centred, zeros where a body is absent.
        recipe: Dataset, rules of the preparation, and the most bodies that an array may have.

    Returns:
        (M, T, V, C), in the dtype of the dataset's sequence store.

    Raises:
        InputError: If the file cannot be read, or the preparation would not keep it.
    """
    facts = find_dataset(recipe.dataset)
    suffixes = recording_suffixes(recipe.dataset)
    if path.suffix not in suffixes:
        raise InputError(
            f"is no recording for a model of {recipe.dataset}",
            file=path,
            found=path.suffix or "no suffix",
            expected=" or ".join(suffixes),
        )
    try:
        if path.suffix == own_names.ARRAYS:
            bodies = _bodies_of_array(path, recipe)
        elif facts.passes_denoising is None:
            bodies = _actors(path, recipe.preparation.compatibility)
        else:
            bodies = nw_ucla.parse_bodies(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", file=path) from error
    except ValueError as error:
        raise InputError(str(error), file=path) from error
    batch = RaggedBatch.of_one(path.name, bodies.astype(facts.dtype, copy=False))
    return facts.centre(batch, skeleton(recipe.skeleton).center).reshape(bodies.shape)


def _actors(path: Path, compatibility: Compatibility) -> np.ndarray:
    content = parse_skeletons(path.read_bytes())
    unknown = Recording(path.stem, setup=0, camera=0, performer=0, replication=0, action=0, label=0)
    tracked = TrackedRecording(unknown, content.frames, content.bodies, content.repeated)
    denoised = denoise(tracked, compatibility)
    if denoised.sequence is None:
        raise ValueError(denoised.reason)
    return denoised.sequence


def _bodies_of_array(path: Path, recipe: Recipe) -> np.ndarray:
    array, layout = own.read_array(path.read_bytes()), skeleton(recipe.skeleton)
    if recipe.dataset == own_names.NAME:
        return own.checked_bodies(array, layout)  # as in the pipeline, whose raw files these are
    joints, persons = len(layout.joints), recipe.loader.persons
    bodies = array[np.newaxis] if array.ndim == 3 else array
    fits = bodies.ndim == 4 and 1 <= len(bodies) <= persons and bodies.shape[2:] == (joints, 3)
    if not fits or not bodies.shape[1]:
        many = f" or (M, T, {joints}, 3) with M up to {persons}"
        raise ValueError(f"the shape is {array.shape}, expected (T, {joints}, 3){many}")
    with np.errstate(over="ignore"):
        bodies = bodies.astype(find_dataset(recipe.dataset).dtype)
    if not np.isfinite(bodies).all():
        raise ValueError("a coordinate is not finite")
    if not bodies[0].any():
        raise ValueError(FIRST_NOT_TRACKED if bodies.any() else NOTHING_TRACKED)
    return bodies
