from __future__ import annotations

import numpy as np
import pytest

from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton

LAYOUTS = [skeleton("nw-ucla"), skeleton("ntu")]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_edges_make_a_tree(layout):
    joints = range(len(layout.joints))
    children = [child for child, _ in layout.edges]
    (root,) = set(joints) - set(children)
    assert len(children) == len(set(children)) == len(layout.joints) - 1
    parent = dict(layout.edges)
    for joint in joints:
        ancestor = joint
        for _ in layout.edges:
            ancestor = parent.get(ancestor, ancestor)
        assert ancestor == root


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_adjacency(layout):
    own, inward, outward = layout.adjacency()
    count = len(layout.joints)
    np.testing.assert_array_equal(own, np.eye(count))
    children = np.bincount([parent for _, parent in layout.edges], minlength=count)
    for child, parent in layout.edges:
        assert inward[parent, child] == 1
        assert outward[child, parent] == 1 / children[parent]
    assert np.count_nonzero(inward) == np.count_nonzero(outward) == len(layout.edges)


def test_roots_and_centres():
    roots = {}
    for layout in LAYOUTS:
        (root,) = (joint for joint, partner in layout.bone_pairs if joint == partner)
        roots[layout.name] = layout.joints[root]
    assert roots == {"nw-ucla": "shoulder center", "ntu": "spine between shoulders"}
    assert [layout.joints[layout.center] for layout in LAYOUTS] == ["spine", "middle of spine"]


def test_bone_pairs_name_every_joint_once_in_order():
    for layout in LAYOUTS:
        assert [joint for joint, _ in layout.bone_pairs] == list(range(len(layout.joints)))


def test_chain_places_parents_before_children():
    ntu = skeleton("ntu")
    placed = {ntu.chain[0][0]}
    for parent, child in ntu.chain:
        assert parent in placed
        assert child not in placed
        placed.add(child)
    assert placed == set(range(25))


def test_mirrored_bones_are_the_same_on_either_side():
    ntu = skeleton("ntu")
    for left, right in ntu.mirrored:
        for one, other in zip(ntu.chain[left], ntu.chain[right], strict=True):
            assert ntu.joints[one].replace("left", "right") == ntu.joints[other]


def test_bones_and_poses_undo_each_other():
    ntu = skeleton("ntu")
    pose = np.random.default_rng(0).normal(size=(25, 3)).astype(np.float32)
    back = ntu.bones_to_pose() @ (ntu.pose_to_bones() @ pose)
    np.testing.assert_allclose(back, pose - pose[0], atol=1e-5)


def test_unknown_layout_lists_the_known():
    with pytest.raises(InputError, match="found coco; expected ntu or nw-ucla"):
        skeleton("coco")
