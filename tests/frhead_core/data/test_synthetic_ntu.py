from __future__ import annotations

import json
import re
import zipfile
from itertools import pairwise

import numpy as np
import pytest

from frhead_core.config import load_recipe
from frhead_core.data.synthetic_noise import NoiseShares
from frhead_core.data.synthetic_ntu import ACTIONS, RECORD, write_ntu
from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton

FEW = {"setups": (1,), "cameras": (1,), "performers": (1,), "actions": (5, 50)}
NONE = dict.fromkeys(vars(NoiseShares()), 0.0)
NTU60 = [action for action in ACTIONS if action <= 60]


def read(path):
    """Text of every recording by its name, and the record."""
    with zipfile.ZipFile(path) as archive:
        texts = {
            name.rpartition("/")[2].removesuffix(".skeleton"): archive.read(name).decode()
            for name in archive.namelist()
            if name.endswith(".skeleton")
        }
        return texts, json.loads(archive.read(RECORD))


def frames_of(text):
    """For every frame its bodies: (id, (25, 12) numbers)."""
    lines = iter(text.split("\n"))
    frames = []
    for _ in range(int(next(lines))):
        bodies = []
        for _ in range(int(next(lines))):
            body = next(lines).split()
            assert len(body) == 10
            assert int(next(lines)) == 25
            joints = np.array([[float(word) for word in next(lines).split()] for _ in range(25)])
            bodies.append((body[0], joints))
        frames.append(bodies)
    assert list(lines) == [""]
    return frames


def seen(frames, body):
    return [number for number, bodies in enumerate(frames) if body in dict(bodies)]


def only(kind, **more):
    return NoiseShares(**(NONE | {kind: 1.0} | more))


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    path = tmp_path_factory.mktemp("ntu") / "raw.zip"
    return read(write_ntu(path, setups=(1, 2), cameras=(1, 3), performers=(1, 3), actions=NTU60))


