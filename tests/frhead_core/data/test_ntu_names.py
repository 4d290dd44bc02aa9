from __future__ import annotations

import pytest

from frhead_core.data.ntu_names import NTU60, NTU120, not_found, recording
from frhead_core.data.recordings import Recording


def test_a_name_says_who_and_what():
    assert recording("S001C002P003R004A120") == Recording(
        name="S001C002P003R004A120",
        setup=1,
        camera=2,
        performer=3,
        replication=4,
        action=120,
        label=119,
    )


@pytest.mark.parametrize(
    "name", ["", "S001C002P003R001A01", "S001C002P003R001A0100", "S000C002P003R001A010", "a01_s01"]
)
def test_a_strange_name(name):
    with pytest.raises(ValueError, match="strange name, expected one like S001C002P003R001A010"):
        recording(name)


def test_the_lists_of_missing_skeletons():
    assert (len(NTU60.missing), len(NTU120.missing)) == (302, 535)
    assert NTU60.missing < NTU120.missing
    for facts in (NTU60, NTU120):
        assert all(recording(name).setup <= facts.setups for name in facts.missing)
        assert all(recording(name).action <= facts.actions for name in facts.missing)


def test_classes():
    assert (len(NTU60.classes), len(NTU120.classes)) == (60, 120)
    assert NTU120.classes[:60] == NTU60.classes
    assert len(set(NTU120.classes)) == 120
    assert (NTU60.classes[0], NTU60.classes[59]) == ("drink water", "walking apart from each other")


def whole(setup, performer):
    first = 1 if setup <= 17 else 61
    return {
        f"S{setup:03}C{camera:03}P{performer:03}R{replication:03}A{action:03}"
        for camera in (1, 2, 3)
        for replication in (1, 2)
        for action in range(first, first + 60)
    }


def test_what_is_not_found_is_told_from_who_was_recorded():
    names = whole(1, 3) | whole(18, 103)
    lost = {"S001C003P003R002A060", "S018C001P103R001A061"}
    assert not_found(NTU120, names - NTU120.missing - lost) == sorted(lost - NTU120.missing)
    assert not_found(NTU120, names - NTU120.missing) == []
