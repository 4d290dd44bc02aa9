"""What is in the images, and what is not."""

from __future__ import annotations

import json
import subprocess

import docker
import pytest

from tests.containers.engine import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.slow]
BOTH = pytest.mark.parametrize("name", ["data", "trainer"])

EXECUTOR = """
import sys, time
begin = time.perf_counter()
import kfp.dsl.executor_main
seconds = time.perf_counter() - begin
packages = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(seconds, *sorted(packages - {"__main__"}))
"""
MODULES = """
import importlib, pathlib
for path in sorted(pathlib.Path("/app").rglob("*.py")):
    name = ".".join(path.relative_to("/app").with_suffix("").parts).removesuffix(".__init__")
    if not name.endswith(".component"):  # kfp makes components elsewhere
        importlib.import_module(name)
        print(name)
"""


def output(client: docker.DockerClient, image: str, *command: str, **options: object) -> str:
    options = {"network_mode": "none", "remove": True} | options
    return client.containers.run(image, list(command), **options).decode()


@BOTH
def test_the_executor_of_kfp_is_imported_in_under_a_second_and_brings_little_along(
    client: docker.DockerClient, images: dict[str, str], name: str
) -> None:
    program = ["python3", "-c", EXECUTOR]
    runs = [
        output(client, images[name], *program, environment={"_KFP_RUNTIME": "true"}).split()
        for _ in range(3)
    ]
    assert min(float(seconds) for seconds, *_ in runs) < 1
    assert "kfp" in runs[0]
    assert not {"kubernetes", "google", "requests", "numpy", "torch"} & set(runs[0])


@BOTH
def test_every_module_in_an_image_finds_what_it_imports(
    client: docker.DockerClient, images: dict[str, str], name: str
) -> None:
    names = output(client, images[name], "python3", "-c", MODULES).split()
    assert "components.runtime" in names
    assert ("frhead_core.training.loop" in names) == (name == "trainer")
    assert ("frhead_core.data.extraction" in names) == (name == "data")


@BOTH
def test_an_image_is_run_by_nobody_of_importance_and_says_where_it_is_from(
    client: docker.DockerClient, images: dict[str, str], name: str
) -> None:
    image = client.images.get(images[name])
    assert image.attrs["Config"]["User"] == "1000:1000"
    assert output(client, images[name], "sh", "-c", "id -u; touch /app/x || true").split() == [
        "1000"
    ]
    described = ["git", "-c", "safe.directory=*", "rev-parse", "HEAD"]
    commit = subprocess.run(described, cwd=ROOT, capture_output=True, text=True, check=False)
    revision = image.labels["org.opencontainers.image.revision"]
    assert image.labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert revision.removesuffix("-modified") == (commit.stdout.strip() or "unknown")


@BOTH
def test_nothing_of_the_building_machine_is_left_in_an_image(
    client: docker.DockerClient, images: dict[str, str], name: str
) -> None:
    history = json.dumps(client.images.get(images[name]).history())
    assert "127.0.0.1" not in history
    search = "find /etc /venv /app /home -name 'pip*.conf' -o -name 'pip-ca.crt' -size +0;"
    search += "find /venv -name direct_url.json"
    assert output(client, images[name], "sh", "-c", search) == ""


def test_the_data_image_is_small_and_without_torch(
    client: docker.DockerClient, images: dict[str, str]
) -> None:
    megabytes = int(output(client, images["data"], "sh", "-c", "du -scm /venv /app").split()[-2])
    packages = output(client, images["data"], "sh", "-c", "ls /venv/lib/python3*/site-packages")
    assert megabytes < 400
    assert "numpy" in packages.split()
    assert not {"torch", "matplotlib", "kubernetes", "pip"} & set(packages.split())
