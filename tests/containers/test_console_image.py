"""The image of the console: it starts without rights and network, and says that it is ready."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from tests.console.operated import SCHEDULES

pytestmark = [pytest.mark.docker, pytest.mark.slow]
TOKEN = "a-token-of-some-length"
ASK = """
import sys, urllib.error, urllib.request
path, token = sys.argv[1:]
request = urllib.request.Request("http://127.0.0.1:8080" + path, sys.stdin.buffer.read() or None)
request.add_header("Authorization", "Bearer " + token)
request.add_header("Content-Type", "application/json")
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""


def ask(container: Container, path: str, token: str = "", body: str = "") -> tuple[int, str]:
    """What the console in a container answers, asked from inside."""
    program = f"printf %s \"$BODY\" | python3 -c '{ASK}' {path} '{token}'"
    code, output = container.exec_run(["sh", "-c", program], environment={"BODY": body})
    assert code == 0, output.decode()
    status, _, text = output.decode().partition(" ")
    return int(status), text


@pytest.fixture(scope="module")
def console(client: docker.DockerClient, images: dict[str, str]) -> Iterator[Container]:
    """As the manifest starts it: its own user, nothing to write to but a volume and /tmp."""
    options = ["--host", "0.0.0.0", "--work-directory", "/data/runs", "--only-cluster"]
    container = client.containers.run(
        images["console"],
        [*options, "--endpoint", "http://127.0.0.1:1", "--champions", "/data/runs/champions"],
        detach=True,
        environment={"FRHEAD_CONSOLE_TOKEN": TOKEN},
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mem_limit="1g",
        tmpfs={"/tmp": "", "/data/runs": "uid=1000,gid=1000"},
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(AssertionError):
                assert ask(container, "/readyz")[0] == 200
                break
            container.reload()
            assert container.status == "running", container.logs().decode()
            assert time.monotonic() < deadline, container.logs().decode()
            time.sleep(0.5)
        yield container
    finally:
        container.remove(force=True)


def test_it_lives_and_is_ready(console: Container) -> None:
    assert ask(console, "/healthz") == (200, "ok\n\n")
    assert ask(console, "/readyz") == (200, "ready\n\n")
    assert console.exec_run(["id", "-u"]).output == b"1000\n"
    assert TOKEN not in console.logs().decode()


def test_it_shows_pages_to_those_who_have_the_token(console: Container) -> None:
    assert ask(console, "/champions", TOKEN)[1].count("There is none yet") == 1
    assert ask(console, "/static/console.css", TOKEN)[0] == 200
    assert ask(console, "/api/v1/champions")[0] == 401
    status, text = ask(console, "/api/v1/schedules", TOKEN)
    assert (status, "cannot be reached" in text) == (503, True)


def test_it_checks_files_of_schedules_and_can_compile_what_they_declare(
    console: Container,
) -> None:
    wrong = json.dumps({"yaml": SCHEDULES.replace("0 30 2", "30 2")})
    status, text = ask(console, "/api/v1/schedules", TOKEN, wrong)
    assert (status, "six fields" in text) == (422, True)
    compiled = ["compile", "nw-ucla", "--output", "/tmp/pipeline.yaml"]
    code, output = console.exec_run(["frhead", *compiled])
    assert code == 0, output.decode()


def test_what_it_does_not_use_is_not_in_it(console: Container) -> None:
    listed = console.exec_run(["sh", "-c", "ls /venv/lib/python3*/site-packages"])
    packages = set(listed.output.decode().split())
    assert {"kfp", "kfp_server_api", "fastapi"} <= packages
    assert not {"torch", "numba", "llvmlite", "tensorboard", "pip"} & packages
    sizes = console.exec_run(["du", "-scm", "/venv", "/app"]).output.decode().split()
    assert int(sizes[-2]) < 450


def test_it_says_where_it_is_from_and_keeps_nothing_of_where_it_was_built(
    client: docker.DockerClient, images: dict[str, str], console: Container
) -> None:
    image = client.images.get(images["console"])
    assert image.attrs["Config"]["User"] == "1000:1000"
    assert image.labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert image.labels["org.opencontainers.image.revision"]
    assert "127.0.0.1" not in json.dumps(image.history())
    search = "find /etc /venv /app /home -name 'pip*.conf' -o -name 'pip-ca.crt' -size +0"
    assert console.exec_run(["sh", "-c", search], stderr=False).output in (b"", None)
