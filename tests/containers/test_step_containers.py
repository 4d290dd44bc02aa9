"""Single containers: how they end, what they see, and what is left of them."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from components import lifeline
from frhead_core.errors import InputError
from pipeline.step_containers import (
    RUN_LABEL,
    StepContainers,
    StepNeeds,
    StepPlaces,
    check_images,
    connect,
    identity,
)
from pipeline.step_runner import StepEnd, StepTask

pytestmark = [pytest.mark.docker, pytest.mark.slow]
MEBIBYTE = 2**20
PLAIN = StepNeeds()


class Bench:
    """Runs shell scripts as steps of one run."""

    def __init__(self, client: docker.DockerClient, image: str, folder: Path) -> None:
        self.client, self.image, self.folder = client, image, folder
        self.run_folder = folder / "run"
        self.run_folder.mkdir()
        self.written = folder / "artifacts"
        self.written.mkdir()
        self.raw = folder / "raw"
        self.raw.mkdir()
        (self.raw / "recording").write_text("raw data")

    def containers(self, needs: StepNeeds = PLAIN, read: Sequence[Path] = ()) -> StepContainers:
        places = StepPlaces([self.written], [self.raw, *read])
        return StepContainers(
            self.client, self.run_folder, {"TOLD": "yes"}, places, {"step": needs}
        )

    def task(self, script: str, name: str = "step") -> StepTask:
        directory = self.run_folder / name
        directory.mkdir(exist_ok=True)
        return StepTask("step", self.image, ["sh", "-c", script], directory, {"OWN": name})

    def run(self, script: str, needs: StepNeeds = PLAIN) -> tuple[StepEnd, str]:
        end = self.containers(needs).run(task := self.task(script))
        return end, (task.directory / "log.txt").read_text()

    def left(self) -> list[str]:
        mark = {"label": f"{RUN_LABEL}={self.run_folder}"}
        return [each.status for each in self.client.containers.list(all=True, filters=mark)]


@pytest.fixture
def bench(client: docker.DockerClient, images: dict[str, str], tmp_path: Path) -> Bench:
    return Bench(client, images["data"], tmp_path)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_forty_failing_containers_are_forty_failures_with_their_logs(bench: Bench) -> None:
    containers = bench.containers()
    tasks = [bench.task(f"echo this is number {n}; exit 3", f"step-{n}") for n in range(40)]

    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(containers.run, tasks))

    assert Counter(end.exit_code for end in ends) == {3: 40}
    logs = [(task.directory / "log.txt").read_text() for task in tasks]
    assert logs == [f"this is number {n}\n" for n in range(40)]
    assert bench.left() == []


@pytest.mark.parametrize(
    ("script", "exit_code", "text"),
    [
        ("exit 0", 0, ""),
        ("exit 2", 2, "exit code 2"),
        ("kill -9 $$", -9, "SIGKILL"),
        ("kill -15 $$", -15, "SIGTERM"),
        ("no-such-command", 127, "exit code 127"),
    ],
)
def test_an_end_is_what_the_process_says(
    bench: Bench, script: str, exit_code: int, text: str
) -> None:
    end, _ = bench.run(script)
    assert end.exit_code == exit_code
    assert exit_code == 0 or text in end.describe()


def test_output_is_in_the_log_while_the_step_runs(bench: Bench) -> None:
    script = "echo begun; while [ ! -e $WHERE/go ]; do sleep 0.05; done; echo ended >&2"
    task = bench.task(script.replace("$WHERE", str(bench.written)))
    log = task.directory / "log.txt"
    with ThreadPoolExecutor() as pool:
        end = pool.submit(bench.containers().run, task)
        assert wait_until(lambda: log.exists() and log.read_text() == "begun\n")
        assert not end.done()
        (bench.written / "go").touch()
        assert end.result().exit_code == 0
    assert log.read_text() == "begun\nended\n"


def test_a_step_that_needs_more_memory_than_it_may_have_is_told_so(bench: Bench) -> None:
    program = "python3 -c 'bytearray(300 * 2**20)'"
    end, _ = bench.run(program, StepNeeds(memory=64 * MEBIBYTE))
    assert end.exit_code != 0
    assert end.expected
    assert end.describe() == (
        "the step used more than its 0.0625 GiB of memory. Give more: --memory, or the profile"
    )
    assert bench.run(program, StepNeeds(memory=600 * MEBIBYTE))[0] == StepEnd(0)


def test_cores_and_shared_memory_have_limits_too(bench: Bench) -> None:
    # The share of every 100 ms, in the two forms that kernels have for it.
    program = "cd /sys/fs/cgroup; cat cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us"
    end, log = bench.run(program, StepNeeds(cpus=0.5))
    assert end == StepEnd(0)
    assert log.split()[0] == "50000"

    _, log = bench.run("df -k /dev/shm | tail -1", StepNeeds(shared_memory=32 * MEBIBYTE))
    assert log.splitlines()[-1].split()[1] == str(32 * 1024)


def test_a_container_sees_its_places_and_no_more(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    (tmp_path / "other").write_text("not its business")
    end, log = bench.run(
        f"""
        cat {bench.raw}/recording; echo
        touch {bench.raw}/recording 2>/dev/null || echo raw data are safe
        ls {tmp_path}
        echo made > {bench.written}/made
        ls /sys/class/net
        echo $TOLD $OWN $SECRET. $HOME
        """
    )
    assert end.exit_code == 0
    assert log.split("\n") == [
        *("raw data", "raw data are safe", "artifacts", "raw", "run", "lo", "yes step . /tmp", "")
    ]
    assert (bench.written / "made").read_text() == "made\n"


def test_network_and_variables_are_for_steps_that_need_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEEDED", "given")
    interfaces = "ls /sys/class/net | wc -l; echo $NEEDED $MISSING"
    _, log = bench.run(interfaces, StepNeeds(network=True, variables=("NEEDED", "MISSING")))
    assert log.split() == [str(len(list(Path("/sys/class/net").iterdir()))), "given"]


def test_files_belong_to_the_user_who_runs_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.getuid() == 0:
        for folder in (bench.written, bench.run_folder):
            os.chown(folder, 4321, 4322)
        monkeypatch.setattr(os, "getuid", lambda: 4321)
        monkeypatch.setattr(os, "getgid", lambda: 4322)
    end, log = bench.run(f"touch {bench.written}/made && id -u && id -g")
    assert end.exit_code == 0
    assert log.split() == [str(os.getuid()), str(os.getgid())]
    made = (bench.written / "made").stat()
    assert (made.st_uid, made.st_gid) == (os.getuid(), os.getgid())


def test_identity_follows_how_the_engine_treats_users() -> None:
    who = f"{os.getuid()}:{os.getgid()}"
    assert identity(["name=seccomp,profile=default"])["user"] == who
    assert identity(["name=seccomp,profile=default", "name=rootless"]) == {"user": "0:0"}
    assert identity(["name=userns"])["userns_mode"] == "host"


@pytest.mark.parametrize(
    ("script", "stops", "exit_code", "log"),
    [
        (
            "trap 'echo bye; exit 143' TERM; echo up; while :; do sleep 0.1; done",
            1,
            -15,
            "up\nbye\n",
        ),
        ("trap '' TERM; echo up; while :; do sleep 0.1; done", 2, -9, "up\n"),
    ],
)
def test_stopping_is_gentle_at_first(
    bench: Bench, script: str, stops: int, exit_code: int, log: str
) -> None:
    containers, task = bench.containers(), bench.task(script)
    written = task.directory / "log.txt"
    with ThreadPoolExecutor() as pool:
        end = pool.submit(containers.run, task)
        assert wait_until(lambda: written.exists() and written.read_text() == "up\n")
        for _ in range(stops):
            containers.stop()
            time.sleep(0.5)
        assert end.result(timeout=20).exit_code == exit_code
    assert written.read_text() == log
    assert containers.stopping
    assert containers.run(bench.task("echo never", "next")).exit_code == -15
    assert not (bench.run_folder / "next/log.txt").exists()
    assert bench.left() == []


def test_a_container_ends_with_the_program_that_runs_it(bench: Bench) -> None:
    program = (
        "import time; from pathlib import Path; from components import lifeline;"
        f"lifeline.follow(Path('{bench.run_folder}')); print('following', flush=True);"
        "time.sleep(60)"
    )
    task = bench.task(f'python3 -c "{program}"')
    log = task.directory / "log.txt"
    alive = lifeline.held(bench.run_folder)
    with ThreadPoolExecutor() as pool:
        with alive:
            end = pool.submit(bench.containers().run, task)
            assert wait_until(lambda: log.exists() and "following" in log.read_text())
            time.sleep(0.5)
            assert not end.done()
        assert end.result(timeout=20).exit_code == -9


def test_what_a_killed_run_left_is_removed_by_the_next(bench: Bench, tmp_path: Path) -> None:
    runs = {name: tmp_path / name for name in ("over", "alive")}
    for folder in runs.values():
        folder.mkdir()
        bench.client.containers.create(
            bench.image, ["true"], labels={RUN_LABEL: str(folder)}, network_mode="none"
        )

    def left() -> list[str]:
        found = bench.client.containers.list(all=True, filters={"label": RUN_LABEL})
        mine = {str(folder): name for name, folder in runs.items()}
        return sorted(
            mine[each.labels[RUN_LABEL]] for each in found if each.labels[RUN_LABEL] in mine
        )

    with lifeline.held(runs["alive"]):
        assert left() == ["alive", "over"]
        bench.containers()
        assert left() == ["alive"]
    bench.containers()
    assert left() == []


def test_an_engine_that_fails_is_told_from_a_step_that_fails(bench: Bench) -> None:
    task = bench.task("true")
    gone = StepTask(task.name, "no-such-image:1", task.command, task.directory, {})
    end = bench.containers().run(gone)
    assert end.exit_code == 125
    assert end.describe().startswith("the container engine failed: No such image: no-such-image:1")


def test_a_missing_image_is_named_with_the_command_that_makes_it(
    client: docker.DockerClient,
) -> None:
    with pytest.raises(InputError, match=r"no-such-image:1.*Build it: make it"):
        check_images(client, ["no-such-image:1"], "make it")


def test_an_image_for_other_machines_is_refused(
    client: docker.DockerClient, images: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_images(client, images.values(), "make it")
    monkeypatch.setattr(client, "info", lambda: {"Architecture": "riscv64"})
    with pytest.raises(InputError, match=r"is for other machines.*expected riscv64"):
        check_images(client, images.values(), "make it")


def test_without_an_engine_there_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(InputError, match=r"nobody\.sock.*run without --engine docker"):
        connect()
