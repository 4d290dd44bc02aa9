"""Graphs, transforms and modalities against the reference, for every file in the folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from frhead_core.config import MODALITIES, Modality, NTULoader, Preparation, load_recipe
from frhead_core.data import ntu_transform, nw_ucla, nw_ucla_transform
from frhead_core.data.datasets import (
    denoise_skeletons,
    extract_raw_skeletons,
    transform_sequences,
)
from frhead_core.data.loader import SampleBatches
from frhead_core.data.modalities import apply_modality
from frhead_core.data.ragged import RaggedBatch
from frhead_core.data.store import SequenceStore
from frhead_core.skeletons import skeleton
from tests.golden.files import FEEDERS, each, read_arrays

FILES = sorted(path.stem for path in FEEDERS.glob("*.npz"))
LAYOUTS = {"ucla": "nw-ucla", "ntu_rgb_d": "ntu"}
NTU, NW_UCLA = skeleton("ntu"), skeleton("nw-ucla")

pytestmark = pytest.mark.golden

Arrays = dict[str, np.ndarray]
CHECKS: dict[str, Callable[[Arrays], None]] = {}


def checks(function: Callable[[Arrays], None]) -> Callable[[Arrays], None]:
    """Registers a check for the files whose names begin with the function's."""
    CHECKS[function.__name__] = function
    return function


def check_of(file: str) -> str | None:
    """The most special of the checks that are meant for a file."""
    return max((name for name in CHECKS if file.startswith(name)), key=len, default=None)


