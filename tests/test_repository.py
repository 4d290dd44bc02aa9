"""What holds for the repository as a whole: rooms, documentation, nothing of one machine."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import click
import pytest

from frhead_core import config
from frhead_core.backbones import BACKBONES
from pipeline.cli import cli

ROOT = Path(__file__).parents[1]
ROOMS = ("frhead_core", "components", "pipeline")

# What each room may import of the project: itself and the rooms below it.
BELOW = {
    "frhead_core": {"frhead_core"},
    "components": {"components", "frhead_core"},
    "pipeline": {"pipeline", "components", "frhead_core"},
}
# Which of the optional dependencies each room may import.
EXTRAS = {
    "frhead_core": ["training", "onnx"],
    "components": ["executor", "storage"],
    "pipeline": ["pipeline", "hub", "console"],
}
OUTSIDE_THE_SCIENCE = {
    "click", "kfp", "kfp_server_api", "minio", "boto3", "docker", "kubernetes",
    "fastapi", "starlette", "uvicorn", "flask", "requests", "httpx", "aiohttp",
}  # fmt: skip


def backwards(*words: str) -> str:
    """A pattern of any of the words, which are written backwards so that they are not in here."""
    return "|".join(re.escape(word[::-1]) for word in words)


REGISTRIES = ("gro.ipyp", "gro.detsohnohtyp", "gro.sjmpn", "gro.hcrotyp.daolnwod", "gro.naibed.bed")
TYPISTS = ("tnatsissa", "edualc", "ciporhtna", "tpgtahc", "ianepo", "tolipoc", "ledom egaugnal")
FORBIDDEN = {
    "a path of one machine": rf"(?<![\w.~$}}-])/(?:{backwards('krow', 'toor', 'tpo')})/",
    "a job folder of one machine": backwards("hsab/pmt/"),
    "a package registry": backwards(*REGISTRIES),
    "who or what typed it": rf"(?i:\b(?:{backwards(*TYPISTS)})s?\b)|\b{backwards('IA')}\b",
}


@cache
def tracked_files() -> tuple[Path, ...]:
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listing.returncode:
        pytest.skip("not a git checkout")
    paths = (ROOT / name for name in listing.stdout.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def python_files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported_packages(path: Path) -> set[str]:
    """Top-level names of everything that a file imports, in functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its room"
            names.add((node.module or "").partition(".")[0])
    return names


def normalised(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def direct_dependencies(project) -> set[str]:
    extras = project["optional-dependencies"].values()
    return {normalised(line) for group in [project["dependencies"], *extras] for line in group}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_downwards_only(room):
    files = python_files(room)
    assert files
    for path in files:
        upwards = imported_packages(path) & set(ROOMS) - BELOW[room]
        assert not upwards, f"{path.relative_to(ROOT)} imports {sorted(upwards)}"


def test_the_science_knows_nothing_of_the_world_outside():
    for path in python_files("frhead_core"):
        strange = imported_packages(path) & OUTSIDE_THE_SCIENCE
        assert not strange, f"{path.relative_to(ROOT)} imports {sorted(strange)}"


@pytest.mark.parametrize("room", ROOMS)
def test_third_party_imports_are_declared(room, project):
    extras = [project["optional-dependencies"][name] for name in EXTRAS[room]]
    declared = {normalised(line) for group in [project["dependencies"], *extras] for line in group}
    declared = (declared - {"pyyaml"}) | {"yaml"}
    for path in python_files(room):
        names = imported_packages(path) - set(sys.stdlib_module_names) - set(ROOMS)
        undeclared = {name for name in names if name.replace("_", "-") not in declared}
        assert not undeclared, f"{path.relative_to(ROOT)} imports {sorted(undeclared)}"


def test_package_init_files_import_nothing():
    for room in ROOMS:
        for path in (ROOT / room).rglob("__init__.py"):
            assert not imported_packages(path), f"{path.relative_to(ROOT)} should stay empty"


@pytest.mark.parametrize("room", ROOMS)
def test_public_modules_say_what_they_are_for(room):
    for path in python_files(room):
        module = ast.parse(path.read_text(encoding="utf-8"))
        if module.body:
            assert ast.get_docstring(module), f"{path.relative_to(ROOT)} has no docstring"


@pytest.mark.parametrize("what", FORBIDDEN)
def test_tracked_files_hold_nothing_of(what):
    pattern = re.compile(FORBIDDEN[what])
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a binary file
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in pattern.finditer(text)]
    assert not found


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a path of one machine", "see /krow/x"),
        ("a job folder of one machine", "/tmp/hsab_jobs"),
        ("a package registry", "https://gro.ipyp/simple"),
        ("who or what typed it", "written by an IA"),
        ("who or what typed it", "two tnatsissas"),
    ],
)
def test_forbidden_patterns_do_match(what, text):
    forward = re.sub(r"krow|hsab|gro\.ipyp|IA|tnatsissa", lambda word: word.group()[::-1], text)
    assert re.search(FORBIDDEN[what], forward)
    assert not re.search(FORBIDDEN[what], text)


