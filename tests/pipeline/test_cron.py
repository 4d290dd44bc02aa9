from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.errors import FRHeadError
from pipeline.cron import check_cron, cron_text, explained, next_times

BERLIN = ZoneInfo("Europe/Berlin")
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 30 2 * * 1-5", "at 02:30, Monday through Friday"),
        ("0 0 */6 ? * *", "every 6 hours"),
        ("0 0 4 1 JAN,JUL ?", "at 04:00, on day 1 of the month, only in January and July"),
    ],
)
def test_a_cron_expression_is_said_in_words(expression: str, words: str) -> None:
    assert cron_text(check_cron(expression)) == words


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("30 2 * * 1-5", r"has six fields; found 5 in .* Put the seconds first: 0 30 2 \* \* 1-5"),
        ("", "has six fields; found 0"),
        ("0 30 2 * * 1-5 2026", "has six fields; found 7"),
        ("0 60 2 * * *", "out of range"),
        ("0 30 2 * * 7", "the day of week is not valid; found '7'"),
        ("0 30 2 L * *", "the day of month is not valid; found 'L'"),
        ("0 30 2 * * 5#2", "the day of week is not valid"),
        ("0 30 H * * *", "the hour is not valid"),
        ("0 */0 * * * *", "the minute is not valid"),
        ("0 0 0 31 2 *", "is no time that ever comes"),
        ("@daily", "has six fields; found 1"),
    ],
)
def test_what_a_cluster_would_misunderstand_is_refused(expression: str, problem: str) -> None:
    with pytest.raises(FRHeadError, match=problem):
        check_cron(expression)


def test_times_are_those_of_the_zone_also_when_its_clock_changes() -> None:
    times = next_times("0 30 12 * * *", BERLIN, 2, datetime(2026, 3, 28, 5, tzinfo=UTC))

    assert [each.isoformat() for each in times] == [
        "2026-03-28T12:30:00+01:00",
        "2026-03-29T12:30:00+02:00",
    ]


def test_the_zone_is_named_and_the_local_time_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    text = explained("0 30 2 * * *", ZoneInfo("Asia/Tokyo"), 1, MARCH)

    assert text.startswith("at 02:30, in Asia/Tokyo; next: 2026-03-02 02:30:00 JST (2026-03-01 ")


@given(
    st.integers(0, 59),
    st.integers(0, 59),
    st.integers(0, 23),
    st.integers(1, 28),
    st.integers(1, 12),
)
def test_a_single_time_is_next_due_at_that_time(
    second: int, minute: int, hour: int, day: int, month: int
) -> None:
    expression = check_cron(f"{second} {minute} {hour} {day} {month} ?")

    (due,) = next_times(expression, ZoneInfo("UTC"), 1, MARCH)

    assert (due.second, due.minute, due.hour, due.day, due.month) == (
        second,
        minute,
        hour,
        day,
        month,
    )
    assert MARCH < due <= MARCH.replace(year=2027)
