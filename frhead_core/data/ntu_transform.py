"""NTU RGB+D's transforms: crop in time, resize in time, turn, scale bones, mask. All in float32."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from frhead_core.config import NTULoader
from frhead_core.data.ragged import RaggedBatch
from frhead_core.data.rotations import about_x, about_y, about_z
from frhead_core.errors import InputError
from frhead_core.skeletons import Skeleton

_SHORTEST_RANDOM_CROP = 64  # frames; shorter sequences are taken whole


class NTUTransform:
    """Makes model inputs of centred NTU sequences.

    Args:
        settings: The recipe's loader section.
        skeleton: The joint layout; its chain of bones is needed to scale them.
    """

    def __init__(self, settings: NTULoader, skeleton: Skeleton) -> None:
        if settings.random_scale > 0 and not skeleton.chain:
            raise InputError(
                "this joint layout has no chain of bones to scale",
                field="loader.random_scale",
                found=skeleton.name,
            )
        self._settings = settings
        self._skeleton = skeleton

    def __call__(
        self, batch: RaggedBatch, generators: Sequence[np.random.Generator] | None
    ) -> np.ndarray:
        """Transform a batch: as in training with one generator a sample, else as in evaluation.

        Returns:
            (N, C, T, V, M) float32.

        Raises:
            InputError: If a sequence has no frame with any value other than zero.
        """
        valid = valid_frames(batch)
        if generators is None:
            begin, length = centre_crop(valid, self._settings.test_crop)
            return self._resized(batch, begin, length)
        crops = [random_crop(n, self._settings.train_crop, g) for n, g in _pairs(valid, generators)]
        begin, length = np.array(crops, dtype=np.int64).T
        return self._augmented(self._resized(batch, begin, length), generators)

    def _resized(self, batch: RaggedBatch, begin: np.ndarray, length: np.ndarray) -> np.ndarray:
        persons, lone_body = self._settings.persons, self._settings.lone_body
        return crop_and_resize(batch, begin, length, self._settings.window, persons, lone_body)

    def _augmented(
        self, coordinates: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> np.ndarray:
        settings, bones = self._settings, len(self._skeleton.chain)
        if settings.random_rotation > 0:
            limit = settings.random_rotation
            angles = np.array([g.uniform(-limit, limit, 3) for g in generators], dtype=np.float32)
            coordinates = rotate(coordinates, rotation_matrices(angles))
        if settings.random_scale > 0:
            limit = settings.random_scale
            factors = 1 + np.array([g.uniform(-limit, limit, bones) for g in generators])
            coordinates = scale_bones(coordinates, factors.astype(np.float32), self._skeleton)
        if settings.frame_mask > 0:
            window = settings.window
            count = int(window * settings.frame_mask)
            hidden = np.array([g.integers(0, window, count) for g in generators])
            coordinates = mask_frames(coordinates, hidden)
        return coordinates


def valid_frames(batch: RaggedBatch) -> np.ndarray:
    """How many frames of each sequence have any value other than zero: (N,) int64.

    A count, not a place: the crop takes the first that many frames, so a hole in a sequence
    costs frames at its end, as in the reference.

    Raises:
        InputError: If a sequence has none.
    """
    used: np.ndarray = np.any(batch.rows, axis=(1, 2))
    valid = np.add.reduceat(_any_body(used, batch), batch.starts)
    if not valid.all():
        name = batch.names[np.flatnonzero(valid == 0)[0]]
        raise InputError("every frame of the sequence is zero", field=str(name))
    return valid


def centre_crop(valid: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """First frame and length, two (N,) int64, of the middle ``share`` of ``valid`` frames."""
    begin = ((1 - share) * valid / 2).astype(np.int64)
    begin = np.minimum(begin, (valid - 1) // 2)  # a share of 0 still keeps a frame
    return begin, valid - 2 * begin


def random_crop(
    valid: int, interval: tuple[float, float], generator: np.random.Generator
) -> tuple[int, int]:
    """First frame and length of a random stretch of ``valid`` frames."""
    length = crop_length(valid, generator.random(), interval)
    return int(generator.integers(0, valid - length, endpoint=True)), length


def crop_length(valid: int, draw: float, interval: tuple[float, float]) -> int:
    """Length of a random crop: a share of ``valid`` frames, but at least 64 or all.

    Args:
        valid: Frames to crop from.
        draw: A number from 0 to 1.
        interval: Smallest and largest share.
    """
    low, high = interval
    share = draw * (high - low) + low
    return min(max(int(valid * share), _SHORTEST_RANDOM_CROP), valid)


def crop_and_resize(
    batch: RaggedBatch,
    begin: np.ndarray,
    length: np.ndarray,
    window: int,
    persons: int,
    lone_body: str,
) -> np.ndarray:
    """Crop to ``length`` (N,) frames from ``begin`` (N,) and resize to ``window`` by interpolation.

    Linear in time, as an image is resized without aligned corners or smoothing; every joint,
    axis and person alike. Where a sequence has fewer bodies than ``persons``, the places are
    zeros or, with ``lone_body="repeat"``, a lone body once more.

    Returns:
        (N, C, T, V, M) float32.
    """
    lower, upper, weight = _interpolation(length, window)
    person = np.arange(persons)[np.newaxis, :, np.newaxis]
    bodies = batch.bodies[:, np.newaxis, np.newaxis]
    body = np.minimum(person, bodies - 1)
    first = (batch.starts + begin)[:, np.newaxis, np.newaxis]
    first = first + body * batch.frames[:, np.newaxis, np.newaxis]  # N M 1
    before = batch.rows[first + lower[:, np.newaxis]]  # N M T V C
    after = batch.rows[first + upper[:, np.newaxis]]
    weight = weight[:, np.newaxis, :, np.newaxis, np.newaxis]
    resized = (1 - weight) * before + weight * after
    filled = (person < bodies) | ((bodies == 1) & (lone_body == "repeat"))
    resized *= filled[..., np.newaxis, np.newaxis]
    result: np.ndarray = resized.transpose(0, 4, 2, 3, 1)
    return result


def rotation_matrices(angles: np.ndarray) -> np.ndarray:
    """Rz Ry Rx of angles (N, 3) in radians about x, y and z: (N, 3, 3)."""
    x, y, z = angles.T
    matrices: np.ndarray = about_z(z) @ about_y(y) @ about_x(x)
    return matrices


def rotate(coordinates: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Every sample of (N, C, T, V, M) turned by its matrix of (N, 3, 3)."""
    count, channels, *rest = coordinates.shape
    turned: np.ndarray = matrices @ coordinates.reshape(count, channels, -1)
    return turned.reshape(count, channels, *rest)


