"""Joint layouts of the datasets: names, bones, and the graph of the models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frhead_core.errors import InputError
from frhead_core.skeleton_layout import SkeletonLayout

Pair = tuple[int, int]


@dataclass(frozen=True)
class Skeleton:
    """A joint layout. All joint numbers are 0-based.

    Attributes:
        name: What recipes call it.
        joints: Name of each joint.
        edges: Links (child, parent) that point inward, to the root.
        center: The joint that preparation moves to the origin (the middle of the spine).
        chain: Bones (parent, child) in an order in which every parent is placed before its
            children, from the first bone's parent outward: for scaling bones. Empty if unknown.
        mirrored: Pairs of indices into ``chain``: a bone of the left and the same of the right.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[Pair, ...]
    center: int
    chain: tuple[Pair, ...] = ()
    mirrored: tuple[Pair, ...] = ()

    @property
    def bone_pairs(self) -> tuple[Pair, ...]:
        """(joint, partner) for every joint in order; the root is its own partner (a zero bone)."""
        partner = dict(self.edges)
        return tuple((joint, partner.get(joint, joint)) for joint in range(len(self.joints)))

    def adjacency(self) -> np.ndarray:
        """The graph in three parts: self, inward, outward (spatial partitioning of ST-GCN).

        A link from joint i to joint j is entry [j, i]; then every column is divided by its sum.

        Returns:
            (3, V, V) float64.
        """
        count = len(self.joints)
        child, parent = np.array(self.edges).T
        graph = np.zeros((3, count, count))
        graph[0] = np.eye(count)
        graph[1, parent, child] = 1
        graph[2, child, parent] = 1
        column_sums = graph.sum(axis=1, keepdims=True)
        np.divide(graph, column_sums, out=graph, where=column_sums > 0)
        return graph

    def pose_to_bones(self) -> np.ndarray:
        """(B, V) float32 matrix that takes joint positions to the bones of ``chain``."""
        matrix = np.zeros((len(self.chain), len(self.joints)), dtype=np.float32)
        for bone, (parent, child) in enumerate(self.chain):
            matrix[bone, child] = 1
            matrix[bone, parent] = -1
        return matrix

    def bones_to_pose(self) -> np.ndarray:
        """(V, B) float32 matrix that takes bones to positions relative to the chain's root."""
        matrix = np.zeros((len(self.joints), len(self.chain)), dtype=np.float32)
        for bone, (parent, child) in enumerate(self.chain):
            matrix[child] = matrix[parent]
            matrix[child, bone] = 1
        return matrix

    def mirror_mean(self) -> np.ndarray:
        """(B, B) float32 matrix that replaces the factors of mirrored bones by their mean."""
        matrix = np.eye(len(self.chain), dtype=np.float32)
        for left, right in self.mirrored:
            matrix[[left, left, right, right], [left, right, left, right]] = 0.5
        return matrix


def _zero_based(pairs: str) -> tuple[Pair, ...]:
    """Pairs written as in the literature: ``"1-2 2-21"`` with joints counted from 1."""
    first_and_second = (pair.split("-") for pair in pairs.split())
    return tuple((int(first) - 1, int(second) - 1) for first, second in first_and_second)


_NW_UCLA = Skeleton(
    name="nw-ucla",
    joints=(
        *("hip center", "spine", "shoulder center", "head"),
        *("left shoulder", "left elbow", "left wrist", "left hand"),
        *("right shoulder", "right elbow", "right wrist", "right hand"),
        *("left hip", "left knee", "left ankle", "left foot"),
        *("right hip", "right knee", "right ankle", "right foot"),
    ),
    edges=_zero_based(
        "1-2 2-3 4-3 5-3 6-5 7-6 8-7 9-3 10-9 11-10 12-11 "
        "13-1 14-13 15-14 16-15 17-1 18-17 19-18 20-19"
    ),
    center=1,
)

_NTU = Skeleton(
    name="ntu",
    joints=(
        *("base of spine", "middle of spine", "neck", "head"),
        *("left shoulder", "left elbow", "left wrist", "left hand"),
        *("right shoulder", "right elbow", "right wrist", "right hand"),
        *("left hip", "left knee", "left ankle", "left foot"),
        *("right hip", "right knee", "right ankle", "right foot"),
        "spine between shoulders",
        *("tip of left hand", "left thumb", "tip of right hand", "right thumb"),
    ),
    edges=_zero_based(
        "1-2 2-21 3-21 4-3 5-21 6-5 7-6 8-7 9-21 10-9 11-10 12-11 "
        "13-1 14-13 15-14 16-15 17-1 18-17 19-18 20-19 22-23 23-8 24-25 25-12"
    ),
    center=1,
    chain=_zero_based(
        "1-2 2-21 21-3 3-4 21-5 5-6 6-7 7-8 8-23 23-22 21-9 9-10 10-11 11-12 12-25 25-24 "
        "1-13 13-14 14-15 15-16 1-17 17-18 18-19 19-20"
    ),
    mirrored=(
        *((left, left + 6) for left in range(4, 10)),
        *((left, left + 4) for left in range(16, 20)),
    ),
)


def _described(layout: SkeletonLayout) -> Skeleton:
    place = {joint: number for number, joint in enumerate(layout.joints)}
    edges = tuple((place[child], place[parent]) for child, parent in layout.bones)
    chain = _outward(edges, place[layout.root])
    bone_to = {child: number for number, (_, child) in enumerate(chain)}
    return Skeleton(
        name=layout.name,
        joints=layout.joints,
        edges=edges,
        center=place[layout.center],
        chain=chain,
        mirrored=tuple((bone_to[place[one]], bone_to[place[two]]) for one, two in layout.mirrored),
    )


def _outward(edges: tuple[Pair, ...], root: int) -> tuple[Pair, ...]:
    """The links of a tree as (parent, child), every parent placed before its children."""
    chain: list[Pair] = []
    placed = [root]
    for joint in placed:  # grows on the way
        children = [child for child, parent in edges if parent == joint]
        chain += [(joint, child) for child in children]
        placed += children
    return tuple(chain)


_SKELETONS = {layout.name: layout for layout in (_NW_UCLA, _NTU)}


def skeleton(name: str | SkeletonLayout) -> Skeleton:
    """The joint layout of that name, or the one that is described.

    Raises:
        InputError: If there is none of that name; the message lists the known ones.
    """
    if isinstance(name, SkeletonLayout):
        return _described(name)
    if name not in _SKELETONS:
        known = " or ".join(sorted(_SKELETONS))
        raise InputError("unknown joint layout", field="skeleton", found=name, expected=known)
    return _SKELETONS[name]
