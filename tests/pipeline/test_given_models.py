"""``frhead run --weights``: models are evaluated that the run does not train."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from bs4 import BeautifulSoup
from safetensors.torch import save as to_safetensors

from components.object_storage.client import ObjectStore
from components.object_storage.directories import push
from components.object_storage.location import Location
from frhead_core.config import Modality, Recipe, load_recipe, override
from frhead_core.errors import InputError
from frhead_core.models.registry import build_model
from frhead_core.training.artifact import ModelArtifact, write_artifact
from frhead_core.training.checkpoint import contiguous_state
from pipeline.arguments import pipeline_arguments
from pipeline.cli import exit_code_of
from pipeline.given_models import given_models

MakeModel = Callable[..., Path]


@pytest.fixture
def recipe() -> Recipe:
    settings = ["model.base_channels=8", "loader.window=16", "training.epochs=1"]
    return override(load_recipe("demo-nw-ucla"), settings)


@pytest.fixture
def make_model(recipe: Recipe, tmp_path: Path) -> MakeModel:
    """A model as an import leaves it: weights, and no metrics."""

    def make(modality: Modality, recipe: Recipe = recipe, seed: int = 0) -> Path:
        torch.manual_seed(seed)
        write_artifact(
            tmp_path / modality,
            recipe=recipe,
            modality=modality,
            weights={"last": to_safetensors(contiguous_state(build_model(recipe)))},
            metadata={
                "origin": f"imported from {modality}.pt",
                "trained_on": "nothing",
                "precision": "float32",
                "metrics": {},
            },
            history=(),
            training_samples=None,
        )
        return tmp_path / modality

    return make


def test_place_and_digest_are_arguments_of_the_training_step(
    make_model: MakeModel, recipe: Recipe
) -> None:
    directory = make_model("bone")
    digest = ModelArtifact.open(directory).content_digest()

    given = given_models({"bone": str(directory)}, recipe, ["joint", "bone"])

    joint, bone = pipeline_arguments(recipe, ["joint", "bone"], given).trainings
    assert (joint["weights"], joint["weights_digest"]) == ("", "")
    assert (bone["weights"], bone["weights_digest"]) == (str(directory), digest)


def test_what_could_not_be_reported_together_is_refused_before_the_run(
    make_model: MakeModel, recipe: Recipe
) -> None:
    other = override(recipe, {"training.batch_size": 5})
    places = {"joint": str(make_model("joint")), "bone": str(make_model("bone", other))}
    with pytest.raises(InputError, match=r"bone: training\.batch_size: .*joint; found 5; exp"):
        given_models(places, recipe, ["joint", "bone"])
    del places["joint"]
    with pytest.raises(InputError, match="another recipe than this run"):
        given_models(places, recipe, ["joint", "bone"])
    assert given_models(places, recipe, ["bone"]).keys() == {"bone"}
    with pytest.raises(InputError, match="that is not run; found bone; expected joint"):
        given_models(places, recipe, ["joint"])


def compiled_trainings(output: Path) -> list[dict[str, str]]:
    """The default of the run parameter that says what is trained, and what is given instead."""
    spec, *_ = yaml.safe_load_all(output.read_text())
    value: list[dict[str, str]] = spec["root"]["inputDefinitions"]["parameters"]["trainings"][
        "defaultValue"
    ]
    return value


@pytest.mark.s3
def test_a_compiled_pipeline_evaluates_models_in_object_storage(
    make_model: MakeModel, store: ObjectStore, bucket: Location, tmp_path: Path
) -> None:
    directory = make_model("bone")
    push(directory, bucket / "models/bone", store)
    settings = ["--set", "model.base_channels=8", "--set", "loader.window=16", "--epochs", "1"]
    command = ["compile", "demo-nw-ucla", *settings, "--output", str(tmp_path / "pipeline.yaml")]
    weights = ["--weights", f"bone={bucket}/models/bone"]

    assert exit_code_of([*command, *weights]) == 0
    (bone,) = compiled_trainings(tmp_path / "pipeline.yaml")
    assert bone["modality"] == "bone"
    assert bone["weights"] == f"{bucket}/models/bone"
    assert bone["weights_digest"] == ModelArtifact.open(directory).content_digest()

    assert exit_code_of([*command, *weights, "--modalities", "joint,bone"]) == 0
    joint, again = compiled_trainings(tmp_path / "pipeline.yaml")
    assert (joint["weights"], joint["weights_digest"]) == ("", "")
    assert again == bone


@pytest.mark.s3
def test_what_is_wrong_with_a_model_in_object_storage_names_its_address(
    make_model: MakeModel,
    recipe: Recipe,
    store: ObjectStore,
    bucket: Location,
) -> None:
    push(make_model("bone"), bucket / "models/bone", store)

    with pytest.raises(InputError, match=rf"^{bucket}/none: .*does not exist"):
        given_models({"bone": f"{bucket}/none"}, recipe, ["bone"])
    with pytest.raises(InputError, match=rf"^{bucket}/models/bone: .*for another modality"):
        given_models({"joint": f"{bucket}/models/bone"}, recipe, ["joint"])
    store.remove(bucket / "models/bone/last.safetensors")
    with pytest.raises(InputError, match=rf"^{bucket}/models/bone") as caught:
        given_models({"bone": f"{bucket}/models/bone"}, recipe, ["bone"])
    assert "/frhead-model-" not in str(caught.value)
    with pytest.raises(InputError, match=r"cannot be read from there; found gs://b/bone"):
        given_models({"bone": "gs://b/bone"}, recipe, ["bone"])


@pytest.mark.parametrize("command", ["compile", "submit"])
def test_the_pods_of_a_cluster_see_no_folder_of_this_machine(
    make_model: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    where = {
        "compile": ["--output", str(tmp_path / "pipeline.yaml")],
        "submit": ["--raw", "s3://bucket/raw.zip", "--endpoint", "http://127.0.0.1:9"],
    }[command]
    weights = ["--weights", f"joint={make_model('joint')}"]

    assert exit_code_of([command, "demo-nw-ucla", *where, *weights]) == 2

    assert "which the pods of a cluster do not see" in capsys.readouterr().err
    assert not (tmp_path / "pipeline.yaml").exists()


@pytest.mark.slow
def test_given_models_are_evaluated_and_their_contents_decide_the_cache(
    make_model: MakeModel,
    synthetic_zip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*more: object) -> dict[str, Any]:
        places = ["--raw", synthetic_zip, "--work-directory", tmp_path / "runs"]
        command = ["run", "demo-nw-ucla", *places, "--threads", 1, *more]
        assert exit_code_of(list(map(str, command))) == 0
        newest = max((tmp_path / "runs").glob("*/run.json"), key=lambda path: path.stat().st_ctime)
        record: dict[str, Any] = json.loads(newest.read_text())
        return record | {"folder": newest.parent}

    def executed(record: dict[str, Any]) -> set[str]:
        return {each["name"] for each in record["steps"] if each["status"] == "done"}

    weights = [f"{name}={make_model(name)}" for name in ("joint", "bone")]
    first = run("--weights", *weights)

    assert "given, not trained: joint, bone" in capsys.readouterr().out
    assert executed(first) > {"train_modality-joint", "train_modality-bone"}
    results = first["folder"] / "results"
    taken = ModelArtifact.open(results / "models" / "joint")
    assert taken.weights("last") == ModelArtifact.open(tmp_path / "joint").weights("last")
    page = BeautifulSoup((results / "report.html").read_text(), "html.parser").text
    digest = ModelArtifact.open(tmp_path / "joint").content_digest()
    told = f"the model was given, SHA-256 {digest}, imported from joint.pt"
    assert f"Joint was not trained in this run: {told}" in page
    assert f"joint: not trained, {told}" in (results / "accuracies.txt").read_text()

    make_model("joint", seed=1)  # other weights in the same place
    again = {"fingerprint_data", "train_modality-joint", "evaluate_modality-joint"}
    assert executed(run("--weights", *weights)) == again | {"ensemble_modalities"}
