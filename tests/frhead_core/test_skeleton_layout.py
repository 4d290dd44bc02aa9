from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.data.ntu_transform import scale_bones
from frhead_core.errors import RecipeError
from frhead_core.skeleton_layout import SkeletonLayout, layout_from_mapping, load_layout
from frhead_core.skeletons import Skeleton, skeleton

TEXT = """\
name: stick
joints: [hip, chest, head, left hand, right hand]
bones:
  - [chest, hip]
  - [head, chest]
  - [left hand, chest]
  - [right hand, chest]
root: hip
center: chest
mirrored:
  - [left hand, right hand]
"""


@pytest.fixture
def stick() -> SkeletonLayout:
    return layout_from_mapping(yaml.safe_load(TEXT))


def test_a_layout_as_the_models_see_it(stick: SkeletonLayout) -> None:
    assert skeleton(stick) == Skeleton(
        name="stick",
        joints=("hip", "chest", "head", "left hand", "right hand"),
        edges=((1, 0), (2, 1), (3, 1), (4, 1)),
        center=1,
        chain=((0, 1), (1, 2), (1, 3), (1, 4)),
        mirrored=((2, 3),),
    )


@pytest.mark.parametrize("name", ["ntu", "nw-ucla"])
def test_a_described_layout_is_the_same_as_the_one_that_comes_along(name: str) -> None:
    known = skeleton(name)
    (root,) = (joint for joint, partner in known.bone_pairs if joint == partner)
    described = skeleton(
        SkeletonLayout(
            name="mine",
            joints=known.joints,
            bones=tuple(
                (known.joints[child], known.joints[parent]) for child, parent in known.edges
            ),
            root=known.joints[root],
            center=known.joints[known.center],
        )
    )
    np.testing.assert_array_equal(described.adjacency(), known.adjacency())
    assert described.bone_pairs == known.bone_pairs
    assert described.center == known.center
    assert {frozenset(bone) for bone in described.chain} == {frozenset(b) for b in known.edges}


@st.composite
def trees(draw: st.DrawFn) -> SkeletonLayout:
    """Any tree, with joints and bones in any order."""
    count = draw(st.integers(2, 12))
    parents = [draw(st.integers(0, child - 1)) for child in range(1, count)]
    bones = [(f"j{child}", f"j{parent}") for child, parent in enumerate(parents, start=1)]
    return SkeletonLayout(
        name="any",
        joints=tuple(draw(st.permutations([f"j{number}" for number in range(count)]))),
        bones=tuple(draw(st.permutations(bones))),
        root="j0",
        center=f"j{draw(st.integers(0, count - 1))}",
    )


@given(trees())
def test_every_tree_has_a_graph_and_a_chain(layout: SkeletonLayout) -> None:
    made = skeleton(layout)
    names = made.joints
    assert {(names[child], names[parent]) for child, parent in made.edges} == set(layout.bones)
    graph = made.adjacency()
    assert set(graph.sum(axis=1).ravel().round(6)) <= {0.0, 1.0}
    placed = {names.index("j0")}
    for parent, child in made.chain:
        assert parent in placed and child not in placed
        placed.add(child)
    assert len(placed) == len(names)
    pose = np.random.default_rng(1).normal(size=(len(names), 3)).astype(np.float32)
    back = made.bones_to_pose() @ (made.pose_to_bones() @ pose)
    np.testing.assert_allclose(back, pose - pose[names.index("j0")], atol=1e-5)


def test_bones_are_scaled_outward_from_the_root(stick: SkeletonLayout) -> None:
    made = skeleton(stick)
    pose = np.random.default_rng(1).normal(size=(1, 3, 1, 5, 1)).astype(np.float32)
    factors = np.array([[1.5, 1, 0.5, 1.5]], dtype=np.float32)  # the hands get the mean, 1
    scaled = scale_bones(pose, factors, made)[0, :, 0, :, 0].T
    before = pose[0, :, 0, :, 0].T
    np.testing.assert_allclose(scaled[0], before[0], atol=1e-6)
    np.testing.assert_allclose(scaled[1] - scaled[0], 1.5 * (before[1] - before[0]), atol=1e-5)
    for tip in (2, 3, 4):
        np.testing.assert_allclose(scaled[tip] - scaled[1], before[tip] - before[1], atol=1e-5)


def without(key: str) -> Any:
    return lambda text: "".join(
        line for line in text.splitlines(keepends=True) if not line.startswith(f"{key}:")
    )


def instead(old: str, new: str) -> Any:
    return lambda text: text.replace(old, new)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("root"), r"stick\.yaml: root: is missing"),
        (instead("root", "rood"), r"stick\.yaml:8: rood: unknown key. Did you mean root\?"),
        (instead("name: stick", "name: ntu"), r":1: name: 'ntu' cannot be the name of an own"),
        (instead("head, left", "hip, left"), r":2: joints\.2: 'hip' is there twice"),
        (instead("[head, chest]", "[head, neck]"), r":5: bones\.1: 'neck' is none of the joints"),
        (instead("[head, chest]", "[head]"), r":5: bones\.1\.1: is missing"),
        (instead("[head, chest]", "[chest, head]"), r":5: bones\.1: 'chest' has a parent already"),
        (instead("[head, chest]", "[hip, head]"), r":5: bones\.1: 'hip' is the root and has no"),
        (instead("  - [head, chest]\n", ""), r":2: joints\.2: no bone connects 'head' with its"),
        (instead("[head, chest]", "[head, head]"), r":5: bones\.1: leads in a ring.*head - head"),
        (
            instead("chest]\n  - [left hand, chest", "left hand]\n  - [left hand, head"),
            r":5: bones\.1: leads in a ring and not to the root: head - left hand - head",
        ),
        (instead("root: hip", "root: feet"), r":8: root: 'feet' is none of the joints"),
        (instead("center: chest", "center: Chest"), r":9: center: 'Chest' is none of the joints"),
        (instead("[left hand, right hand]\n", "[hip, head]\n"), r"mirrored\.0: 'hip' is the root"),
        (instead("- [left hand, r", "- [head, left hand]\n  - [left hand, r"), r"mirrored\.1: "),
        (instead("head", "no"), r":2: joints\.2: input should be a valid string; found False"),
        (instead("[hip, chest, head, left hand, right hand]", "[hip]"), "at least two joints"),
        (lambda text: text + "name: again\n", r":12: name: is there twice, first in line 1"),
        (lambda text: "[1]", r"is not a joint layout; found list"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(change: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "stick.yaml"
    path.write_text(change(TEXT))
    with pytest.raises(RecipeError, match=message) as caught:
        load_layout(path)
    assert str(caught.value).startswith(str(path))


def test_a_layout_survives_json(stick: SkeletonLayout, tmp_path: Path) -> None:
    path = tmp_path / "stick.yaml"
    path.write_text(TEXT)
    assert load_layout(path) == stick
    data = {key: getattr(stick, key) for key in ("name", "joints", "bones", "root", "center")}
    again = layout_from_mapping(json.loads(json.dumps(data | {"mirrored": stick.mirrored})))
    assert again == stick
