"""What is written about a component says what the component is."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import components

ROOT = Path(components.__file__).parent
STEPS = sorted(path.parent.name for path in ROOT.glob("*/component.py"))
_TYPES = {"String": "text"}


def test_all_steps_of_the_design_are_there() -> None:
    assert STEPS == [
        "denoise_skeletons",
        "ensemble_modalities",
        "evaluate_modality",
        "extract_raw_skeletons",
        "fingerprint_data",
        "promote_model",
        "train_modality",
        "transform_sequences",
    ]


def type_text(parameter) -> str:
    if "@" not in parameter.type:
        return _TYPES[parameter.type]
    name = parameter.type.removeprefix("system.").partition("@")[0]
    return f"list of {name}" if getattr(parameter, "is_artifact_list", False) else name


@pytest.mark.parametrize("name", STEPS)
def test_metadata_and_readme_agree_with_the_component(name: str) -> None:
    spec = getattr(importlib.import_module(f"components.{name}.component"), name).component_spec
    metadata = yaml.safe_load((ROOT / name / "metadata.yaml").read_text())
    readme = (ROOT / name / "README.md").read_text()

    assert metadata["name"] == name
    for side in ("inputs", "outputs"):
        actual = {key: type_text(each) for key, each in getattr(spec, side).items()}
        assert metadata[side] == actual
        for key, text in actual.items():
            assert f"| `{key}` | {text} |" in readme


@pytest.mark.parametrize("name", STEPS)
def test_a_component_module_imports_nothing_heavy(name: str) -> None:
    tree = ast.parse((ROOT / name / "component.py").read_text())
    imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = [node.module if isinstance(node, ast.ImportFrom) else "" for node in imported]

    allowed = {"kfp", "kfp.dsl", "components.images", *sys.stdlib_module_names}
    assert modules
    assert set(modules) <= allowed


def test_only_extraction_brings_the_compiler() -> None:
    """It takes a second to start with, and most steps have nothing to compile."""
    modules = "fingerprint", "denoising", "transformation", "loader", "synthetic_ntu"
    imports = "; ".join(f"import frhead_core.data.{name}" for name in modules)
    program = f"import sys; {imports}; sys.exit('numba' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
