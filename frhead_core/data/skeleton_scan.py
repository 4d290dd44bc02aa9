"""A compiled loop over the bytes of an NTU RGB+D ``.skeleton`` file.

Of the twelve numbers of a joint's line only the three coordinates are converted; of the rest the
fields are counted. Blanks are all bytes up to the space, except the line feed, so a carriage
return before it makes no difference. Lines are looked at 64 bytes at a time, a bit for each byte.
The loop holds no Python lock.

A number is what ``float`` makes of its text, rounded to float32. If its digits, read as a whole
number, are below 2**53 and the power of ten is at most 10**22, both are exact in float64 and one
division or multiplication rounds correctly (Clinger, "How to read floating point numbers
accurately", PLDI 1990). Otherwise the result is known up to a few units of the last place of
float64, and if the ends of that interval round to the same float32, that is the one. What is
left, about one long text in ten million, is handed back undecided.

All of it is in one file, as the cache of machine code only notices when a function's own changes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from frhead_core.compiled import (
    BLOCK,
    bits_above,
    bits_equal,
    compiled,
    count_ones,
    first_one,
    inlined,
    load_word,
)

JOINTS = 25
JOINT_FIELDS = 12
BODY_FIELDS = 10

# How scanning ended.
COMPLETE, ENDED, NO_COUNT, FIELDS, NOT_FINITE, JOINT_COUNT, NO_ROOM = range(7)

# What was expected where it ended.
FRAME_COUNT, BODY_COUNT, BODY, JOINT_NUMBER, JOINT = range(5)

# Places in Room.state. LINE counts from 0, BEGIN is its first byte; DETAIL is the number of fields
# found or the axis; FRAME counts from 0, those without a body
# too, VALID_FRAMES only the others.
APPEARANCES, VALID_FRAMES, BODIES, UNDECIDED, LINE, BEGIN, EXPECTED, DETAIL, FRAME, POS = range(10)

# The shortest text of one tracked body in one frame: its line, the joint count, 25 lines.
SHORTEST_BODY = 2 * BODY_FIELDS + 3 + JOINTS * 2 * JOINT_FIELDS
_EXACT_DIGITS = 18  # fit into int64

_EXACT_POWER = 22  # 10**22 is the largest power of ten that is exact in float64
_EXACT_INTEGER = 2**53
_FAR = 60  # powers of ten beyond float32, both ways, with room to spare
_MARGIN = 2.0**-50  # twice what three roundings and the digits left out can amount to
_POWERS = np.array([float(f"1e{power}") for power in range(_FAR + _EXACT_DIGITS + 1)])
_WHOLE_POWERS = np.array([10**power for power in range(9)])
_USUAL_DIGITS = 14  # after the point; with one before it they are below 2**53
_MINUS, _POINT = np.uint8(45), np.uint8(46)
_DECIDED, _UNDECIDED, _MALFORMED, _TOO_LARGE = range(4)


class Room(NamedTuple):
    """The arrays that :func:`scan` fills; A is the file's length over SHORTEST_BODY, rounded up.

    Attributes:
        coordinates: (75 A,) float32, one joint after the other for every appearance of a body.
        body_of: (A,) int32, the number of the body, in order of first appearance.
        frame_of: (A,) int32, the valid frame.
        ids: (A, 2) int64, where the text of each body's id begins and ends.
        slots: (2**n,) int32 of -1, more than A of them; a hash table of ids.
        undecided: (U, 3) int64, begin, end and place among all coordinates of numbers that need
            an exact conversion.
        state: (10,) int64 of 0, see the names of its places.
    """

    coordinates: np.ndarray
    body_of: np.ndarray
    frame_of: np.ndarray
    ids: np.ndarray
    slots: np.ndarray
    undecided: np.ndarray
    state: np.ndarray


# Eight bytes as one number, the first byte lowest.
_ZEROS = np.uint64(0x3030303030303030)
_SIXES = np.uint64(0x0606060606060606)  # brings what is above nine to the upper nibble
_HIGH_NIBBLES = np.uint64(0xF0F0F0F0F0F0F0F0)
_PAIRS = np.uint64(0x000000FF000000FF)
_LOWER, _UPPER = np.uint64(100 + (1000000 << 32)), np.uint64(1 + (10000 << 32))

_SPACE, _LINE_FEED = np.uint8(32), np.uint8(10)
_ONE, _LAST_BIT = np.uint64(1), np.uint64(BLOCK - 1)
_AHEAD = BLOCK + 16  # bytes that are looked at from where a line begins


@compiled
def _long_number(data: Any, pos: Any) -> Any:
    """As :func:`_number` for a text without sign, whatever its digits and its exponent."""
    mantissa: Any = 0
    power: Any = 0
    exponent, digits, point, inexact = 0, 0, False, False
    while True:
        byte = np.int64(data[pos])
        if 48 <= byte <= 57:
            if digits < _EXACT_DIGITS:
                mantissa = mantissa * 10 + (byte - 48)
                digits += mantissa > 0
                exponent -= point
            else:
                inexact = True
                exponent += not point
        elif byte == 46:
            point = True
        else:
            break
        pos += 1
    if byte in (69, 101):
        pos += 1
        sign = 1
        if data[pos] in (43, 45):
            sign = -1 if data[pos] == 45 else 1
            pos += 1
        while 48 <= data[pos] <= 57:
            power = min(power * 10 + np.int64(data[pos]) - 48, 1 << 40)
            pos += 1
        exponent += sign * power
    if mantissa == 0 or digits + exponent < -_FAR:
        return 0.0, _DECIDED
    if digits + exponent > _FAR:
        return 0.0, _TOO_LARGE
    value = mantissa * _POWERS[exponent] if exponent >= 0 else mantissa / _POWERS[-exponent]
    small = mantissa < _EXACT_INTEGER and -_EXACT_POWER <= exponent <= _EXACT_POWER
    if small and not inexact:
        return value, _DECIDED
    low, high = np.float32(value * (1.0 - _MARGIN)), np.float32(value * (1.0 + _MARGIN))
    return value, _DECIDED if low == high else _UNDECIDED


@inlined
def _digits(data: Any, begin: Any, count: Any) -> Any:
    """The number that one to eight digits make, and bits other than 0 if they are none.

    All are converted at once, in pairs, fours and eights.
    """
    word = (load_word(data, begin) ^ _ZEROS) << np.uint64(64 - 8 * count)
    strange = ((word + _SIXES) | word) & _HIGH_NIBBLES
    word = word * np.uint64(10) + (word >> np.uint64(8))
    upper = ((word >> np.uint64(16)) & _PAIRS) * _UPPER
    return np.int64(((word & _PAIRS) * _LOWER + upper) >> np.uint64(32)), strange


@inlined
def _usual_number(data: Any, begin: Any, end: Any) -> Any:
    """As :func:`_number` for a field of the usual form, -d.dddd, undecided for all others.

    Args:
        data: (bytes,) uint8.
        begin: Where the field begins.
        end: Behind its last byte; from ``begin`` on there are 16 bytes at least.

    Returns:
        The value, and how certain it is.
    """
    negative = np.int64(data[begin] == _MINUS)
    whole = np.int64(data[begin + negative]) - 48
    first = begin + negative + 2
    digits = end - first
    if not 0 <= whole <= 9 or data[first - 1] != _POINT or not 1 <= digits <= _USUAL_DIGITS:
        return 0.0, _UNDECIDED
    few = min(digits, 8)
    mantissa, strange = _digits(data, first, few)
    mantissa += whole * _WHOLE_POWERS[few]
    if digits > 8:
        rest, also_strange = _digits(data, first + 8, digits - 8)
        mantissa, strange = mantissa * _WHOLE_POWERS[digits - 8] + rest, strange | also_strange
    if strange != 0:
        return 0.0, _UNDECIDED
    value = mantissa / _POWERS[digits]
    return value * (1.0 - 2.0 * negative), _DECIDED


@compiled
def _number(data: Any, pos: Any) -> Any:
    """The number at ``pos``: (value, how certain it is, position after it)."""
    sign = 1.0
    if data[pos] == 45:
        sign = -1.0
        pos += 1
    elif data[pos] == 43:
        pos += 1
    begin = pos
    mantissa: Any = np.int64(0)
    digit = np.int64(data[pos]) - 48
    while 0 <= digit <= 9:
        mantissa = mantissa * 10 + digit
        pos += 1
        digit = np.int64(data[pos]) - 48
    digits, fraction = pos - begin, 0
    if digit == -2:  # the point
        pos += 1
        after_point = pos
        digit = np.int64(data[pos]) - 48
        while 0 <= digit <= 9:
            mantissa = mantissa * 10 + digit
            pos += 1
            digit = np.int64(data[pos]) - 48
        fraction = pos - after_point
        digits += fraction
    if digits == 0:
        return 0.0, _MALFORMED, pos
    plain = True
    if data[pos] in (69, 101):
        plain = False
        pos += 1
        if data[pos] in (43, 45):
            pos += 1
        first = pos
        while 48 <= data[pos] <= 57:
            pos += 1
        if pos == first:
            return 0.0, _MALFORMED, pos
    if data[pos] > 32:
        return 0.0, _MALFORMED, pos
    if plain and digits <= _EXACT_DIGITS and mantissa < _EXACT_INTEGER:
        return sign * (mantissa / _POWERS[fraction]), _DECIDED, pos
    value, certainty = _long_number(data, begin)
    return sign * value, certainty, pos


@inlined
def _count_fields(data: Any, pos: Any) -> Any:
    """Fields from ``pos``, which is in none, to the end of the line, and where its line feed is.

    A field begins where the byte before is in none.
    """
    fields, before = np.uint64(0), np.uint64(0)
    while pos + BLOCK <= len(data):
        feeds = bits_equal(data, pos, _LINE_FEED)
        inside = bits_above(data, pos, _SPACE)
        if feeds != 0:
            inside &= (feeds - _ONE) & ~feeds  # before the first
        fields += count_ones(inside & ~((inside << _ONE) | before))
        if feeds != 0:
            return np.int64(fields), pos + np.int64(first_one(feeds))
        before = inside >> _LAST_BIT
        pos += BLOCK
    in_field = before != 0
    count = np.int64(fields)
    while data[pos] != _LINE_FEED:
        count += data[pos] > _SPACE and not in_field
        in_field = data[pos] > _SPACE
        pos += 1
    return count, pos


@inlined
def _after_blanks(data: Any, pos: int) -> Any:
    while data[pos] <= 32 and data[pos] != 10:
        pos += 1
    return pos


@compiled
def _count(data: Any, pos: int) -> Any:
    """The whole number alone on a line, or -1, and the position of the line feed."""
    pos = _after_blanks(data, pos)
    begin, value = pos, np.int64(0)
    while 48 <= data[pos] <= 57:
        value = value * 10 + np.int64(data[pos]) - 48
        pos += 1
    digits = pos - begin
    pos = _after_blanks(data, pos)
    if digits == 0 or digits > _EXACT_DIGITS or data[pos] != 10:
        return np.int64(-1), pos
    return value, pos


@compiled
def _same_text(data: Any, one: Any, other: Any, length: Any) -> bool:
    for offset in range(length):  # noqa: SIM110 - compiled
        if data[one + offset] != data[other + offset]:
            return False
    return True


@compiled
def _body_number(data: Any, begin: int, end: int, room: Room) -> Any:
    """The number of the body with the id at ``begin``, which is noted if it is new."""
    known, slots = room.state[BODIES], room.slots
    hashed = np.uint64(14695981039346656037)  # FNV-1a
    for pos in range(begin, end):
        hashed = (hashed ^ np.uint64(data[pos])) * np.uint64(1099511628211)
    slot = np.int64(hashed & np.uint64(len(slots) - 1))
    while slots[slot] >= 0:
        number = slots[slot]
        length = room.ids[number, 1] - room.ids[number, 0]
        if length == end - begin and _same_text(data, begin, room.ids[number, 0], length):
            return number
        slot = (slot + 1) & (len(slots) - 1)
    slots[slot] = known
    room.ids[known, 0], room.ids[known, 1] = begin, end
    room.state[BODIES] += 1
    return known


@inlined
def _line_begins(data: Any, state: Any, expected: int) -> Any:
    """Whether there is another line."""
    state[EXPECTED], state[BEGIN] = expected, state[POS]
    return state[POS] < len(data)


@inlined
def _line_ends(state: Any, pos: Any) -> None:
    state[POS] = pos + 1
    state[LINE] += 1


@compiled
def _read_count(data: Any, state: Any, expected: int) -> Any:
    """Read a line with a whole number: (how it ended, the number)."""
    if not _line_begins(data, state, expected):
        return ENDED, np.int64(-1)
    value, pos = _count(data, state[POS])
    if value < 0:
        return NO_COUNT, value
    if expected == JOINT_NUMBER and value != JOINTS:
        return JOINT_COUNT, value
    _line_ends(state, pos)
    return COMPLETE, value


@compiled
def _read_id(data: Any, room: Room) -> Any:
    """Read the first line of a body: how it ended."""
    state = room.state
    if not _line_begins(data, state, BODY) or state[APPEARANCES] == len(room.body_of):
        return ENDED  # without room, what is left is too short for a body
    begin = end = _after_blanks(data, state[POS])
    while data[end] > 32:
        end += 1
    state[DETAIL], pos = _count_fields(data, begin)
    if state[DETAIL] != BODY_FIELDS:
        return FIELDS
    room.body_of[state[APPEARANCES]] = _body_number(data, begin, end, room)
    room.frame_of[state[APPEARANCES]] = state[VALID_FRAMES]
    _line_ends(state, pos)
    return COMPLETE


@compiled
def _note_undecided(begin: Any, end: Any, place: Any, room: Room) -> bool:
    """Whether there was room to note a number."""
    count = room.state[UNDECIDED]
    if count == len(room.undecided):
        return False
    room.undecided[count, 0], room.undecided[count, 1] = begin, end
    room.undecided[count, 2] = place
    room.state[UNDECIDED] += 1
    return True


@inlined
def _read_usual_joint(data: Any, line: Any, places: Any, place: Any) -> Any:
    """Read the line of a joint that looks like nearly all: where its line feed is, or -1.

    All three numbers must have the usual form and end within the first block of the line.
    """
    if line + _AHEAD > len(data):
        return np.int64(-1)
    feeds = bits_equal(data, line, _LINE_FEED)
    inside = bits_above(data, line, _SPACE) & (feeds - _ONE) & ~feeds  # before the first feed
    begins, ends = inside & ~(inside << _ONE), ~inside & (inside << _ONE)
    fields, feed = _count_fields(data, line)
    if fields != JOINT_FIELDS or count_ones(ends) < 3:
        return np.int64(-1)
    for axis in range(3):
        begin, end = line + np.int64(first_one(begins)), line + np.int64(first_one(ends))
        begins, ends = begins & (begins - _ONE), ends & (ends - _ONE)
        value, certainty = _usual_number(data, begin, end)
        if certainty != _DECIDED:
            return np.int64(-1)
        places[place + axis] = np.float32(value)
    return feed


@compiled
def _read_joint(data: Any, place: Any, room: Room) -> Any:
    """Read the line of any joint: how it ended. Its numbers go to ``place`` and behind it."""
    state = room.state
    if not _line_begins(data, state, JOINT):
        return ENDED
    pos = state[POS]
    for axis in range(3):
        state[DETAIL] = axis
        begin = _after_blanks(data, pos)
        if data[begin] == _LINE_FEED:
            return FIELDS
        value, certainty, pos = _number(data, begin)
        single = np.float32(value)
        if certainty >= _MALFORMED or np.isinf(single):
            return NOT_FINITE
        if certainty == _UNDECIDED and not _note_undecided(begin, pos, place + axis, room):
            return NO_ROOM
        room.coordinates[place + axis] = single
    fields, pos = _count_fields(data, pos)
    state[DETAIL] = fields + 3
    if state[DETAIL] != JOINT_FIELDS:
        return FIELDS
    _line_ends(state, pos)
    return COMPLETE


@compiled
def _read_body(data: Any, room: Room) -> Any:
    """Read a body: how it ended."""
    state = room.state
    status = _read_id(data, room)
    if status != COMPLETE:
        return status
    status, _ = _read_count(data, state, JOINT_NUMBER)
    if status != COMPLETE:
        return status
    place = 3 * JOINTS * state[APPEARANCES]
    for _ in range(JOINTS):
        feed = _read_usual_joint(data, state[POS], room.coordinates, place)
        if feed >= 0:
            _line_ends(state, feed)
        else:
            status = _read_joint(data, place, room)
            if status != COMPLETE:
                return status
        place += 3
    state[APPEARANCES] += 1
    return COMPLETE


@compiled
def scan(data: Any, pos: int, room: Room) -> Any:
    """Go through a file.

    Args:
        data: (bytes,) uint8; its last byte is a line feed.
        pos: Where the text begins.
        room: Filled with what is found.

    Returns:
        How it ended.
    """
    state = room.state
    state[POS] = pos
    status, frames = _read_count(data, state, FRAME_COUNT)
    if status != COMPLETE:
        return status
    for _ in range(frames):
        status, bodies = _read_count(data, state, BODY_COUNT)
        if status != COMPLETE:
            return status
        for _ in range(bodies):
            status = _read_body(data, room)
            if status != COMPLETE:
                return status
        state[VALID_FRAMES] += bodies > 0
        state[FRAME] += 1
    return COMPLETE
