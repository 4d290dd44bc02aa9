from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from frhead_core.config import Recipe, load_recipe, override
from frhead_core.data.store import SequenceStore
from frhead_core.errors import ExportError, InputError
from frhead_core.evaluation.predict import evaluate_model
from frhead_core.inference import onnx_export
from frhead_core.inference.onnx_export import Agreement, compare, export_onnx
from frhead_core.training.artifact import ModelArtifact
from frhead_core.training.samples import evaluation_batches, part_rows
from pipeline.cli import exit_code_of
from tests.untrained import write_untrained


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return override(load_recipe("demo-nw-ucla"), ["model.base_channels=8", "loader.window=16"])


@pytest.fixture(scope="module")
def model(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    folder = tmp_path_factory.mktemp("onnx") / "model"
    return ModelArtifact.open(write_untrained(folder, recipe, "bone"))


@pytest.fixture(scope="module")
def exported(model: ModelArtifact, synthetic_store: Path) -> Path:
    """What the command writes; translating takes half a minute, so once for all tests."""
    output = model.directory.parent / "model.onnx"
    arguments = [model.directory, "--output", output, "--verify-on", synthetic_store]
    assert exit_code_of(["export-model", *map(str, arguments)]) == 0
    return output


@pytest.mark.slow
def test_the_file_computes_the_scores_of_the_evaluation(
    exported: Path, model: ModelArtifact, synthetic_store: Path
) -> None:
    scores = evaluate_model(model.directory, synthetic_store, part="test", device="cpu")
    store = SequenceStore.open(synthetic_store)
    rows = part_rows(store, model.recipe, "test")
    batches = list(evaluation_batches(store, model.recipe, rows, "bone").epoch())
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])

    found = session.run(None, {"coordinates": batches[0].coordinates.numpy()})[0]

    assert [each.shape for each in session.get_inputs()] == [["N", 3, 16, 20, 1]]
    assert found.shape == (20, 10) and len(batches) == 1
    largest = np.abs(scores.logits).max()
    assert np.abs(found - scores.logits).max() <= 1e-4 * largest
    assert np.ptp(scores.logits, axis=0).max() > 0.01 * largest  # samples differ by more than that


@pytest.mark.slow
def test_the_file_says_what_it_is(exported: Path, model: ModelArtifact) -> None:
    onnx.checker.check_model(exported, full_check=True)
    properties = {each.key: each.value for each in onnx.load(exported).metadata_props}

    assert properties["modality"] == "bone"
    assert json.loads(properties["classes"])[0] == "pick up with one hand"
    assert json.loads(properties["bone_pairs"])[:2] == [[0, 1], [1, 2]]
    assert len(json.loads(properties["joints"])) == 20
    transform = json.loads(properties["transform"])
    assert transform == {"transform": "nw-ucla", "window": 16, "persons": 1}
    weights = json.loads(properties["weights"])
    assert weights == {"which": "last", "sha256": model.fingerprint("last")}


@pytest.mark.slow
def test_what_computes_something_else_is_not_written(
    exported: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ModelArtifact.open(write_untrained(tmp_path / "m", recipe, "bone", seed=1))
    monkeypatch.setattr(onnx_export, "onnx_bytes", lambda *_: exported.read_bytes())
    with pytest.raises(ExportError, match=r"x\.onnx is not written: ONNX Runtime and torch differ"):
        export_onnx(other, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.slow
def test_a_difference_is_measured_and_nan_is_not_close(
    exported: Path, model: ModelArtifact
) -> None:
    batch = torch.randn(4, 3, 16, 20, 1)
    recogniser = model.load("last")
    assert compare(exported.read_bytes(), recogniser, [batch]).close
    with torch.no_grad():
        recogniser.backbone.classifier.bias += 1
    moved = compare(exported.read_bytes(), recogniser, [batch])
    assert moved.samples == 4 and moved.difference == pytest.approx(1, rel=1e-2)
    batch[1, 0, 0, 0, 0] = torch.nan
    assert not compare(exported.read_bytes(), recogniser, [batch]).close


@pytest.mark.parametrize(
    ("difference", "largest", "close"),
    [(9e-4, 10.0, True), (2e-3, 10.0, False), (0.0, 0.0, True), (float("nan"), 10.0, False)],
)
def test_the_tolerance_is_a_share_of_the_largest_logit(
    difference: float, largest: float, close: bool
) -> None:
    assert Agreement(1, difference, largest).close == close


def test_bad_places_and_missing_packages_are_named(
    model: ModelArtifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"model\.pt: an ONNX file has another name"):
        export_onnx(model, tmp_path / "model.pt")
    with pytest.raises(InputError, match="nowhere"):
        export_onnx(model, tmp_path / "model.onnx", tmp_path / "nowhere")
    monkeypatch.setattr(onnx_export, "_PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(InputError, match=r"no_such_package.*pip install 'frhead-pipeline\[onnx\]'"):
        export_onnx(model, tmp_path / "model.onnx")