def test_every_direct_dependency_has_its_reason(direct_dependencies):
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    explained = {
        normalised(name) for name in re.findall(r"^\| `([^`]+)` \| \S", page, re.MULTILINE)
    }
    assert explained == direct_dependencies


def test_constraints_pin_every_direct_dependency_exactly(direct_dependencies):
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    assert direct_dependencies <= {normalised(line) for line in pins}
    assert "torch==2.13.0" in pins


def test_readme_opens_with_the_picture_and_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first_screen = readme.partition("\n## ")[0] + readme.split("\n## ")[1]
    assert "make demo" in first_screen
    assert "make test" in first_screen
    picture = re.search(r'(?:src="|\]\()(docs/images/[\w.]+)', first_screen)
    assert picture and (ROOT / picture.group(1)).is_file()


@pytest.mark.parametrize(
    "name", [name for name in config.benchmark_names() if config.load_recipe(name).published]
)
def test_readme_states_the_published_accuracies_of_the_recipe(name):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    published = config.load_recipe(name).published
    row = re.search(rf"^\| `{name}` \|.*$", readme, re.MULTILINE)
    assert published and row
    stated = [float(cell) for cell in row.group().split("|")[3:-1]]
    assert stated == [getattr(published, modality) for modality in (*config.MODALITIES, "ensemble")]


@pytest.mark.parametrize(
    ("page", "pattern"),
    [
        ("README.md", r"^\| `(\w+)` \| [^|]+ \| [\d,]+; [\d,]+ \|$"),
        ("docs/recipes.md", r"`(\w+)`(?=[^|]*\| ctrgcn \|$)"),
    ],
)
def test_documentation_lists_every_backbone(page, pattern):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert set(re.findall(pattern, text, re.MULTILINE)) == set(BACKBONES)


@pytest.mark.parametrize(
    "page",
    [
        *("README.md", "Makefile"),
        *("docs/data.md", "docs/own-data.md", "docs/architecture.md"),
        *("docs/experiments.md", "docs/models.md"),
        *("docs/champions.md", "docs/scheduling.md"),
        "docs/containers.md",
    ],
)
def test_documentation_names_commands_that_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    commands = set(re.findall(r"\bfrhead ([a-z][a-z-]+)", text))
    known = set(cli.list_commands(click.Context(cli)))
    assert commands
    assert commands <= known


def test_the_picture_is_what_its_script_draws(monkeypatch):
    script = ROOT / "docs/images/dag.py"
    specification = importlib.util.spec_from_file_location("dag", script)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "dag", module)  # dataclasses look their module up
    specification.loader.exec_module(module)
    assert (ROOT / "docs/images/dag.svg").read_text(encoding="utf-8") == module.draw()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs"])
def test_links_within_the_documentation_lead_somewhere(page):
    path = ROOT / page
    for document in sorted(path.rglob("*.md")) if path.is_dir() else [path]:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)}: {target}"


def recipe_fields() -> set[str]:
    classes = [
        value for value in vars(config).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value)
        and value.__module__ == config.__name__
    ]  # fmt: skip
    assert config.Recipe in classes
    return {field.name for one in classes for field in dataclasses.fields(one)}


def test_recipe_page_explains_every_field_and_no_other():
    page = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
    explained = re.findall(r"^(?:\| |## )`([\w.]+)`", page, re.MULTILINE)
    assert {key.rpartition(".")[2] for key in explained} == recipe_fields()


def test_make_targets_exist_and_ci_runs_lint_before_tests():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test", "lint", "bench", "clean"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script
    assert 0 < script.index("make lint") < script.index("make test")
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
