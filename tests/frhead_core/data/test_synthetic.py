from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from frhead_core.config import MODALITIES, load_recipe
from frhead_core.data import nw_ucla
from frhead_core.data.gestures import GESTURES
from frhead_core.data.loader import SampleBatches
from frhead_core.data.store import SequenceStore
from frhead_core.data.synthetic import write_nw_ucla
from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton

LAYOUT = skeleton("nw-ucla")


def read(path):
    with zipfile.ZipFile(path) as archive:
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


def coordinates(content, name):
    return np.array(content[f"all_sqe/{name}.json"]["skeletons"])


def test_layout_and_names(tmp_path):
    options = {"performers": 2, "replications": 2, "views": 2, "actions": 3, "frames": (20, 25)}
    path = write_nw_ucla(tmp_path / "deep" / "x.zip", **options)
    content = read(path)
    assert len(content) == 2 * 2 * 2 * 3
    assert list(content) == sorted(content)
    assert "all_sqe/a03_s02_e01_v02.json" in content
    assert [entry.name for entry in path.parent.iterdir()] == ["x.zip"]
    for name, recording in content.items():
        assert name == f"all_sqe/{recording['file_name']}.json"
        assert recording["label"] == nw_ucla.recording(recording["file_name"]).label + 1
        assert np.shape(recording["skeletons"])[1:] == (20, 3)
        assert 20 <= len(recording["skeletons"]) <= 25


def test_the_seed_decides_every_byte(tmp_path):
    options = {"performers": 1, "replications": 1, "views": 1}
    one, same, other = (
        write_nw_ucla(tmp_path / f"{number}.zip", seed=seed, **options).read_bytes()
        for number, seed in enumerate((4, 4, 5))
    )
    assert one == same
    assert one != other


def test_views_are_cameras_in_different_places(synthetic_zip):
    content = read(synthetic_zip)
    left, right = LAYOUT.joints.index("left hip"), LAYOUT.joints.index("right hip")
    facing = []
    for view in (1, 2, 3):
        hips = coordinates(content, f"a03_s02_e00_v0{view}")[:, [left, right]]
        across = (hips[:, 1] - hips[:, 0]).mean(axis=0)
        facing.append(np.arctan2(across[2], across[0]))
    assert np.abs(np.subtract.outer(facing, facing))[np.triu_indices(3, 1)].min() > 0.1


def bone_lengths(content, performer):
    joints = coordinates(content, f"a01_s{performer:02}_e00_v01")
    child, parent = np.array(LAYOUT.edges).T
    return np.linalg.norm(joints[:, child] - joints[:, parent], axis=2).mean(axis=0)


def test_bones_are_of_human_length_and_differ_between_performers(synthetic_zip):
    content = read(synthetic_zip)
    one, other = bone_lengths(content, 1), bone_lengths(content, 2)
    assert ((one > 0.05) & (one < 0.5)).all()
    assert np.abs(one / other - 1).max() > 0.03


def test_the_figure_stands_upright_before_the_camera(synthetic_zip):
    content = read(synthetic_zip)
    head, foot, left, right = (
        LAYOUT.joints.index(name) for name in ("head", "left foot", "left hip", "right hip")
    )
    for view in (1, 2, 3):
        first = coordinates(content, f"a03_s01_e00_v0{view}")[0]
        assert 1.2 < first[head, 1] - first[foot, 1] < 2.0
        assert (first[:, 2] > 1.5).all()
        assert first[left, 0] < first[right, 0]


def test_actions_are_what_they_are_called(synthetic_zip):
    content = read(synthetic_zip)
    hand, hip = LAYOUT.joints.index("right hand"), LAYOUT.joints.index("hip center")
    by_name = {
        name: coordinates(content, f"a{number:02}_s01_e00_v03")
        for number, name in nw_ucla.ACTIONS.items()
    }
    stooping = by_name["pick up with one hand"][:, hand, 1]
    assert stooping.min() < stooping[0] - 0.2
    sitting, rising = by_name["sit down"][:, hip, 1], by_name["stand up"][:, hip, 1]
    assert sitting[-1] < sitting[0] - 0.2
    assert rising[-1] > rising[0] + 0.2
    walking = by_name["walk around"][:, hip]
    assert np.linalg.norm(np.diff(walking, axis=0), axis=1).sum() > 0.8
    throwing = by_name["throw"][:, hand, 1]
    assert throwing.max() > throwing[0] + 0.4
    assert set(GESTURES) == set(nw_ucla.ACTIONS)


@pytest.mark.parametrize("modality", MODALITIES)
def test_classes_can_be_told_apart_across_views(synthetic_store, modality):
    """Nearest class mean of the training views, for the test view: chance is 10%."""
    store = SequenceStore.open(synthetic_store)

    def samples(part):
        loader = SampleBatches(
            store,
            store.rows("demo-nw-ucla", part),
            loader=load_recipe("demo-nw-ucla").loader,
            skeleton=LAYOUT,
            modality=modality,
            batch_size=100,
            training=False,
        )
        (batch,) = loader.epoch()
        return batch.coordinates.numpy().reshape(len(batch.rows), -1), batch.labels.numpy()

    x, y = samples("train")
    test_x, test_y = samples("test")
    means = np.stack([x[y == label].mean(axis=0) for label in range(10)])
    distance = np.square(test_x[:, None] - means).sum(axis=2)
    accuracy = (distance.argmin(axis=1) == test_y).mean()
    assert accuracy >= (0.4 if modality == "bone_motion" else 0.8)


def test_numbers_out_of_range(tmp_path):
    with pytest.raises(InputError, match="actions: out of range; found 11; expected 1 to 10"):
        write_nw_ucla(tmp_path / "x.zip", performers=1, replications=1, actions=11)
    with pytest.raises(InputError, match="performers: out of range; found 0"):
        write_nw_ucla(tmp_path / "x.zip", performers=0, replications=1)
    assert not list(tmp_path.iterdir())
