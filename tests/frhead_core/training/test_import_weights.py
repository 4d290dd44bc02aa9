from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from frhead_core.config import Recipe, load_recipe, override
from frhead_core.errors import InputError
from frhead_core.evaluation.predict import evaluate_model
from frhead_core.training.artifact import ModelArtifact
from frhead_core.training.import_weights import import_weights


@pytest.fixture(scope="module")
def golden_state(golden_folder: Path) -> dict[str, torch.Tensor]:
    """The reference's own state dictionary of a small CTR-GCN with FR-Head, as it was saved."""
    with np.load(golden_folder / "models" / "ctrgcn_ucla_v0.npz", allow_pickle=False) as arrays:
        return {
            key.removeprefix("state/"): torch.from_numpy(arrays[key])
            for key in arrays.files
            if key.startswith("state/")
        }


@pytest.fixture
def demo() -> Recipe:
    return load_recipe("demo-nw-ucla")


def save(state: Any, path: Path) -> Path:
    torch.save(state, path)
    return path


@pytest.mark.parametrize("prefix", ["", "module."])
def test_reads_what_the_reference_saves(
    golden_state: dict[str, torch.Tensor], demo: Recipe, tmp_path: Path, prefix: str
) -> None:
    file = save({prefix + name: tensor for name, tensor in golden_state.items()}, tmp_path / "w.pt")
    report = import_weights(
        file, backbone="ctrgcn", recipe=demo, modality="bone", output=tmp_path / "model"
    )
    assert (report.tensors, report.head, report.outputs, report.base_channels) == (
        894,
        True,
        10,
        32,
    )
    assert report.fresh_prototypes == 8
    assert "start from N(0, 1)" in report.text
    artifact = ModelArtifact.open(tmp_path / "model")
    assert artifact.modality == "bone"
    assert artifact.recipe.model.base_channels == 32
    model = artifact.load()
    assert torch.equal(model.state_dict()["backbone.classifier.weight"], golden_state["fc.weight"])


def test_imported_weights_are_evaluated_without_training(
    golden_state: dict[str, torch.Tensor], demo: Recipe, synthetic_store: Path, tmp_path: Path
) -> None:
    bare = {name: tensor for name, tensor in golden_state.items() if not name.startswith("ren_")}
    report = import_weights(
        save(bare, tmp_path / "w.pt"),
        backbone="ctrgcn",
        recipe=demo,
        modality="joint",
        output=tmp_path / "model",
    )
    assert not report.head and report.fresh_prototypes == 0
    on_test = evaluate_model(tmp_path / "model", synthetic_store, part="test", device="cpu")
    on_train = evaluate_model(tmp_path / "model", synthetic_store, part="train", device="cpu")
    assert on_test.logits.shape == (20, 10) and not on_test.seen_in_training.any()
    # Nobody recorded what they were trained on, so no training sample counts as unseen.
    assert on_train.seen_in_training.all()


def test_more_outputs_than_classes_are_kept_and_trimmed(
    golden_state: dict[str, torch.Tensor], demo: Recipe, tmp_path: Path
) -> None:
    recipe = override(demo, {"classes": 8})
    file = save(golden_state, tmp_path / "w.pt")
    import_weights(file, backbone="ctrgcn", recipe=recipe, modality="joint", output=tmp_path / "m")
    model = ModelArtifact.open(tmp_path / "m").load()
    assert model(torch.randn(2, 3, 52, 20, 1)).shape == (2, 8)


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"fc.weight": Malicious()}, "cannot|read safely"),
        ([1, 2], "is not a state dictionary.*found list"),
        ({"fc.weight": torch.zeros(4, 64)}, "fewer outputs than.*found 4; expected 10"),
        ({"fc.weight": torch.zeros(10, 64), "extra": torch.zeros(1)}, "found extra"),
        ({"fc.weight": torch.zeros(10, 64)}, "do not fit.*nothing for backbone"),
        ({"other": torch.zeros(1)}, r"has no classifier"),
    ],
    ids=["malicious", "list", "few outputs", "unknown name", "missing", "no classifier"],
)
def test_what_does_not_fit_is_refused_by_name(
    content: Any, message: str, demo: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = save(content, tmp_path / "w.pt")
    with pytest.raises(InputError, match=message) as caught:
        import_weights(
            file, backbone="ctrgcn", recipe=demo, modality="joint", output=tmp_path / "m"
        )
    assert str(file) in str(caught.value)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "m").exists()


def test_a_plain_pickle_and_a_missing_file_are_refused(demo: Recipe, tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    for content in (pickle.dumps(Malicious()), b"no weights"):
        file.write_bytes(content)
        with pytest.raises(InputError, match="read safely"):
            import_weights(
                file, backbone="ctrgcn", recipe=demo, modality="joint", output=tmp_path / "m"
            )
    file.unlink()
    with pytest.raises(InputError, match="No such file"):
        import_weights(
            file, backbone="ctrgcn", recipe=demo, modality="joint", output=tmp_path / "m"
        )
