"""What can go from a work directory, and that nothing else does."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from frhead_core.errors import InputError
from pipeline.cleaning import removal
from pipeline.cleaning.plan import KINDS, Cleaning, Policy, plan_cleaning
from pipeline.cleaning.removal import remove
from pipeline.run_folder import RunFolder
from tests.pipeline.work_directories import DAY, WorkDirectory, make_older, step_name

HOLDER = """
import sys, time
from pathlib import Path
from components import lifeline
with lifeline.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
OLD = "0123456789abcdef" * 2
NEW = "fedcba9876543210" * 2


@pytest.fixture
def work(tmp_path: Path) -> WorkDirectory:
    (tmp_path / "runs").mkdir()
    return WorkDirectory(tmp_path / "runs")


EVERYTHING = Policy()


def plan(work: WorkDirectory, policy: Policy = EVERYTHING, *, free: bool = True) -> Cleaning:
    return plan_cleaning(work.path, policy, free=free)


def names(cleaning: Cleaning) -> set[str]:
    return {str(item.path.relative_to(cleaning.work_directory)) for item in cleaning.items}


def test_without_a_limit_every_run_stays_and_keeps_what_it_refers_to(work: WorkDirectory) -> None:
    for number in range(3):
        work.artifact(step_name(number), age=100)
    work.run(90, uses=[step_name(0)])
    work.run(80, uses=[step_name(1)], status="running", recorded=False)  # its program was killed

    cleaning = plan(work)

    assert names(cleaning) == {
        f"artifacts/{step_name(2)}",
        str(work.entry_path(step_name(2)).relative_to(work.path)),
    }
    assert cleaning.staying == 2
    assert not cleaning.left_alone


def test_the_newest_runs_and_those_that_were_used_since_stay(work: WorkDirectory) -> None:
    runs = [work.run(age) for age in (1, 20, 40, 60)]

    def going(policy: Policy) -> list[Path]:
        return [path for path in runs if path in {item.path for item in plan(work, policy).items}]

    assert going(Policy(keep=3)) == runs[3:]
    assert going(Policy(older_than=30 * DAY)) == runs[2:]
    assert going(Policy(keep=3, older_than=30 * DAY)) == runs[3:]
    assert going(Policy(keep=1, older_than=30 * DAY)) == runs[2:]
    assert going(Policy(keep=0)) == runs
    assert going(Policy(kinds=["cache"], keep=0)) == []


def test_what_only_a_run_that_goes_refers_to_goes_with_it(work: WorkDirectory) -> None:
    for number in range(3):
        work.artifact(step_name(number), age=50)
    work.checkpoints(OLD, age=48)
    work.checkpoints(NEW, age=10)
    old = work.run(50, uses=[step_name(0), step_name(1)])
    work.run(20, uses=[step_name(1), step_name(2)])

    cleaning = plan(work, Policy(keep=1))
    assert names(cleaning) == {
        old.name,
        f"artifacts/{step_name(0)}",
        str(work.entry_path(step_name(0)).relative_to(work.path)),
        f"checkpoints/{OLD}",
    }
    assert [item.kind for item in cleaning.items] == ["cache", "artifacts", "checkpoints", "runs"]

    remove(cleaning)

    assert not old.exists()
    assert not work.artifact_path(step_name(0)).parents[1].exists()  # nor an empty folder
    assert work.artifact_path(step_name(1)).exists()
    assert not (work.path / "checkpoints" / OLD).exists()
    assert (work.path / "checkpoints" / NEW / "checkpoint.pt").exists()
    assert not list(work.path.rglob(".removed"))
    assert not plan(work, Policy(keep=1)).items


def test_what_was_fetched_goes_like_what_was_made(work: WorkDirectory) -> None:
    name = f"fetched-{NEW}/step"
    work.artifact(name, age=50)
    (work.artifact_path(name) / ".lock").touch()
    description = work.entry_path(name).with_suffix(".contents")
    description.write_text("{}")
    run = work.run(20, uses=[name])
    cleaning = plan(work)
    assert (names(cleaning), cleaning.left_alone) == (set(), {})

    remove(plan(work, Policy(keep=0)))

    left = (work.artifact_path(name).parent, description, work.entry_path(name), run)
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("fact", ["output", "given", "champions", "raw"])
def test_a_run_stays_as_long_as_another_one_uses_something_in_it(
    work: WorkDirectory, fact: str
) -> None:
    work.artifact(step_name(0), age=50)
    first = work.run(50, uses=[step_name(0)])
    place = f"{first}/results/größe"
    facts = {
        "output": {"how": {"output": place}},
        "given": {"given": {"joint": {"directory": place, "digest": "abc"}}},
        "champions": {"champions": place},
        "raw": {"raw": f"s3://bucket/key,{place}"},
    }
    second = work.run(40, **facts[fact])
    third = work.run(30, given={"joint": {"directory": f"{second}/results/models/joint"}})

    cleaning = plan(work, Policy(keep=1))

    assert not cleaning.items
    assert cleaning.left_alone == {
        first.name: f"{second.name} uses something in it",
        second.name: f"{third.name} uses something in it",
    }