def scale_bones(coordinates: np.ndarray, factors: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Every bone made longer or shorter; the chain's first joint stays, zero bodies stay zero.

    Args:
        coordinates: (N, C, T, V, M).
        factors: (N, B) one for each bone of the skeleton's chain; mirrored bones get the mean.
        skeleton: The joint layout.

    Returns:
        (N, C, T, V, M).
    """
    factors = factors @ skeleton.mirror_mean()
    root = coordinates[..., skeleton.chain[0][0], :][..., np.newaxis, :]
    bones = skeleton.pose_to_bones() @ coordinates  # N C T B M
    length = np.sqrt(np.square(bones).sum(axis=1, keepdims=True))
    factors = factors[:, np.newaxis, np.newaxis, :, np.newaxis]
    scaled = bones * length * factors / (length + np.float32(1e-8))
    result: np.ndarray = root + skeleton.bones_to_pose() @ scaled
    return result


def mask_frames(coordinates: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """(N, C, T, V, M) with the frames ``hidden`` (N, F) of each sample set to zero."""
    shown = np.ones((len(coordinates), 1, coordinates.shape[2], 1, 1), dtype=coordinates.dtype)
    shown[np.arange(len(coordinates))[:, np.newaxis], 0, hidden] = 0
    masked: np.ndarray = coordinates * shown
    return masked


def _any_body(used: np.ndarray, batch: RaggedBatch) -> np.ndarray:
    """Per row whether any body of its frame is used; counted once, in the first body's rows."""
    frames = np.repeat(batch.frames, batch.lengths)
    place = np.arange(len(used)) - np.repeat(batch.starts, batch.lengths)
    first_rows = np.repeat(batch.starts, batch.lengths) + place % frames
    counted = np.zeros(len(used), dtype=np.int64)
    counted[first_rows[used]] = 1
    return counted


def _interpolation(length: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames before and after, and the weight of the latter: three (N, window)."""
    half = np.float32(0.5)
    ratio = length.astype(np.float32)[:, np.newaxis] / np.float32(window)
    places = ratio * (np.arange(window, dtype=np.float32) + half) - half
    places = np.maximum(places, np.float32(0))
    lower = places.astype(np.int64)
    upper = np.minimum(lower + 1, length[:, np.newaxis] - 1)
    return lower, upper, places - lower.astype(np.float32)


def _pairs(
    valid: np.ndarray, generators: Sequence[np.random.Generator]
) -> list[tuple[int, np.random.Generator]]:
    return list(zip(valid.tolist(), generators, strict=True))
