from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frhead_core.data.ntu_raw import motion_of, parse_skeletons

JOINT = "0.5011 -0.25 3.2e-05 314.5 180.4 1144.9 448.1 0.82 0 -0.57 -0 2"
REST = "0 0 1 1 3 0 -0.03 -0.19 2"


def body(name="72057594037935543", joint=JOINT, joints=25):
    return [f"{name} {REST}", str(joints), *[joint] * joints]


def text(*frames):
    """Lines of a file with these frames, each a list of bodies."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines += [str(len(bodies)), *(line for one in bodies for line in one)]
    return lines


def parse(lines, end="\n"):
    return parse_skeletons((end.join(lines) + end).encode())


GOOD = text([body("a")], [], [body("b", JOINT.replace("0.5", "0.75")), body("a")], [body("b")])


def test_what_is_in_a_file():
    content = parse(GOOD)
    assert (content.frames, content.dropped, content.repeated) == (3, 1, ())
    a, b = content.bodies
    assert (a.id, a.start, a.frame_numbers.tolist()) == ("a", 0, [0, 1])
    assert (b.id, b.start, b.frame_numbers.tolist()) == ("b", 1, [1, 2])
    assert a.coordinates.shape == (2, 25, 3)
    assert a.coordinates.dtype == np.float32
    assert a.coordinates[0, 24].tolist() == [np.float32(0.5011), -0.25, np.float32(3.2e-05)]
    assert b.coordinates[0, 0, 0] == np.float32(0.75011)


def test_motion_is_the_variance_of_all_joints():
    generator = np.random.default_rng(0)
    joints = generator.normal(size=(25, 3)).round(4)
    moving = [f"m {REST}", "25", *(f"{x} {y} {z} 1 2 3 4 5 6 7 8 2" for x, y, z in joints.tolist())]
    moves, rests = parse(text([moving, body("r")])).bodies
    assert moves.motion == pytest.approx(joints.var(axis=0).sum(), rel=1e-5)
    assert rests.motion == pytest.approx(0, abs=1e-10)
    (alone,) = parse(text([moving])).bodies
    assert alone.motion is None


@pytest.mark.parametrize("frames", [1, 2, 12, 300])
def test_motion_is_numpys_to_the_last_bit(frames):
    generator = np.random.default_rng(frames)
    for _ in range(20):
        coordinates = generator.normal(2, 1, (frames, 25, 3)).astype(np.float32)
        assert motion_of(coordinates) == coordinates.reshape(-1, 3).var(axis=0).sum()


def same(one, other):
    assert (one.frames, one.dropped, one.repeated) == (other.frames, other.dropped, other.repeated)
    for left, right in zip(one.bodies, other.bodies, strict=True):
        assert (left.id, left.start, left.motion) == (right.id, right.start, right.motion)
        np.testing.assert_array_equal(left.coordinates, right.coordinates)
        np.testing.assert_array_equal(left.frame_numbers, right.frame_numbers)


@pytest.mark.parametrize(
    "content",
    [
        "\r\n".join(GOOD).encode(),
        "\n".join(GOOD).encode(),
        b"\xef\xbb\xbf" + "\r\n".join(GOOD).encode(),
        "  \t\r\n".join(GOOD).encode(),
        "\n".join("  " + line.replace(" ", "\t ") for line in GOOD).encode(),
        "\n".join([*GOOD, "and", "", "so on"]).encode(),
    ],
    ids=["crlf", "no last line feed", "byte order mark", "trailing", "indented", "text after"],
)
def test_other_ways_to_write_the_same(content):
    same(parse_skeletons(content), parse(GOOD))


def test_ids_are_kept_as_text():
    names = ["0072057594037935543", "72057594037935543", "+1", "1e3", '"quoted"', "id,é"]
    content = parse(text([body(name) for name in names]))
    assert [one.id for one in content.bodies] == names


def test_an_id_twice_in_a_frame_keeps_the_first():
    other = body("a", JOINT.replace("0.5", "0.9"))
    content = parse(text([body("a"), body("b"), other], [other], [body("a"), other]))
    assert content.repeated == (("a", 0), ("a", 2))
    a = content.bodies[0]
    assert a.frame_numbers.tolist() == [0, 1, 2]
    assert a.coordinates[:, 0, 0].tolist() == [np.float32(x) for x in (0.5011, 0.9011, 0.5011)]


def test_an_id_twice_in_the_only_frame_of_the_only_body():
    content = parse(text([body("a"), body("a")]))
    assert (len(content.bodies), content.repeated) == (1, (("a", 0),))


def changed(line, new):
    lines = list(GOOD)
    lines[line - 1 : line] = [] if new is None else [new]
    return lines


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([""], "line 1: found an empty line, expected the number of frames"),
        (changed(1, "x"), "line 1: found 'x', expected the number of frames"),
        (changed(1, "-4"), "line 1: found '-4', expected the number of frames"),
        (changed(1, "4 4"), "line 1: found '4 4', expected the number of frames"),
        (changed(1, "9" * 30), r"line 1: found '9*\.\.\.9*', expected the number of frames"),
        (changed(1, "5"), "line 114: the file ends, expected the number of bodies in frame 5"),
        (changed(1, "9" * 18), "line 114: the file ends, expected the number of bodies in frame 5"),
        (changed(2, "0"), r"line 3: found 'a 0 0 .*', expected the number of bodies in frame 2"),
        (changed(2, "2"), "line 30: found 1 fields, '0', expected the 10 fields of a body"),
        (
            changed(30, "9"),
            "line 31: found 1 fields, '2', expected the 10 fields of a body in frame 2",
        ),
        (changed(3, "a b"), "line 3: found 2 fields, 'a b', expected the 10 fields of a body"),
        (changed(4, "24"), "line 4: found '24', expected 25, the number of joints in frame 1"),
        (changed(4, "25.0"), "line 4: found '25.0', expected 25, the number of joints in frame 1"),
        (
            changed(6, None),
            "line 29: found 1 fields, '0', expected the 12 fields of a joint in fra",
        ),
        (
            changed(6, JOINT + " 1"),
            "line 6: found 13 fields, .*, expected the 12 fields of a joint",
        ),
        (changed(6, "1 2"), "line 6: found 2 fields, '1 2', expected the 12 fields of a joint"),
        (changed(6, ""), "line 6: found an empty line, expected the 12 fields of a joint"),
        (changed(6, "1 2 nan" + JOINT), "line 6: z is 'nan0.5011', expected a finite number"),
        (changed(6, "1 -inf 3"), "line 6: y is '-inf', expected a finite number"),
        (changed(6, "1 2 3\0 4"), "line 6: found 4 fields"),
    ],
)
def test_reasons_name_the_line(lines, reason):
    with pytest.raises(ValueError, match=f"^{reason}"):
        parse(lines)


def test_only_the_coordinates_are_converted():
    lines = changed(6, "1 2 3 -1.#IND nan inf x y z ? ! .")
    assert parse(lines).bodies[0].coordinates[0, 1].tolist() == [1, 2, 3]


def test_an_id_that_is_no_text():
    with pytest.raises(ValueError, match=r"^line 3: the id of a body is not UTF-8 text"):
        parse_skeletons("\n".join(GOOD).encode().replace(b"a 0 0", b"\xff 0 0", 1))


WHOLE = ("\r\n".join(GOOD) + "\r\n").encode()
LINES = WHOLE.splitlines(keepends=True)


@st.composite
def spoilt(draw):
    """A good file that was cut, swapped about, overwritten, or announces other numbers."""
    content = bytearray(WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["cut", "noise", "line", "swap", "count", "insert"])):
            case "cut":
                del content[place : place + draw(st.integers(1, len(WHOLE)))]
            case "noise":
                noise = draw(st.binary(min_size=1, max_size=40))
                content[place : place + len(noise)] = noise
            case "insert":
                content[place:place] = draw(
                    st.sampled_from([b"\xef\xbb\xbf", b"\n", b"\r", b" ", b"-", b"e", b"1", b"."])
                )
            case "line":
                lines = content.splitlines(keepends=True)
                del lines[draw(st.integers(0, max(len(lines) - 1, 0)))]
                content = bytearray(b"".join(lines))
            case "swap":
                lines = content.splitlines(keepends=True) or [b""]
                one, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
                lines[one], lines[other] = lines[other], lines[one]
                content = bytearray(b"".join(lines))
            case "count":
                lines = content.splitlines(keepends=True) or [b""]
                line = draw(st.sampled_from([0, 1, 3, 29, 30, len(lines) - 1])) % len(lines)
                number = draw(st.sampled_from([0, 2, 25, 26, 10**9, 2**63, 10**40, -1]))
                lines[line] = b"%d\n" % number
                content = bytearray(b"".join(lines))
            case _:
                raise AssertionError
    return bytes(content)


def parse_or_refuse(content):
    """Parse; what comes out of a spoilt file is whole, or there is a reason."""
    try:
        found = parse_skeletons(content)
    except ValueError as error:
        assert str(error)
        return
    assert found.frames > 0
    assert found.bodies
    for one in found.bodies:
        assert np.isfinite(one.coordinates).all()
        assert len(one.coordinates) == len(one.frame_numbers) <= found.frames
        assert (np.diff(one.frame_numbers) > 0).all()
        assert one.frame_numbers[-1] < found.frames


@settings(max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(spoilt())
def test_spoilt_files_are_read_or_refused(content):
    parse_or_refuse(content)


@settings(max_examples=200, deadline=2000)
@given(st.binary(max_size=3000))
def test_noise_is_refused(content):
    parse_or_refuse(content)


@pytest.mark.parametrize("cut", range(0, len(WHOLE), 37))
def test_a_file_that_was_cut_anywhere(cut):
    with pytest.raises(ValueError, match=r"^line \d+: |^empty file$"):
        parse_skeletons(WHOLE[:cut])


@pytest.mark.parametrize("count", ["999999999999999999", "1" + "0" * 17, "123456789"])
def test_announced_counts_do_not_decide_how_much_memory_is_taken(count):
    lines = list(GOOD)
    for content in (changed(1, count), changed(2, count), [count, *[count] * 3], lines):
        parse_or_refuse("\n".join(content).encode())
        tracemalloc.start()
        parse_or_refuse("\n".join(content).encode())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 100_000


def test_many_ids_take_no_more_than_their_time():
    frames = [[body(f"{number:x}") for number in range(5000)]]
    content = "\n".join(text(*frames)).encode()
    parse(GOOD)
    began = time.perf_counter()
    assert len(parse_skeletons(content).bodies) == 5000
    assert time.perf_counter() - began < 5
