from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.code_version import (
    LOCAL_PACKAGES,
    code_version,
    package_root,
    source_files,
    source_version,
)

DATA_STEPS = ("extract_raw_skeletons", "denoise_skeletons", "transform_sequences")
MODEL_STEPS = ("train_modality", "evaluate_modality", "ensemble_modalities")
STEPS = (*DATA_STEPS, *MODEL_STEPS)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The local packages, where they may be changed."""
    for name in LOCAL_PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package_root() / name, tmp_path / name, ignore=ignored)
    return tmp_path


def versions(root: Path) -> dict[str, str]:
    return {step: source_version(f"components.{step}.component", root) for step in STEPS}


def changed(root: Path, file: str, text: str = "\nCHANGED = 1\n") -> set[str]:
    """The steps whose version changes when something is added to a file."""
    before = versions(root)
    path = root / file
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + text)
    return {step for step, version in versions(root).items() if version != before[step]}


def test_a_version_depends_on_the_source_and_not_on_where_it_is(copy: Path) -> None:
    assert versions(copy) == {step: code_version(step) for step in STEPS}
    assert all(len(version) == 16 for version in versions(copy).values())
    assert len(set(versions(copy).values())) == len(STEPS)


@pytest.mark.parametrize(
    ("file", "steps"),
    [
        ("frhead_core/training/loop.py", {"train_modality"}),
        ("frhead_core/models/ctrgcn.py", set(MODEL_STEPS)),
        ("frhead_core/models/tcagcn.py", set(MODEL_STEPS)),  # imported by its name in the recipe
        ("frhead_core/models/reference/tcagcn.py", set()),
        ("frhead_core/evaluation/report.py", {"ensemble_modalities"}),
        ("frhead_core/evaluation/templates/report.html.j2", {"ensemble_modalities"}),
        ("frhead_core/config.py", set(STEPS)),
        ("frhead_core/__init__.py", set(STEPS)),
        ("components/transform_sequences/component.py", {"transform_sequences"}),
        ("frhead_core/benchmarks/nw-ucla.yaml", set()),
        ("frhead_core/data/skeleton_scan.py", {"extract_raw_skeletons"}),
        ("frhead_core/data/ntu_denoise.py", {"denoise_skeletons"}),
        ("frhead_core/data/parts.py", {"transform_sequences"}),
        ("frhead_core/data/ntu120_missing_skeletons.txt", set(DATA_STEPS)),
        ("frhead_core/data/synthetic.py", set()),
        ("components/train_modality/README.md", set()),
        ("components/train_modality/metadata.yaml", set()),
    ],
)
def test_a_change_concerns_the_steps_that_use_the_file(
    copy: Path, file: str, steps: set[str]
) -> None:
    assert changed(copy, file) == steps


def test_a_data_file_concerns_whoever_names_it(copy: Path) -> None:
    (copy / "frhead_core/training/loop.py").open("a").write("\n_TABLE = 'table.csv'\n")

    assert changed(copy, "frhead_core/training/table.csv", "1,2") == {"train_modality"}


def test_a_data_file_that_nobody_names_concerns_all_in_its_folder(copy: Path) -> None:
    assert changed(copy, "frhead_core/models/extra/unnamed.bin", "1") == set(MODEL_STEPS)


def write_package(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / "components" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "import components.b",
        "from components import b",
        "from components.b import something",
        "from . import b",
        "from .b import something",
        "def f():\n    import components.b as other",
        "if False:\n    from components import (a, b)",
    ],
)
def test_every_way_to_import_is_followed(tmp_path: Path, text: str) -> None:
    write_package(tmp_path, a=text, b="import components.c", c="import numpy", d="")
    for name in ("a", "b", "c"):
        assert tmp_path / f"components/{name}.py" in source_files("components.a", tmp_path)
    assert tmp_path / "components/d.py" not in source_files("components.a", tmp_path)


@pytest.mark.parametrize("call", ["import_module", "importlib.import_module"])
def test_a_name_that_is_only_known_later_may_be_any_of_its_package(
    tmp_path: Path, call: str
) -> None:
    write_package(tmp_path, a=f"{call}(f'components.kinds.{{name}}')", b="")
    write_package(tmp_path, kinds__one="import components.c", kinds__two="", c="")
    reached = {
        file.relative_to(tmp_path).as_posix() for file in source_files("components.a", tmp_path)
    }
    assert reached == {f"components/{name}.py" for name in ("a", "c", "kinds/one", "kinds/two")}


def test_import_circles_end(tmp_path: Path) -> None:
    write_package(tmp_path, a="import components.b", b="import components.a")

    assert len(source_files("components.a", tmp_path)) == 2
