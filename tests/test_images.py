"""The images: named by what goes into them, without rights, tags or secrets they do not need."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILES = [ROOT / "images/Dockerfile", ROOT / "Dockerfile.gpu"]


@pytest.fixture(scope="module")
def build() -> ModuleType:
    specification = importlib.util.spec_from_file_location("build", ROOT / "images/build.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(build, tmp_path) -> Path:
    """A copy of everything that goes into the images."""
    for image in build.DOCKERFILES:
        for path in build.content_files(image, ROOT):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, tmp_path / path)
    return tmp_path


def copied(dockerfile: Path) -> set[str]:
    """Sources of the COPY instructions that read the build context."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile.read_text(encoding="utf-8"), re.M)
    return {source.removeprefix("./") for line in lines for source in line.split()[:-1]}


@pytest.mark.parametrize("image", ["data", "trainer"])
def test_tag_follows_content(build, checkout, image):
    arguments = {"BASE_IMAGE": "python:3.11-slim"}
    before = build.content_tag(image, arguments, checkout)
    assert re.fullmatch(r"[0-9a-f]{16}", before)
    (checkout / "frhead_core/__pycache__").mkdir()
    (checkout / "frhead_core/__pycache__/config.cpython-311.pyc").write_bytes(b"x")
    assert build.content_tag(image, arguments, checkout) == before
    (checkout / "frhead_core/config.py").open("a").write("# changed\n")
    assert build.content_tag(image, arguments, checkout) != before


def test_tag_follows_build_arguments_and_dockerfile(build):
    tags = {
        build.content_tag(image, {"BASE_IMAGE": base}, ROOT)
        for image in build.DOCKERFILES
        for base in ("python:3.11-slim", "python:3.12-slim")
    }
    assert len(tags) == 4


@pytest.mark.parametrize("image", ["data", "trainer"])
def test_what_is_copied_is_what_is_hashed(build, image):
    dockerfile = ROOT / build.DOCKERFILES[image]
    assert copied(dockerfile) == set(build.FOLDERS) | set(build.FILES) - {".dockerignore"}


def test_build_context_holds_what_is_copied_and_no_more():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert allowed == set.union(*(copied(dockerfile) for dockerfile in DOCKERFILES))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_image_runs_without_rights_and_is_pinned(dockerfile):
    text = dockerfile.read_text(encoding="utf-8")
    final_stage = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final_stage, re.M)
    assert ":latest" not in text
    assert "constraints.txt" in text
    assert not re.search(r"^(ENV|ARG) \w*(SECRET|TOKEN|PASSWORD|KEY)", text, re.M)


def test_the_two_images_differ_only_in_what_the_gpu_needs():
    data, trainer = (path.read_text(encoding="utf-8") for path in DOCKERFILES)
    steps = [line for line in data.splitlines() if not line.startswith("#")]
    rest = [line.rstrip(" \\") for line in steps]
    expected = {line.rstrip(" \\") for line in trainer.splitlines()}
    assert set(rest) <= expected


def test_command_names_secrets_by_file_and_keeps_them_out_of_arguments(build):
    options = build.parser().parse_args(
        ["data", "--ca-bundle", "ca.crt", "--pip-configuration", "pip.conf", "--network", "host"]
    )
    command = build.build_command("data", "a:b", {"TORCH_INDEX": ""}, options)
    assert command[:2] == ["docker", "build"]
    assert "id=ca_bundle,src=ca.crt" in command
    assert "id=pip_conf,src=pip.conf" in command
    assert [command[i + 1] for i, word in enumerate(command) if word == "--build-arg"] == [
        "TORCH_INDEX="
    ]
    assert command[-1] == "."


def test_printing_the_name_needs_no_docker(build, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert build.main(["trainer", "--repository", "registry/frhead", "--name-only"]) == 0
    name = capsys.readouterr().out.strip()
    assert re.fullmatch(r"registry/frhead/trainer:[0-9a-f]{16}", name)