def test_the_time_counts_for_what_runs_share_too(work: WorkDirectory) -> None:
    for number, age in enumerate((3, 30)):
        work.artifact(step_name(number), age=age)
    work.checkpoints(OLD, age=30)
    work.checkpoints(NEW, age=3)

    assert names(plan(work, Policy(kinds=["artifacts"], older_than=10 * DAY))) == {
        f"artifacts/{step_name(1)}"
    }
    # `frhead train` leaves no run folder, so that checkpoints stay for some days of themselves.
    checkpoints = Policy(kinds=["checkpoints"])
    assert names(plan(work, checkpoints)) == {f"checkpoints/{OLD}"}
    sooner = Policy(kinds=["checkpoints"], older_than=1 * DAY)
    assert names(plan(work, sooner)) == {f"checkpoints/{OLD}", f"checkpoints/{NEW}"}


def test_cache_entries_that_lead_nowhere_go(work: WorkDirectory) -> None:
    gone = work.entry("gone", {"uri": str(work.path / "artifacts" / step_name(1) / "model")})
    work.entry("far", {"uri": "s3://bucket/model"})
    unfinished = work.path / "cache" / ".kfp_cache_abc.tmp"
    unfinished.write_text("{")
    (work.path / "cache" / "numba").mkdir()
    damaged = work.entry_path("damaged")
    damaged.write_text("{")

    cleaning = plan(work)

    assert {item.path for item in cleaning.items} == {gone, unfinished}
    assert cleaning.left_alone == {f"cache/{damaged.name}": "is not recognised"}


@pytest.fixture
def alive(work: WorkDirectory) -> Iterator[Path]:
    """A run whose program lives."""
    folder = work.run(3, uses=[step_name(0)], status="running")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "held\n"
    yield folder
    process.kill()
    process.communicate()


def test_while_a_run_is_alive_only_finished_runs_go(work: WorkDirectory, alive: Path) -> None:
    work.artifact(step_name(1), age=50)
    work.checkpoints(OLD, age=50)
    finished = work.run(5)

    cleaning = plan(work, Policy(keep=0, older_than=1))

    assert names(cleaning) == {finished.name}
    reason = f"{alive.name} is alive, or may have just been started"
    assert cleaning.left_alone == dict.fromkeys(("cache", "artifacts", "checkpoints"), reason)


def test_a_run_that_has_just_been_started_counts_as_alive(work: WorkDirectory) -> None:
    """Its program does not hold its folder yet, or does not have a record."""
    started = RunFolder(work.path / "20990101-000000-demo")
    started.path.mkdir()
    assert plan(work, Policy(keep=0)).left_alone == {started.name: "is no folder with a run.json"}
    started.record({"status": "running"})
    work.artifact(step_name(1), age=50)

    assert not plan(work, Policy(keep=0)).items
    make_older(started.path, 1)
    assert started.name in names(plan(work, Policy(keep=0)))


def test_nothing_shared_goes_while_any_run_holds_the_lock(work: WorkDirectory) -> None:
    work.artifact(step_name(1), age=50)
    finished = work.run(5)

    cleaning = plan(work, Policy(keep=0), free=False)

    assert names(cleaning) == {finished.name}
    assert cleaning.left_alone["artifacts"] == "a run is alive, or may have just been started"


