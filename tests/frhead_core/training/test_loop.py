from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from frhead_core.backbones import BACKBONES
from frhead_core.errors import CheckpointError, InputError, NonFiniteLossError
from frhead_core.models import recogniser
from frhead_core.models.registry import build_model
from frhead_core.progress import Reporter
from frhead_core.training.artifact import ModelArtifact
from frhead_core.training.averaging import WeightAverage
from frhead_core.training.checkpoint import CheckpointDirectory, TrainingState
from frhead_core.training.distributed import Processes
from frhead_core.training.loop import TrainingJob, train

MakeJob = Callable[..., TrainingJob]


class Notes(Reporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.rows: list[Mapping[str, Any]] = []
        self.done = 0

    def begin(self, task: str, total: int, unit: str, done: int = 0) -> None:
        self.total, self.done = total, done

    def advance(self, amount: int = 1, **figures: float) -> None:
        self.done += amount

    def message(self, text: str) -> None:
        self.messages.append(text)

    def record(self, row: Mapping[str, Any]) -> None:
        self.rows.append(row)


def test_artifact_holds_what_the_contract_says(make_job: MakeJob) -> None:
    notes = Notes()
    trained = train(make_job(), notes)
    artifact = ModelArtifact.open(trained.directory)
    assert (
        [row["epoch"] for row in artifact.history()] == [1, 2] == [r["epoch"] for r in notes.rows]
    )
    assert notes.done == notes.total == 2 * 40
    assert set(trained.metrics) == {"last", "best_on_test"}
    assert trained.metrics["last"] == artifact.history()[-1]
    best = max(artifact.history(), key=lambda row: row["top1"])
    assert artifact.metadata["metrics"]["best_on_test"]["top1"] == best["top1"]
    assert artifact.metadata["trained_on"] == "camera 1, 2"
    names = artifact.training_samples()
    assert names is not None and len(names) == 40
    assert not any(name.endswith("v03") for name in names)
    assert artifact.recipe == make_job().recipe
    card = (trained.directory / "README.md").read_text()
    assert artifact.metadata["cost"]["flops"] > 0
    assert "| latency of one sample |" in card
    assert "best_on_test" in card and "library_name: frhead-pipeline" in card


def test_curves_are_there_as_tensorboard_events(make_job: MakeJob) -> None:
    trained = train(make_job())
    events = EventAccumulator(str(trained.directory / "tensorboard"))
    events.Reload()
    history = ModelArtifact.open(trained.directory).history()
    for name in ("train_loss", "loss", "top1", "learning_rate"):
        scalars = events.Scalars(name)
        assert [scalar.step for scalar in scalars] == [1, 2]
        expected = [row[name] for row in history]
        assert [scalar.value for scalar in scalars] == pytest.approx(expected)


def test_prototypes_learn_and_are_saved(make_job: MakeJob) -> None:
    trained = train(make_job())
    state = load_file(trained.directory / "last.safetensors")
    prototypes = [name for name in state if name.endswith("prototypes")]
    assert len(prototypes) == 8
    model = ModelArtifact.open(trained.directory).load("last")
    for name in prototypes:
        assert torch.equal(model.state_dict()[name], state[name])


def test_same_seed_same_weights_other_seed_other_weights(make_job: MakeJob, tmp_path: Path) -> None:
    weights = []
    for number, seed in enumerate((1, 1, 2)):
        job = make_job({"training.seed": seed}, checkpoint_root=tmp_path / f"checkpoints{number}")
        weights.append((train(job).directory / "last.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize("workers", [2])
def test_workers_do_not_change_the_weights(make_job: MakeJob, tmp_path: Path, workers: int) -> None:
    alone = (train(make_job()).directory / "last.safetensors").read_bytes()
    job = make_job(checkpoint_root=tmp_path / "other", workers=workers)
    assert (train(job).directory / "last.safetensors").read_bytes() == alone


def test_a_finished_training_is_not_repeated(make_job: MakeJob, tmp_path: Path) -> None:
    first = train(make_job())
    notes = Notes()
    second = train(make_job(output=tmp_path / "again"), notes)
    assert notes.rows == [] and "nothing to train" in notes.messages[0]
    for name in ("last", "best_on_test"):
        one = (first.directory / f"{name}.safetensors").read_bytes()
        assert one == (second.directory / f"{name}.safetensors").read_bytes()


def test_another_recipe_code_or_modality_has_checkpoints_of_its_own(make_job: MakeJob) -> None:
    root = make_job().checkpoint_root
    train(make_job({"training.epochs": 1}))
    train(make_job({"training.epochs": 1, "training.weight_decay": 0.01}))
    train(make_job({"training.epochs": 1}, code_version="changed"))
    train(make_job({"training.epochs": 1}, modality="bone"))
    # Neither the weights of the ensemble nor another modality's epochs make it another model.
    train(
        make_job(
            {
                "training.epochs": {"joint": 1, "bone": 9, "joint_motion": 9, "bone_motion": 9},
                "ensemble.bone": 3.0,
            }
        )
    )
    assert len(list(root.iterdir())) == 4


def test_validation_part_is_not_trained_on_and_replaces_the_test_part(make_job: MakeJob) -> None:
    trained = train(make_job({"training.hold_out_validation": True, "training.epochs": 1}))
    assert set(trained.metrics) == {"last", "best_on_validation"}
    artifact = ModelArtifact.open(trained.directory)
    assert {row["evaluated_part"] for row in artifact.history()} == {"validation"}
    names = artifact.training_samples()
    assert names is not None
    assert {name[-3:] for name in names} == {"v01"}
    assert artifact.metadata["trained_on"] == "camera 1, 2 without camera 2"


def test_bfloat16_trains_with_the_head_in_float32(make_job: MakeJob) -> None:
    trained = train(make_job({"training.precision": "bfloat16", "training.epochs": 1}))
    state = load_file(trained.directory / "last.safetensors")
    assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in state.values())


def test_a_compiled_step_is_the_same_step(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, compiled = torch.compile, []

    def traced(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
        compiled.append(mode)
        # To make machine code takes minutes; this backend runs the traced operations as they are.
        return real(function, backend="eager", fullgraph=True)

    monkeypatch.setattr(torch, "compile", traced)
    expected = (train(make_job({"training.epochs": 1})).directory / "last.safetensors").read_bytes()
    assert not compiled
    for name, graphs in (("default", False), ("reduce-overhead", True)):
        settings = {"training.compile": True, "training.cuda_graphs": graphs}
        job = make_job({"training.epochs": 1, **settings}, output=tmp_path / name)
        assert (train(job).directory / "last.safetensors").read_bytes() == expected
    assert compiled == ["default", "reduce-overhead"]


def test_cuda_graphs_need_a_compiled_program(make_job: MakeJob) -> None:
    with pytest.raises(InputError, match="cuda_graphs needs compile"):
        make_job({"training.cuda_graphs": True})


def test_head_loss_joins_after_its_start_epoch(make_job: MakeJob) -> None:
    trained = train(make_job({"head.start_after_epoch": 0}))
    before, after = ModelArtifact.open(trained.directory).history()
    assert before["train_loss"] == pytest.approx(before["train_cross_entropy"])
    assert before["train_head_loss"] > 0  # computed all the same: it updates the prototypes
    expected = after["train_cross_entropy"] + 0.1 * after["train_head_loss"]
    assert after["train_loss"] == pytest.approx(expected)


def test_non_finite_loss_stops_and_keeps_the_last_good_checkpoint(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    real, calls = recogniser.F.cross_entropy, []

    def failing(*args: Any, **kwargs: Any) -> torch.Tensor:
        loss = real(*args, **kwargs)
        calls.append(1)
        # Only the classifier's own loss is a mean; the seventh batch is in the second epoch.
        return loss * float("nan") if len(calls) == 7 else loss

    monkeypatch.setattr(recogniser, "F", type("F", (), {"cross_entropy": staticmethod(failing)}))
    with pytest.raises(NonFiniteLossError, match="epoch 2, batch 2"):
        train(job)
    monkeypatch.undo()
    notes = Notes()
    train(job, notes)
    assert [row["epoch"] for row in notes.rows] == [2]


def test_a_full_disk_is_one_clear_error_and_loses_nothing(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    written: list[Path] = []
    real = Path.replace

    def full_after_the_first_epoch(self: Path, target: Path) -> Path:
        if "checkpoint.pt" in target.name and written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.extend([target] if "checkpoint.pt" in target.name else [])
        return real(self, target)

    monkeypatch.setattr(Path, "replace", full_after_the_first_epoch)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: cannot be written \(No space left"):
        train(job)
    monkeypatch.undo()
    assert not list(job.checkpoint_root.rglob("*.part"))
    notes = Notes()
    train(job, notes)
    assert [row["epoch"] for row in notes.rows] == [2]


def half_trained(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any] | None = None
) -> TrainingJob:
    """A job of two epochs that was stopped after the first."""
    job = make_job(settings)

    def stop(self: Notes, row: Mapping[str, Any]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Notes, "record", stop)
        with pytest.raises(KeyboardInterrupt):
            train(job, Notes())
    return job


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_goes_on_to_the_same_weights(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, backbone: str
) -> None:
    settings = {"model.backbone": backbone, "loader.window": 16}
    notes = Notes()
    resumed = train(half_trained(make_job, monkeypatch, settings), notes).directory
    assert [row["epoch"] for row in notes.rows] == [2]
    other = {"output": tmp_path / "other", "checkpoint_root": tmp_path / "elsewhere"}
    undisturbed = train(make_job(settings, **other)).directory
    weights = [(folder / "last.safetensors").read_bytes() for folder in (resumed, undisturbed)]
    assert weights[0] == weights[1]
    assert ModelArtifact.open(resumed).metadata["backbone"] == backbone


def test_other_number_of_threads_is_refused_unless_accepted(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    half_trained(make_job, monkeypatch)
    with pytest.raises(CheckpointError, match=r"threads.*found 1; expected 2.*--threads 1"):
        train(make_job(threads=2))
    train(make_job(threads=2, accept_different_threads=True))


def test_other_number_of_processes_is_refused_unless_accepted(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = half_trained(make_job, monkeypatch)
    (directory,) = job.checkpoint_root.iterdir()
    model = build_model(job.recipe)
    groups = [{"params": list(part.parameters())} for part in (model.backbone, model.head)]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    for rank in range(2):
        pair = Processes(rank, count=2)
        place = CheckpointDirectory(directory, 1, processes=pair)
        message = r"processes.*found 1; expected 2. Go on with --processes 1, or accept.*-processes"
        with pytest.raises(CheckpointError, match=message):
            place.load(TrainingState(model, optimizer), epochs=2)
        place = CheckpointDirectory(directory, 1, False, pair, accept_different_processes=True)
        position = place.load(TrainingState(model, optimizer), epochs=2)
        assert position is not None and position.epoch == 1


def test_a_finished_training_serves_any_number_of_threads(make_job: MakeJob) -> None:
    train(make_job({"training.epochs": 1}))
    again = train(make_job({"training.epochs": 1}, threads=2))
    assert ModelArtifact.open(again.directory).metadata["threads"] == 1  # of its training


def test_progress_ends_however_training_ends(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    monkeypatch.setattr(Notes, "end", lambda self: ends.append(1))
    half_trained(make_job, monkeypatch)
    assert ends == [1]


def test_data_prepared_otherwise_are_trained_on_anew(
    make_job: MakeJob, synthetic_store: Path, tmp_path: Path
) -> None:
    first = (train(make_job()).directory / "last.safetensors").read_bytes()
    store = tmp_path / "store"
    shutil.copytree(synthetic_store, store)
    coordinates = np.lib.format.open_memmap(store / "coordinates.npy", mode="r+")
    coordinates[0, 0, 0] += 0.25
    coordinates.flush()
    notes = Notes()
    second = train(make_job(store=store), notes).directory / "last.safetensors"
    assert len(notes.rows) == 2
    assert second.read_bytes() != first


def test_a_model_takes_the_place_of_an_older_one_as_a_whole(make_job: MakeJob) -> None:
    settings = {"training.hold_out_validation": True, "training.epochs": 1}
    train(make_job(settings))
    directory = train(make_job({"training.epochs": 1})).directory
    assert sorted(path.stem for path in directory.glob("*.safetensors")) == ["best_on_test", "last"]


def test_a_folder_with_something_else_is_not_touched(make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="model: exists and holds something else"):
        train(make_job({"training.epochs": 1}))
    assert (tmp_path / "model" / "thesis.tex").read_text() == "years of work"


def test_samples_of_classes_that_the_recipe_lacks_are_named(make_job: MakeJob) -> None:
    with pytest.raises(InputError, match=r"a08_\w+: the recipe has fewer classes.*found class 6"):
        train(make_job({"classes": 6}))
    with pytest.raises(InputError, match=r"classes: the recipe has more classes.*found 12"):
        train(make_job({"classes": 12}))


def test_a_damaged_checkpoint_is_named(make_job: MakeJob) -> None:
    job = make_job({"training.epochs": 1})
    train(job)
    (path,) = job.checkpoint_root.glob("*/checkpoint.pt")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: is not a readable checkpoint"):
        train(job)


def test_store_of_another_benchmark_is_refused(make_job: MakeJob) -> None:
    with pytest.raises(InputError, match=r"not prepared for this benchmark.*expected other"):
        train(make_job({"name": "other"}))


def test_artifact_of_another_version_is_refused(make_job: MakeJob) -> None:
    directory = train(make_job({"training.epochs": 1})).directory
    path = directory / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 99}))
    with pytest.raises(InputError, match=r"made by another version.*found 99"):
        ModelArtifact.open(directory)


def test_weights_that_do_not_fit_are_refused(make_job: MakeJob) -> None:
    directory = train(make_job({"training.epochs": 1})).directory
    recipe = directory / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("base_channels: 8", "base_channels: 16"))
    with pytest.raises(InputError, match=r"last\.safetensors.*size mismatch"):
        ModelArtifact.open(directory).load()
    with pytest.raises(InputError, match=r"expected best_on_test or last"):
        ModelArtifact.open(directory).load("bogus")


def test_averaged_weights_are_what_is_evaluated_and_kept(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job({"training.averaging": 0.9, "training.epochs": 1})
    trained = train(job)
    (path,) = job.checkpoint_root.glob("*/checkpoint.pt")
    state = torch.load(path, weights_only=True)["trained"]
    last = load_file(trained.directory / "last.safetensors")
    name = "backbone.classifier.weight"
    torch.testing.assert_close(last[name], state["average"][f"module.{name}"], rtol=0, atol=0)
    assert not torch.equal(last[name], state["model"][name])


def test_the_average_after_a_few_updates() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(model, decay=0.5)
    expected = None
    for number, value in enumerate((1.0, 3.0, 7.0)):
        torch.nn.init.constant_(model.weight, value)
        average.update_parameters(model)
        decay = min(0.5, (1 + number) / (10 + number))
        expected = value if expected is None else decay * expected + (1 - decay) * value
        assert average.module.weight.item() == pytest.approx(expected)