def test_names_and_what_each_split_gets(usual):
    texts, record = usual
    assert list(texts) == sorted(texts) == list(record["recordings"])
    assert len(texts) == 2 * 2 * 2 * 10
    numbers = [re.fullmatch(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", name) for name in texts]
    assert {int(match[5]) for match in numbers} == set(NTU60)
    everything = {"performer": {1, 2, 3}, "camera": {1, 2, 3}, "setup": {1, 2, 18, 19}}
    for name in ("demo", "ntu60-xsub", "ntu60-xview", "ntu120-xsub", "ntu120-xset"):
        split = load_recipe(name).split
        assert everything[split.column] & set(split.train)
        assert everything[split.column] & set(split.test)


def test_actions_lie_in_the_setups_that_have_them(tmp_path):
    texts, _ = read(write_ntu(tmp_path / "x.zip", **FEW | {"setups": (17, 18), "actions": (1, 61)}))
    assert list(texts) == ["S017C001P001R001A001", "S018C001P001R001A061"]


def test_the_files_hold_what_the_record_says(usual):
    texts, record = usual
    for name, text in texts.items():
        what = record["recordings"][name]
        assert ("\r\n" in text) != ("line_feed" in what["noise"])
        frames = frames_of(text.replace("\r\n", "\n"))
        assert len(frames) == what["frames"]
        empty = [number for number, bodies in enumerate(frames) if not bodies]
        assert empty == what["empty_frames"]
        assert {body for bodies in frames for body, _ in bodies} == {
            body["id"] for body in what["bodies"]
        }
        for body in what["bodies"]:
            assert int(body["id"]) > 2**53
            runs = [range(first, last + 1) for first, last in body["frames"]]
            assert seen(frames, body["id"]) == [number for run in runs for number in run]
            assert all(one[-1] + 1 < other[0] for one, other in pairwise(runs))


def test_every_kind_of_noise_has_about_its_share(tmp_path):
    shares = NoiseShares()
    generator = np.random.default_rng(0)
    drawn = [shares.draw(generator) for _ in range(4000)]
    for kind, share in vars(shares).items():
        assert np.mean([kind in kinds for kinds in drawn]) == pytest.approx(share, abs=0.02)
    assert not any({"id_change", "vanish"} <= kinds for kinds in drawn)


def test_two_people_act_where_the_class_has_two(tmp_path):
    path = write_ntu(tmp_path / "x.zip", **FEW, noise=NoiseShares(**NONE))
    _, record = read(path)
    alone, together = record["recordings"].values()
    assert [body["role"] for body in alone["bodies"]] == ["main"]
    assert {body["role"] for body in together["bodies"]} == {"main", "partner"}


@pytest.mark.parametrize("kind", sorted(set(NONE) - {"line_feed", "capital_exponent"}))
def test_each_kind_of_noise_is_what_it_is_called(kind, tmp_path):
    options = FEW | {"performers": range(1, 9)}
    texts, record = read(write_ntu(tmp_path / "x.zip", **options, noise=only(kind)))
    for name, what in record["recordings"].items():
        frames = frames_of(texts[name].replace("\r\n", "\n"))
        bodies = {body["role"]: body for body in what["bodies"]}
        length = {role: len(seen(frames, body["id"])) for role, body in bodies.items()}
        others = set(bodies) - {"main", "partner"}
        two = name.endswith("A050")
        if kind == "empty_frames":
            assert what["empty_frames"] and not others
        else:
            assert not what["empty_frames"]
        if kind == "stray":
            assert others == {"stray"} and length["stray"] <= 11
        if kind == "bystander":
            assert others == {"bystander"} and length["bystander"] == what["frames"]
        if kind == "id_change":
            assert others == {"main again"}
            assert min(length["main"], length["main again"]) >= 12
            assert length["main"] + length["main again"] - what["frames"] in (0, 1, 3)
        if kind == "vanish":
            assert len(bodies["main"]["frames"]) == 2
            assert others == (set() if two else {"stray"})
            assert length.get("stray", 0) <= 11
        if kind == "lost_partner":
            assert not others
            assert not two or length["partner"] < what["frames"]
        if kind in ("flat_object", "partly_flat_object"):
            (role,) = others
            tracked = [
                dict(each)[bodies[role]["id"]]
                for each in frames
                if bodies[role]["id"] in dict(each)
            ]
            extents = np.ptp(np.array(tracked)[:, :, :2], axis=1)
            share = np.mean(extents[:, 0] > 0.8 * extents[:, 1])
            assert len(tracked) >= 14
            assert (share > 0.75) if kind == "flat_object" else (0.1 < share < 0.65)


def test_bodies_are_of_human_proportions(usual):
    texts, record = usual
    layout = skeleton("ntu")
    child, parent = np.array(layout.edges).T
    head, foot = layout.joints.index("head"), layout.joints.index("left foot")
    hips = [layout.joints.index(f"{side} hip") for side in ("left", "right")]
    name = "S001C003P001R001A005"
    (main,) = (
        body["id"] for body in record["recordings"][name]["bodies"] if body["role"] == "main"
    )
    joints = dict(frames_of(texts[name].replace("\r\n", "\n"))[0])[main][:, :3]
    bones = np.linalg.norm(joints[child] - joints[parent], axis=1)
    assert ((bones > 0.01) & (bones < 0.5)).all()
    assert 1.2 < joints[head, 1] - joints[foot, 1] < 2.0
    assert (joints[:, 2] > 1.5).all()
    assert joints[hips[0], 0] < joints[hips[1], 0]


def test_two_people_who_shake_hands_face_each_other(tmp_path):
    options = FEW | {"cameras": (3,), "actions": (58,)}
    texts, _ = read(write_ntu(tmp_path / "x.zip", **options, noise=NoiseShares(**NONE)))
    (text,) = texts.values()
    layout = skeleton("ntu")
    hand, hip = layout.joints.index("right hand"), layout.joints.index("base of spine")
    frames = frames_of(text.replace("\r\n", "\n"))

    def apart(joint):
        bodies = [[joints[joint, :3] for _, joints in bodies] for bodies in frames]
        return np.linalg.norm([one - other for one, other in bodies], axis=1).min()

    assert 0.8 < apart(hip) < 1.4
    assert apart(hand) < apart(hip) - 0.1


def test_numbers_are_written_as_in_the_dataset(tmp_path):
    noise = only("capital_exponent")
    options = FEW | {"performers": range(1, 5)}
    capital = "".join(read(write_ntu(tmp_path / "x.zip", **options, noise=noise))[0].values())
    small = "".join(
        read(write_ntu(tmp_path / "y.zip", **options, noise=NoiseShares(**NONE)))[0].values()
    )
    assert re.search(r"\dE-05", capital) and not re.search(r"\de-05", capital)
    assert re.search(r"\de-05", small) and not re.search(r"\dE-05", small)


def test_the_seed_decides_every_byte_whatever_else_is_made(tmp_path):
    one, same = (
        write_ntu(tmp_path / name, seed=4, **FEW).read_bytes() for name in ("1.zip", "2.zip")
    )
    assert one == same
    assert write_ntu(tmp_path / "3.zip", seed=5, **FEW).read_bytes() != one
    alone, _ = read(tmp_path / "1.zip")
    among_others, _ = read(write_ntu(tmp_path / "4.zip", seed=4, **FEW | {"performers": (1, 2)}))
    assert alone.items() <= among_others.items()


def test_a_directory_holds_what_an_archive_does(tmp_path):
    folder = write_ntu(tmp_path / "folder", **FEW)
    archive = write_ntu(tmp_path / "x.zip", **FEW)
    with zipfile.ZipFile(archive) as members:
        inside = {name: members.read(name) for name in members.namelist()}
    paths = (path for path in folder.rglob("*") if path.is_file())
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths} == inside
    with pytest.raises(InputError, match="something in it"):
        write_ntu(folder, **FEW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "x.zip"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"actions": (121,)}, "actions: out of range; found 121; expected 1 to 120"),
        ({"performers": ()}, "performers: out of range; found none"),
        ({"frames": (39, 60)}, "found 39 to 60; expected at least 40"),
        ({"frames": (60, 50)}, "found 60 to 50"),
        ({"setups": (18,)}, "no recording has such numbers"),
    ],
)
def test_numbers_out_of_range(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        write_ntu(tmp_path / "x.zip", **FEW | options)
    assert not list(tmp_path.iterdir())
