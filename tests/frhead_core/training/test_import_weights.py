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


def state_of(backbone: str, folder: Path) -> dict[str, torch.Tensor]:
    """The reference's own state dictionary of a backbone with FR-Head, as it was saved."""
    with np.load(folder / "models" / f"{backbone}_ucla_v0.npz", allow_pickle=False) as arrays:
        return {
            key.removeprefix("state/"): torch.from_numpy(arrays[key])
            for key in arrays.files
            if key.startswith("state/")
        }


@pytest.fixture(scope="module")
def golden_state(golden_folder: Path) -> dict[str, torch.Tensor]:
    """That of a small CTR-GCN."""
    return state_of("ctrgcn", golden_folder)


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


@pytest.mark.parametrize("named", [True, False], ids=["named", "recognised"])
@pytest.mark.parametrize(
    ("backbone", "tensors", "unused"), [("stgcn", 232, 0), ("aagcn", 442, 0), ("tcagcn", 1432, 60)]
)
def test_reads_every_backbone_and_says_what_it_is(
    golden_folder: Path,
    demo: Recipe,
    tmp_path: Path,
    backbone: str,
    tensors: int,
    unused: int,
    named: bool,
) -> None:
    state = state_of(backbone, golden_folder)
    bare = {f"module.{n}": t for n, t in state.items() if not n.startswith("ren_")}
    report = import_weights(
        save(bare, tmp_path / "w.pt"),
        backbone=backbone if named else None,
        recipe=demo,
        modality="joint",
        output=tmp_path / "model",
    )
    assert (report.backbone, report.tensors, report.unused) == (backbone, tensors, unused)
    text = f"recognised {backbone} without FR-Head: {tensors} tensors, 10 outputs, 64 base channels"
    assert text in report.text
    assert (f"{unused} of the tensors are left out" in report.text) == bool(unused)
    artifact = ModelArtifact.open(tmp_path / "model")
    assert artifact.recipe.model.backbone == backbone
    assert artifact.metadata["backbone"] == backbone
    assert torch.equal(artifact.load().backbone.classifier.weight, state["fc.weight"].float())


def test_weights_of_another_backbone_are_refused(
    golden_folder: Path, demo: Recipe, tmp_path: Path
) -> None:
    file = save(state_of("stgcn", golden_folder), tmp_path / "w.pt")
    with pytest.raises(InputError) as caught:
        import_weights(
            file, backbone="ctrgcn", recipe=demo, modality="joint", output=tmp_path / "m"
        )
    expected = f"{file}: backbone: the weights are of another backbone; found names of stgcn"
    assert str(caught.value) == f"{expected}; expected ctrgcn"
    assert not (tmp_path / "m").exists()


def test_weights_for_other_joints_are_refused_by_name_and_shape(
    golden_state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    file = save(golden_state, tmp_path / "w.pt")
    recipe = override(load_recipe("ntu60-xsub"), {"classes": 10})
    with pytest.raises(InputError, match=r"l1\.gcn1\.PA \(3, 20, 20\), expected \(3, 25, 25\)"):
        import_weights(file, recipe=recipe, modality="joint", output=tmp_path / "m")


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


ONE = torch.zeros(1)


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"fc.weight": Malicious()}, "cannot|read safely"),
        (torch.nn.Linear(1, 1), r"found objects of torch\.nn\.modules\.linear\.Linear, which are"),
        ([1, 2], "is not a state dictionary.*found list"),
        ({"epoch": 3, "state": {}}, "epoch: is not a state dictionary; found int"),
        ({"other": ONE}, "those of no backbone.*found other"),
        ({}, "those of no backbone.*found no names"),
    ],
    ids=["malicious", "module", "list", "checkpoint", "another network", "empty"],
)
def test_what_is_no_state_of_the_reference_is_refused(
    content: Any, message: str, demo: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(content, message, demo, tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc.weight": torch.zeros(4, 128)}, "fewer outputs than.*found 4; expected 10"),
        ({"extra": ONE}, r"do not fit.*found 1 unknown: extra \(1,\)$"),
        ({"data_bn.weight": None}, r"do not fit.*found 1 missing: data_bn\.weight \(60,\)$"),
        ({"fc.weight": None}, r"fc\.weight: has no classifier"),
        ({"fc.bias": torch.full((10,), torch.nan)}, r"fc\.bias: holds numbers that are not finite"),
        ({"fc.bias": torch.zeros(10).to_sparse()}, r"fc\.bias: cannot be used.*sparse_coo"),
        ({"fc.bias": torch.zeros(10, device="meta")}, r"fc\.bias: cannot be used.*on meta"),
        ({"fc.bias": torch.zeros(10, dtype=torch.complex64)}, r"fc\.bias: cannot be .*complex64"),
    ],
    ids=[
        *("few outputs", "unknown name", "missing", "no classifier"),
        *("not finite", "sparse", "without data", "complex"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    change: dict[str, torch.Tensor | None],
    message: str,
    golden_state: dict[str, torch.Tensor],
    demo: Recipe,
    tmp_path: Path,
) -> None:
    changed = {
        name: tensor for name, tensor in (golden_state | change).items() if tensor is not None
    }
    refused(changed, message, demo, tmp_path)


def refused(content: Any, message: str, demo: Recipe, tmp_path: Path) -> None:
    file = save(content, tmp_path / "w.pt")
    with pytest.raises(InputError, match=message) as caught:
        import_weights(
            file, backbone="ctrgcn", recipe=demo, modality="joint", output=tmp_path / "m"
        )
    assert str(file) in str(caught.value)
    assert not (tmp_path / "m").exists()


def test_a_plain_pickle_and_a_missing_file_are_refused(demo: Recipe, tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    for content in (pickle.dumps(Malicious()), b"no weights", b""):
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