def exactly(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(found, expected)


def within(tolerance: float, found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def sharply(found: np.ndarray, expected: np.ndarray) -> None:
    within(1e-12, found, expected)


def closely(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == np.float32
    within(1e-6 * float(np.abs(expected).max()), found, expected)


def under(arrays: Arrays, prefix: str) -> Arrays:
    """The arrays in a folder of the file, by the rest of their names; there must be some."""
    found = {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    assert found, f"no {prefix}*"
    return found


def in_order(clips: Arrays) -> list[np.ndarray]:
    """Clips by the number that is their name."""
    return [clips[name] for name in sorted(clips, key=int)]


def modalities_in(arrays: Arrays) -> list[Modality]:
    found = [modality for modality in MODALITIES if modality in arrays]
    assert found, "no modality"
    return found


@checks
def graphs(arrays: Arrays) -> None:
    names = {name.split("/")[0] for name in arrays}
    assert names <= set(LAYOUTS)
    for name in names:
        layout = skeleton(LAYOUTS[name])
        exactly(layout.adjacency(), arrays[f"{name}/A"])
        exactly(np.array(layout.edges), arrays[f"{name}/inward"])
        pairs = sorted(map(tuple, arrays[f"{name}/bone_pairs"].tolist()))
        exactly(np.array(layout.bone_pairs), np.array(pairs))


def ucla_batch(raw: list[np.ndarray], names: np.ndarray) -> RaggedBatch:
    centred = [clip - clip[0, NW_UCLA.center] for clip in raw]
    frames = np.array([len(clip) for clip in raw])
    return RaggedBatch(names, np.concatenate(centred), frames, np.ones_like(frames))


@checks
def nw_ucla_test_transform(arrays: Arrays) -> None:
    names = arrays["sample_names"]
    batch = ucla_batch(in_order(under(arrays, "raw/")), names)
    exactly(batch.frames, arrays["lengths"])
    exactly(np.array([nw_ucla.recording(str(name)).label for name in names]), arrays["labels"])
    exactly(np.array(nw_ucla.test_names())[arrays["list_index"]], names)
    modalities = modalities_in(arrays)
    window = arrays[modalities[0]].shape[2]
    draws = nw_ucla_transform.still_draws(batch.frames, window)
    joint = nw_ucla_transform.transform(batch, draws)
    for modality in modalities:
        sharply(apply_modality(joint, modality, NW_UCLA), arrays[modality])


@checks
def nw_ucla_train_transform(arrays: Arrays) -> None:
    raw = under(arrays, "raw/")
    labels = [nw_ucla.recording(str(name)).label for name in arrays["sample_names"]]
    exactly(np.array(labels), arrays["labels"])
    drawn = under(arrays, "agx_agy_s/")
    clips = [clip_and_draw.split("_")[0] for clip_and_draw in drawn]
    batch = ucla_batch([raw[clip] for clip in clips], np.array(clips))
    parameters = np.array(list(drawn.values()))
    frames = np.array([arrays[f"frame_index/{key}"] for key in drawn])
    draws = nw_ucla_transform.Draws(parameters[:, :2], parameters[:, 2], frames)
    turned = nw_ucla_transform.turn(batch, draws)
    low, high = nw_ucla_transform.extent(turned, batch.starts)
    per_row = np.repeat(np.arange(len(drawn)), batch.lengths)
    fitted = nw_ucla_transform.fit_to_unit_cube(
        turned, low[per_row][:, np.newaxis], high[per_row][:, np.newaxis]
    )
    joint = nw_ucla_transform.transform(batch, draws)
    for sample, key in enumerate(drawn):
        sharply(turned[per_row == sample], arrays[f"rotated/{key}"])
        sharply(fitted[per_row == sample], arrays[f"scaled/{key}"])
        for modality in MODALITIES:
            sharply(apply_modality(joint[sample], modality, NW_UCLA), arrays[f"{modality}/{key}"])


def ntu_batch(clips: np.ndarray) -> RaggedBatch:
    """Clips (N, C, T, V, M), all frames and bodies stored."""
    count, channels, frames, joints, bodies = clips.shape
    rows = clips.transpose(0, 4, 2, 3, 1).reshape(-1, joints, channels)
    names = np.array([f"clip {number}" for number in range(count)], dtype=object)
    return RaggedBatch(names, rows, np.full(count, frames), np.full(count, bodies))


def cut(x: np.ndarray, valid: int) -> RaggedBatch:
    """One clip (C, T, V, M) whose frames from ``valid`` on are zero."""
    clip = x.copy()
    clip[:, valid:] = 0
    batch = ntu_batch(clip[np.newaxis])
    exactly(ntu_transform.valid_frames(batch), np.array([valid]))
    return batch


def check_centre_crop(x: np.ndarray, valid: int, share: float, expected: np.ndarray) -> None:
    batch = cut(x, valid)
    begin, length = ntu_transform.centre_crop(np.array([valid]), share)
    window = expected.shape[1]
    found = ntu_transform.crop_and_resize(batch, begin, length, window, 2, "zeros")
    closely(found[0], expected)


@checks
def ntu_valid_crop_resize(arrays: Arrays) -> None:
    checked = 0
    for name, expected in arrays.items():
        if match := re.fullmatch(r"center_p(\d+)_w\d+/(\d+)", name):
            check_centre_crop(arrays["x"], int(match[2]), int(match[1]) / 100, expected)
            checked += 1
        elif match := re.fullmatch(r"center_other/len(\d+)_p([\d.]+)_w\d+", name):
            check_centre_crop(arrays["x"], int(match[1]), float(match[2]), expected)
            checked += 1
        elif re.fullmatch(r"random_p\d+_\d+_draws", name):
            checked += check_random_crops(arrays, name)
    assert checked


def check_random_crops(arrays: Arrays, draws_name: str) -> int:
    stem = draws_name.removesuffix("_draws")
    interval = tuple(int(part) / 100 for part in re.findall(r"\d+", stem)[:2])
    folder = next(name for name in arrays if name.startswith(f"{stem}_w")).split("/")[0]
    for number, (valid, draw, begin, length) in enumerate(arrays[draws_name]):
        expected = arrays[f"{folder}/{number}"]
        assert ntu_transform.crop_length(int(valid), draw, interval) == length
        found = ntu_transform.crop_and_resize(
            cut(arrays["x_long"], int(valid)),
            np.array([int(begin)]),
            np.array([int(length)]),
            expected.shape[1],
            2,
            "zeros",
        )
        closely(found[0], expected)
    return len(arrays[draws_name])


def trimmed(clips: np.ndarray) -> RaggedBatch:
    """Clips (N, C, T, V, M) as a store holds them: no padding behind them, no absent body."""
    rows, frames, bodies = [], [], []
    for clip in clips:
        used = np.argwhere(clip.any(axis=(0, 2)))
        frames.append(used[:, 0].max() + 1)
        bodies.append(used[:, 1].max() + 1)
        rows.append(clip[:, : frames[-1], :, : bodies[-1]].transpose(3, 1, 2, 0))
    names = np.array([f"clip {number}" for number in range(len(clips))], dtype=object)
    packed = np.concatenate([clip.reshape(-1, *clip.shape[2:]) for clip in rows])
    return RaggedBatch(names, packed, np.array(frames), np.array(bodies))


@checks
def ntu_feeder_test(arrays: Arrays) -> None:
    x, out = arrays["x_test"], arrays["out"]
    exactly(arrays["y_test"].argmax(axis=1), arrays["labels"])
    clips = x.reshape(*x.shape[:2], 2, 25, 3).transpose(0, 4, 1, 3, 2)
    batch = ntu_batch(clips)
    exactly(ntu_transform.valid_frames(batch), arrays["valid_frame_num"])
    settings = NTULoader(
        transform="ntu",
        window=out.shape[2],
        persons=2,
        repeat=1,
        train_crop=(0.5, 1.0),
        test_crop=0.95,
        random_rotation=0.3,
        random_scale=0.2,
        lone_body="zeros",
    )
    found = ntu_transform.NTUTransform(settings, NTU)(batch, None)
    closely(found, out)
    closely(ntu_transform.NTUTransform(settings, NTU)(trimmed(clips), None), out)
    if "last_joint_motion_bone" in arrays:
        closely(apply_modality(found, "bone_motion", NTU), arrays["last_joint_motion_bone"])


@checks
def ntu_modality(arrays: Arrays) -> None:
    for modality in modalities_in(arrays):
        closely(apply_modality(arrays["x"], modality, NTU), arrays[modality])


@checks
def ntu_augment(arrays: Arrays) -> None:
    matrices = {
        "pose_to_bone_matrix": NTU.pose_to_bones(),
        "bone_to_pose_matrix": NTU.bones_to_pose(),
        "symmetry_matrix": NTU.mirror_mean(),
        "bone_directed_pairs": np.array(NTU.chain),
        "bone_symmetric_pairs": np.array(NTU.mirrored),
    }
    for name in matrices.keys() & arrays.keys():
        exactly(matrices[name], arrays[name])
    if "angles" in arrays:
        closely(ntu_transform.rotation_matrices(arrays["angles"]), arrays["rotation_matrices"])
    drawn_before = {name: name.rpartition("/")[0] for name in arrays if name.endswith("/out")}
    assert drawn_before or matrices.keys() & arrays.keys()
    for name, case in drawn_before.items():
        closely(augmented(arrays, case), arrays[name])


def augmented(arrays: Arrays, case: str) -> np.ndarray:
    """The clip as a random change made it, from the numbers that were drawn for the case."""
    x = arrays["x"][np.newaxis]
    if case.startswith("random_rot/"):
        matrices = ntu_transform.rotation_matrices(arrays[f"{case}/angles"][np.newaxis])
        return ntu_transform.rotate(x, matrices)[0]
    if case.startswith("random_scale/"):
        return ntu_transform.scale_bones(x, arrays[f"{case}/scale"][np.newaxis], NTU)[0]
    assert case.startswith("random_mask"), f"nothing is known of {case}"
    return ntu_transform.mask_frames(x, arrays[f"{case}/frames"][np.newaxis])[0]


@pytest.mark.parametrize("file", each(FILES, "feeders"))
def test_feeder_file(file: str) -> None:
    name = check_of(file)
    if name is None:
        pytest.skip(f"nothing is known of feeders/{file}.npz")
    CHECKS[name](read_arrays(FEEDERS / f"{file}.npz"))


CLIPS = [file for file in FILES if check_of(file) == "nw_ucla_test_transform"]


@pytest.mark.parametrize("file", each(CLIPS, "test clips of NW-UCLA"))
def test_from_raw_files_to_batches(file: str, tmp_path: Path) -> None:
    arrays = read_arrays(FEEDERS / f"{file}.npz")
    raw = tmp_path / "raw"
    raw.mkdir()
    names, clips = arrays["sample_names"].tolist(), in_order(under(arrays, "raw/"))
    for name, label, clip in zip(names, arrays["labels"].tolist(), clips, strict=True):
        content = {"file_name": name, "skeletons": clip.tolist(), "label": label + 1}
        (raw / f"{name}.json").write_text(json.dumps(content))
    recipe = load_recipe("nw-ucla")
    found = Preparation(official_list=False)
    extract_raw_skeletons("nw-ucla", raw, tmp_path / "bodies", found, "mark")
    denoise_skeletons("nw-ucla", tmp_path / "bodies", tmp_path / "denoised", found)
    transform_sequences(
        "nw-ucla", tmp_path / "denoised", tmp_path / "store", {"nw-ucla": recipe.split}, found
    )
    store = SequenceStore.open(tmp_path / "store")
    in_golden_order = [store.index["name"].tolist().index(name) for name in names]
    for modality in modalities_in(arrays):
        batches = SampleBatches(
            store,
            np.array(in_golden_order),
            loader=recipe.loader,
            skeleton=NW_UCLA,
            modality=modality,
            batch_size=5,
            training=False,
        )
        batch = np.concatenate([batch.coordinates.numpy() for batch in batches.epoch()])
        closely(batch, arrays[modality].astype(np.float32))
