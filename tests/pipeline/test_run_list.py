"""Lists of runs: what a filter lets through is on exactly one page, in an order that stays."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.run_engine import Accuracy, RunRecord
from pipeline.run_list import (
    JUDGED,
    SORT_KEYS,
    TEXT_KEYS,
    RunQuery,
    accuracy_of,
    in_order,
    run_page,
    seconds_of,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = st.sampled_from(["", "demo", "nw-ucla", "NTU60"])
PERCENT = st.none() | st.sampled_from([0.0, 50.0, 88.79, 100.0])
STATES = st.sampled_from(["running", "done", "failed", "lost", "unknown"])


@st.composite
def runs(draw):
    """Runs with names of their own and much that is equal or missing."""
    count = draw(st.integers(0, 30))
    made = []
    for number in draw(st.permutations(range(count))):
        started = draw(st.none() | st.integers(0, 3).map(lambda hours: START + hours * HOUR))
        accuracies = st.dictionaries(
            st.sampled_from(JUDGED), st.builds(Accuracy, last=PERCENT, best=PERCENT)
        )
        made.append(
            RunRecord(
                id=f"run-{number:02}",
                name="",
                state=draw(STATES),
                started=started,
                ended=draw(st.none() | st.just(started and started + HOUR)),
                benchmark=draw(NAMES),
                backbone=draw(NAMES),
                started_by=draw(NAMES),
                accuracies=draw(accuracies),
            )
        )
    return made


HOUR = timedelta(hours=1)
QUERIES = st.builds(
    RunQuery,
    status=st.just("") | STATES,
    benchmark=NAMES,
    backbone=NAMES,
    text=st.sampled_from(["", "run", "demo 0", "NW-ucla", "nothing"]),
    sort=st.sampled_from(SORT_KEYS),
    order=st.sampled_from(["asc", "desc"]),
    epoch=st.sampled_from(["last", "best"]),
    per_page=st.integers(1, 12),
)


@given(runs(), QUERIES)
def test_every_run_that_is_let_through_is_on_exactly_one_page(listed, query):
    first = run_page(listed, query)
    pages = [
        run_page(listed, dataclasses.replace(query, page=number + 1)).runs
        for number in range(first.pages)
    ]
    together = [run.id for page in pages for run in page]
    assert len(together) == first.found == len(set(together))
    assert all(len(page) == query.per_page for page in pages[:-1])
    assert run_page(listed, dataclasses.replace(query, page=first.pages + 1)).runs == []
    for run in listed:
        assert (run.id in together) == let_through(run, query)


def let_through(run, query):
    exact = ((query.status, run.state), (query.benchmark, run.benchmark),
             (query.backbone, run.backbone))  # fmt: skip
    said = (run.id, run.state, run.benchmark, run.backbone, run.started_by)
    return all(not wanted or wanted == found for wanted, found in exact) and all(
        any(word in part.lower() for part in said) for word in query.text.lower().split()
    )


@given(runs(), QUERIES, st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_how_the_runs_come(listed, query, random):
    mixed = list(listed)
    random.shuffle(mixed)
    assert in_order(mixed, query) == in_order(listed, query)


@given(runs(), QUERIES)
def test_they_are_sorted_and_what_is_not_known_comes_last(listed, query):
    values = [sorted_by(run, query) for run in in_order(listed, query)]
    known = [value for value in values if value is not None]
    assert values[len(known) :] == [None] * (len(values) - len(known))
    assert known == sorted(known, reverse=query.order == "desc")


def sorted_by(run, query):
    if query.sort in JUDGED:
        return accuracy_of(run, query.sort, query.epoch)
    if query.sort in TEXT_KEYS:
        texts = {"run": run.id, "status": run.state, "modalities": ", ".join(run.modalities)}
        text = texts[query.sort] if query.sort in texts else getattr(run, query.sort)
        return text.lower() or None
    if query.sort == "started":
        return run.started
    seconds = seconds_of(run)
    return seconds and round(seconds)  # of a run that goes on it grows meanwhile


def test_equal_runs_are_listed_newest_first_whatever_the_order():
    listed = [RunRecord(name, name, "done", benchmark="demo") for name in ("a", "c", "b")]
    for order in ("asc", "desc"):
        found = in_order(listed, RunQuery(sort="benchmark", order=order))
        assert [run.id for run in found] == ["c", "b", "a"]
