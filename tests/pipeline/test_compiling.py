from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from frhead_core.config import MODALITIES, benchmark_names, load_recipe
from frhead_core.errors import FRHeadError
from pipeline.arguments import pipeline_arguments
from pipeline.cli import exit_code_of
from pipeline.compiling import compile_pipeline
from pipeline.profile import Profile, read_profile

PROFILES = Path(__file__).parents[2] / "manifests" / "profiles"
GPU = read_profile(PROFILES / "gpu-cluster.yaml")


def compiled(folder: Path, profile: Profile | None = GPU) -> list[dict]:
    folder.mkdir(exist_ok=True)
    arguments = pipeline_arguments(load_recipe("nw-ucla"), MODALITIES)
    compile_pipeline(arguments, profile, folder / "pipeline.yaml")
    return list(yaml.safe_load_all((folder / "pipeline.yaml").read_text()))


@pytest.mark.parametrize("name", benchmark_names())
def test_every_benchmark_compiles(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    arguments = pipeline_arguments(recipe, MODALITIES)
    compile_pipeline(arguments, None, tmp_path / "pipeline.yaml")

    spec, *_ = yaml.safe_load_all((tmp_path / "pipeline.yaml").read_text())
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["dataset"]["defaultValue"] == recipe.dataset
    assert json.loads(parameters["splits"]["defaultValue"]).keys() >= {name}
    assert "defaultValue" not in parameters["raw"]


def test_two_that_compile_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abcd"]
    with ThreadPoolExecutor(len(folders)) as pool:
        first, *others = pool.map(compiled, folders)
    assert all(each == first for each in others)


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    compiled(tmp_path / "a")
    compiled(tmp_path / "b")

    one, other = (tmp_path / name / "pipeline.yaml" for name in "ab")
    assert one.read_bytes() == other.read_bytes()
    assert sorted(file.name for file in one.parent.iterdir()) == ["pipeline.yaml"]


def test_the_graph_is_that_of_the_design(tmp_path: Path) -> None:
    spec, *_ = compiled(tmp_path)
    tasks = spec["root"]["dag"]["tasks"]
    loop = spec["components"]["comp-for-loop-1"]["dag"]["tasks"]

    after = {name: set(task.get("dependentTasks", ())) for name, task in tasks.items()}
    assert after == {
        "fingerprint-data": set(),
        "extract-raw-skeletons": {"fingerprint-data"},
        "denoise-skeletons": {"extract-raw-skeletons"},
        "transform-sequences": {"denoise-skeletons"},
        "for-loop-1": {"transform-sequences"},
        "ensemble-modalities": {
            "extract-raw-skeletons",
            "denoise-skeletons",
            "transform-sequences",
            "for-loop-1",
        },
        "promote-model": {"transform-sequences", "for-loop-1", "ensemble-modalities"},
    }
    assert loop["evaluate-modality"]["dependentTasks"] == ["train-modality"]
    assert tasks["for-loop-1"]["iteratorPolicy"]["parallelismLimit"] == 2


def test_only_fingerprint_and_promotion_are_never_cached(tmp_path: Path) -> None:
    spec, *_ = compiled(tmp_path)
    dags = [spec["root"]["dag"], spec["components"]["comp-for-loop-1"]["dag"]]
    tasks = {name: task for dag in dags for name, task in dag["tasks"].items()}

    uncached = {
        name
        for name, task in tasks.items()
        if "for-loop" not in name and not task["cachingOptions"].get("enableCache")
    }
    assert uncached == {"fingerprint-data", "promote-model"}
    for name, task in tasks.items():
        has_version = "code_version" in task["inputs"].get("parameters", {})
        assert has_version == (name not in uncached | {"for-loop-1"})


def test_nothing_of_the_machine_is_in_the_file(tmp_path: Path) -> None:
    compiled(tmp_path)
    text = (tmp_path / "pipeline.yaml").read_text()

    assert str(Path.home()) not in text
    assert str(Path(__file__).parents[2]) not in text
    assert "pip install" not in text


def test_without_a_profile_nothing_of_a_cluster_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(compiled(tmp_path, None)) == 1, "no platform spec"
    command = ["compile", "nw-ucla", "--output", str(tmp_path / "pipeline.yaml")]
    assert exit_code_of(command) == 0
    assert "without --profile" in capsys.readouterr().err
    assert exit_code_of([*command, "--profile", str(PROFILES / "gpu-cluster.yaml")]) == 0
    assert capsys.readouterr().err == ""


def test_a_place_that_is_no_yaml_file_is_refused(tmp_path: Path) -> None:
    arguments = pipeline_arguments(load_recipe("nw-ucla"), ["joint"])
    with pytest.raises(FRHeadError, match=r"\.yaml"):
        compile_pipeline(arguments, None, tmp_path / "pipeline.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(FRHeadError, match="cannot be written"):
        compile_pipeline(arguments, None, tmp_path / "file" / "pipeline.yaml")