def test_links_are_left_alone_and_nothing_is_removed_through_them(
    work: WorkDirectory, tmp_path: Path
) -> None:
    outside = WorkDirectory(tmp_path / "outside")
    outside.artifact(step_name(0), age=50)
    far_run = outside.run(50)
    far_checkpoints = outside.checkpoints(OLD, age=50)
    before = outside.contents()
    run = work.run(40)
    (run / "results" / "report.html").unlink()
    (run / "results").rmdir()
    (run / "results").symlink_to(far_run)  # goes with the run; what it leads to does not
    made = work.artifact(step_name(1), age=50)
    (made / "link").symlink_to(far_run)
    links = {
        work.path / far_run.name: far_run,
        work.path / "artifacts" / step_name(0).partition("/")[0]: outside.path / "artifacts",
        made.parent / "evaluate-modality": far_run,
        work.entry_path("far"): outside.entry_path(step_name(0)),
        work.path / "checkpoints" / OLD: far_checkpoints,
    }
    (work.path / "checkpoints").mkdir()
    for link, target in links.items():
        link.symlink_to(target)

    cleaning = plan(work, Policy(keep=0, older_than=0))
    assert names(cleaning) >= {run.name, f"artifacts/{step_name(1)}"}
    remove(cleaning)

    assert outside.contents() == before
    assert all(link.is_symlink() for link in links)
    assert {work.path / name for name in cleaning.left_alone} == links.keys()
    assert set(cleaning.left_alone.values()) == {"is a link"}


@pytest.mark.parametrize("kind", ["artifacts", "cache", "checkpoints"])
def test_a_folder_of_shared_things_that_is_a_link_is_left_alone(
    work: WorkDirectory, tmp_path: Path, kind: str
) -> None:
    outside = WorkDirectory(tmp_path / "outside")
    outside.artifact(step_name(0), age=50)
    outside.checkpoints(OLD, age=50)
    before = outside.contents()
    (work.path / kind).symlink_to(outside.path / kind)

    cleaning = plan(work)
    remove(cleaning)

    assert cleaning.left_alone == {kind: "is a link"}
    assert outside.contents() == before


def test_nothing_is_moved_to_where_a_link_leads(work: WorkDirectory, tmp_path: Path) -> None:
    run = work.run(40)
    (tmp_path / "elsewhere").mkdir()
    (work.path / ".removed").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(InputError, match="is a link, and nothing is moved"):
        remove(plan(work, Policy(keep=0)))
    assert (run / "run.json").exists()


def test_what_is_not_recognised_is_left_alone(work: WorkDirectory) -> None:
    noted, renamed, unread, queued, extra = (work.run(age) for age in (10, 20, 30, 40, 50))
    (noted / "results" / "notes.txt").write_text("years of work")
    (extra / "thesis").mkdir()
    (renamed.rename(work.path / "the-good-one"))
    (queued / "run.json").write_text('{"status": "waiting"}')
    for folder in (queued, extra, noted):
        make_older(folder, 10)
    strange = [
        work.path / "raw.zip",
        work.path / "champions" / "000001.json",
        work.path / "artifacts" / "mine" / "model.pt",
        work.path / "artifacts" / "frhead-2026-01-01-00-00-00-000000" / "mine.txt",
        work.path / "cache" / "notes.json",
        work.path / "checkpoints" / "mine" / "checkpoint.pt",
        work.path / "checkpoints" / OLD / "mine.txt",
    ]
    for path in strange:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        make_older(work.path / path.relative_to(work.path).parts[0], 10)

    cleaning = plan(work, Policy(keep=0))
    assert names(cleaning) == {unread.name}
    (unread / "run.json").write_text("{")
    make_older(unread, 10)
    cleaning = plan(work, Policy(keep=0))

    assert not cleaning.items
    assert cleaning.left_alone == {
        noted.name: "holds what no run makes: results/notes.txt",
        extra.name: "holds what no run makes: thesis",
        "the-good-one": "does not have the name that a run gives itself",
        unread.name: "its run.json cannot be read",
        queued.name: "is waiting",
        "raw.zip": "is no folder with a run.json",
        "champions": "is no folder with a run.json",
        **dict.fromkeys(
            ("cache", "artifacts", "checkpoints"), f"what {unread.name} needs of it is not known"
        ),
    }
    (unread / "run.json").write_text('{"status": "failed"}')
    left = plan(work).left_alone
    assert {name for name in left if "/" in name} == {
        "artifacts/mine",
        "artifacts/frhead-2026-01-01-00-00-00-000000/mine.txt",
        "cache/notes.json",
        "checkpoints/mine",
        f"checkpoints/{OLD}",
    }


def test_checkpoints_that_a_program_holds_are_left_alone(work: WorkDirectory) -> None:
    place = work.checkpoints(OLD, age=50)

    with FileLock(place / "lock"):
        held = plan(work)
    assert not held.items
    assert held.left_alone == {f"checkpoints/{OLD}": "another program is using it"}

    found = plan(work)
    with FileLock(place / "lock"):  # somebody has begun to train meanwhile
        remove(found)
    assert (place / "checkpoint.pt").exists()
    remove(found)
    assert not place.exists()


