"""The images: named by what goes into them, without rights, tags or secrets they do not need."""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from components.images import DATA_IMAGE, TRAINER_IMAGE
from pipeline.step_images import (
    ALL_IMAGES,
    IMAGES,
    Image,
    content_files,
    content_tag,
    image_name,
)

ROOT = Path(__file__).parents[1]
EACH = pytest.mark.parametrize("image", ALL_IMAGES.values(), ids=ALL_IMAGES)


def load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, ROOT / f"images/{name}.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def build() -> ModuleType:
    return load("build")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of everything that goes into the images, and some more."""
    for folder in ("components", "frhead_core", "pipeline"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for image in ALL_IMAGES.values():
        for path in content_files(image, ROOT):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, tmp_path / path)
    return tmp_path


def text_of(image: Image) -> str:
    return (ROOT / image.dockerfile).read_text(encoding="utf-8")


def copied(image: Image) -> set[str]:
    """Sources of the COPY instructions that read the build context."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", text_of(image), re.MULTILINE)
    return {source.removeprefix("./") for line in lines for source in line.split()[:-1]}


@pytest.mark.parametrize(
    ("changed", "names_changed"),
    [
        ("frhead_core/data/extraction.py", {"data", "console"}),
        ("frhead_core/training/loop.py", {"trainer", "console"}),
        ("frhead_core/models/ctrgcn.py", {"trainer", "console"}),
        ("frhead_core/evaluation/report.py", {"trainer", "console"}),
        ("components/runtime.py", {"data", "trainer", "console"}),
        ("constraints.txt", {"data", "trainer", "console"}),
        ("images/Dockerfile", {"data"}),
        ("images/console.Dockerfile", {"console"}),
        ("components/train_modality/README.md", set()),
        ("components/train_modality/metadata.yaml", {"console"}),
        ("pipeline/cli.py", {"console"}),
        ("pipeline/console/templates/base.html", {"console"}),
    ],
)
def test_a_name_changes_with_what_its_steps_use(
    checkout: Path, changed: str, names_changed: set[str]
) -> None:
    before = {name: content_tag(image, {}, checkout) for name, image in ALL_IMAGES.items()}
    with (checkout / changed).open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")

    after = {name: content_tag(image, {}, checkout) for name, image in ALL_IMAGES.items()}

    assert {name for name in ALL_IMAGES if before[name] != after[name]} == names_changed


@EACH
def test_a_name_follows_its_build_arguments_alone(image: Image) -> None:
    plain = content_tag(image, {}, ROOT)
    assert re.fullmatch(r"[0-9a-f]{16}", plain)
    tags = {content_tag(image, {name: "x"}, ROOT) for name in image.arguments}
    assert len(tags | {plain}) == len(image.arguments) + 1
    assert content_tag(image, dict.fromkeys(image.arguments, ""), ROOT) == plain
    assert content_tag(image, {"SOURCE_REVISION": "x"}, ROOT) == plain


@EACH
def test_what_is_copied_is_there(image: Image) -> None:
    files = [path.as_posix() for path in content_files(image, ROOT)]
    for source in copied(image):
        assert any(path == source or path.startswith(f"{source}/") for path in files), source
    needed = {path for path in files if path != image.dockerfile}
    assert all(any(path == s or path.startswith(f"{s}/") for s in copied(image)) for path in needed)


def test_build_context_of_a_plain_build_holds_what_is_copied_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert allowed == set.union(*map(copied, ALL_IMAGES.values()))


@EACH
def test_image_runs_without_rights_and_says_where_it_is_from(image: Image) -> None:
    text = text_of(image)
    final_stage = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final_stage, re.MULTILINE)
    assert 'org.opencontainers.image.revision="${SOURCE_REVISION}"' in final_stage
    assert "pip install" not in final_stage
    assert ":latest" not in text
    assert not re.search(r"^(ENV|ARG) \w*(SECRET|TOKEN|PASSWORD|KEY)", text, re.MULTILINE)
    arguments = set(re.findall(r"^ARG (\w+)=", text, re.MULTILINE))
    assert arguments == {*image.arguments, "SOURCE_REVISION"}