@pytest.mark.parametrize("after", range(4))
def test_an_interrupted_cleaning_is_gone_on_with(
    work: WorkDirectory, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    work.artifact(step_name(0), age=50)
    work.checkpoints(OLD, age=50)
    kept = work.artifact(step_name(1), age=50)
    runs = [work.run(40, uses=[step_name(0)]), work.run(30, uses=[step_name(1)])]
    policy = Policy(keep=1)
    calls = []

    def interrupted(path: Path) -> None:
        """Removes a file and is killed, at the time in question."""
        if len(calls) == after:
            next(file for file in Path(path).rglob("*") if file.is_file()).unlink()
            raise KeyboardInterrupt
        calls.append(path)
        removed(path)

    removed = removal.shutil.rmtree
    with monkeypatch.context() as patch:
        patch.setattr(removal.shutil, "rmtree", interrupted)
        if after < 3:  # there are three folders
            with pytest.raises(KeyboardInterrupt):
                remove(plan(work, policy))
        else:
            remove(plan(work, policy))
    # Whatever is there under its own name is whole.
    for path in (*runs, work.artifact_path(step_name(0)), work.path / "checkpoints" / OLD):
        assert not path.exists() or any(
            (path / name).exists() for name in ("run.json", "executor_output.json", "checkpoint.pt")
        )

    remove(plan(work, policy))

    left = {path.name for path in work.contents()}
    assert not left & {runs[0].name, OLD, ".removed", step_name(0).partition("/")[0]}
    assert (kept / "model" / "last.safetensors").exists()
    assert not plan(work, policy).items


def test_what_cannot_be_removed_is_named(
    work: WorkDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = work.run(40)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(removal.shutil, "rmtree", refuse)
    with pytest.raises(InputError, match=r"\.removed/.*cannot be removed \(Permission denied\)"):
        remove(plan(work, Policy(keep=0)))
    assert not run.exists()


MOST_STEPS = 6
AGES = st.integers(min_value=1, max_value=60)


@settings(max_examples=60)
@given(
    made=st.lists(AGES, min_size=MOST_STEPS, max_size=MOST_STEPS),
    runs=st.dictionaries(
        AGES,
        st.tuples(
            st.sets(st.integers(0, MOST_STEPS - 1)),
            st.sampled_from(["done", "failed", "stopped", "running"]),
            st.booleans(),
            st.none() | AGES,
        ),
        max_size=5,
    ),
    places=st.lists(AGES, max_size=4),
    policy=st.builds(
        Policy,
        kinds=st.sets(st.sampled_from(KINDS), min_size=1),
        keep=st.none() | st.integers(0, 6),
        older_than=st.none() | AGES.map(lambda days: days * DAY),
    ),
)
def test_nothing_goes_that_a_run_refers_to_which_stays(made, runs, places, policy) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = WorkDirectory(Path(folder))
        for number, age in enumerate(made):
            work.artifact(step_name(number), age)
        for number, age in enumerate(places):
            work.checkpoints(f"{number:032x}", age)
        folders = {}
        for age in sorted(runs, reverse=True):  # a run can use what an older one has made
            used, status, recorded, other = runs[age]
            given = (
                {"joint": {"directory": f"{folders[other]}/results"}} if other in folders else {}
            )
            uses = [step_name(each) for each in used]
            folders[age] = work.run(age, uses, status, recorded, given=given)
        mine = work.path / "mine.txt"
        mine.write_text("mine")

        remove(plan(work, policy))

        staying = {age for age, path in folders.items() if path.exists()}
        for age in staying:
            used, _, _, other = runs[age]
            assert {"run.json", "kfp.log", "steps", "results"} == {
                path.name for path in folders[age].iterdir()
            }
            for each in used:
                assert (work.artifact_path(step_name(each)) / "model" / "last.safetensors").exists()
                assert work.entry_path(step_name(each)).exists()
            assert other not in folders or other in staying
            for number, last_used in enumerate(places):
                if last_used <= age:  # it may be one of this run's
                    assert (work.path / "checkpoints" / f"{number:032x}").exists()
        newest = sorted(folders)[: policy.keep or 0]
        assert staying >= set(newest)
        if policy.keep is None and policy.older_than is None:
            assert staying == set(folders)
        assert mine.exists()
        assert not plan(work, policy).items