def test_the_two_images_start_alike_so_that_the_second_finds_the_first_ones_packages() -> None:
    starts = []
    for image in IMAGES.values():
        lines = text_of(image).partition("AS trimmed")[0].splitlines()[:-1]
        starts.append([line for line in lines if line and not line.startswith("#")])
    assert len(starts[0]) > 10
    assert starts[0] == starts[1]


def test_every_step_runs_in_the_image_that_holds_its_source() -> None:
    declared = {"data": "DATA_IMAGE", "trainer": "TRAINER_IMAGE"}
    steps = {path.parent.name for path in (ROOT / "components").glob("*/component.py")}
    assert steps == {step for image in IMAGES.values() for step in image.steps}
    for name, image in IMAGES.items():
        for step in image.steps:
            source = (ROOT / "components" / step / "component.py").read_text(encoding="utf-8")
            assert re.findall(r"base_image=(\w+)", source) == [declared[name]]
    assert (DATA_IMAGE.partition(":")[0], TRAINER_IMAGE.partition(":")[0]) == tuple(
        f"frhead-pipeline/{name}" for name in IMAGES
    )


def test_requirements_are_those_of_the_project() -> None:
    requirements = load("requirements").requirements
    always = requirements(ROOT / "pyproject.toml", [])
    training = requirements(ROOT / "pyproject.toml", ["training"])
    assert any(line.startswith("numpy") for line in always)
    assert not any(line.startswith("torch") for line in always)
    assert any(line.startswith("torch") for line in training)
    (executor,) = requirements(ROOT / "pyproject.toml", ["executor"])
    assert executor in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def test_the_engine_gets_the_named_files_without_owner_and_time(build: ModuleType) -> None:
    files = list(content_files(IMAGES["data"], ROOT))
    context = build.build_context(files, ROOT)
    assert build.build_context(files, ROOT) == context
    with tarfile.open(fileobj=io.BytesIO(context)) as archive:
        entries = archive.getmembers()
    assert [entry.name for entry in entries] == [path.as_posix() for path in files]
    assert {(entry.uid, entry.mtime, entry.mode) for entry in entries} == {(0, 0, 0o644)}


def test_command_names_secrets_by_file_and_keeps_them_out_of_arguments(build: ModuleType) -> None:
    options = build.parser().parse_args(
        ["data", "--ca-bundle", "ca.crt", "--pip-configuration", "pip.conf", "--network", "host"]
    )
    command = build.build_command(IMAGES["data"], "a:b", {"SOURCE_REVISION": "x"}, options)
    assert command[:2] == ["docker", "build"]
    assert "id=ca_bundle,src=ca.crt" in command
    assert "id=pip_conf,src=pip.conf" in command
    assert [command[i + 1] for i, word in enumerate(command) if word == "--build-arg"] == [
        "SOURCE_REVISION=x"
    ]
    assert command[-1] == "-"


def test_printing_the_names_needs_neither_docker_nor_a_package() -> None:
    script = [sys.executable, "-I", "-S", str(ROOT / "images/build.py"), "trainer", "data"]
    options = ["--repository", "registry/frhead", "--torch-index", "cpu", "--name-only"]
    shown = subprocess.run(
        [*script, *options],
        env={"PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    arguments = {"TORCH_INDEX": "cpu"}
    assert shown.stdout.splitlines() == [
        image_name(IMAGES["trainer"], ROOT, "registry/frhead", arguments),
        image_name(IMAGES["data"], ROOT, "registry/frhead"),
    ]


def test_a_missing_docker_is_named(build: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["data", "--docker", "no-such-command"]) == 2
    assert capsys.readouterr().err.startswith("error: no-such-command is not there")
