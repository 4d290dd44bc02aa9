"""Training one modality: epochs of stochastic gradient descent that survive any interruption."""

from __future__ import annotations

import dataclasses
import math
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from frhead_core.config import EvaluationSettings, Modality, Recipe, Value, recipe_to_json
from frhead_core.data.class_map import ClassMap
from frhead_core.data.loader import Batch
from frhead_core.data.store import SequenceStore
from frhead_core.errors import CheckpointError, NonFiniteLossError
from frhead_core.evaluation.cost import Cost
from frhead_core.evaluation.cost_measurement import measure_cost
from frhead_core.evaluation.metrics import summarise
from frhead_core.evaluation.part_scorer import PartScorer
from frhead_core.models.recogniser import Losses, Recogniser
from frhead_core.models.registry import build_model
from frhead_core.progress import SILENT, Reporter, reporting
from frhead_core.training.artifact import write_artifact
from frhead_core.training.averaging import WeightAverage
from frhead_core.training.checkpoint import (
    CheckpointDirectory,
    Position,
    TrainingState,
    contiguous_state,
    identity_hash,
)
from frhead_core.training.checkpoint_keeper import DIRECTORY_ALONE, CheckpointKeeper
from frhead_core.training.device import choose_device, copied_ahead, use_threads
from frhead_core.training.distributed import Processes, joined, this_process
from frhead_core.training.interruption import StopRequest, stop_requests
from frhead_core.training.samples import (
    Part,
    check_labels,
    part_rows,
    sample_names,
    training_batches,
)
from frhead_core.training.schedule import learning_rate
from frhead_core.training.shared_model import SharedModel, draw_differently

EVENTS = "tensorboard"


@dataclass(frozen=True)
class TrainingJob:
    """What to train, from what, and where the results go.

    Attributes:
        recipe: The benchmark's settings.
        modality: What the model sees.
        store: Directory of the sequence store.
        output: Directory of the model artifact.
        checkpoint_root: Checkpoints lie in a directory below it that depends on code, data,
            recipe, modality and seed alone.
        code_version: Hash of the code that decides the result.
        threads: CPU threads of each process, 0 for as many as it may use.
        workers: Processes that prepare batches, 0 for none beside this one.
        checkpoint_minutes: Longest time between two checkpoints within an epoch.
        accept_different_threads: Go on from a checkpoint made with another number of threads.
        accept_different_processes: Go on from a checkpoint made by another number of processes.
        device: ``cpu``, ``cuda`` or ``auto``.
        checkpoint_keeper: Keeps checkpoints elsewhere than below ``checkpoint_root``, too.
    """

    recipe: Recipe
    modality: Modality
    store: Path
    output: Path
    checkpoint_root: Path
    code_version: str
    threads: int = 0
    workers: int = 0
    checkpoint_minutes: float = 5.0
    accept_different_threads: bool = False
    accept_different_processes: bool = False
    device: str = "auto"
    checkpoint_keeper: CheckpointKeeper = DIRECTORY_ALONE


@dataclass(frozen=True)
class TrainedModel:
    """Where the model artifact is, and its metrics by the name of the weights."""

    directory: Path
    metrics: dict[str, dict[str, Any]]


def train(job: TrainingJob, reporter: Reporter | None = None) -> TrainedModel:
    """Train one modality, or go on where an interrupted training of the same model stopped.

    Where torchrun has started several processes, each of them calls this and takes its share.

    Raises:
        InputError: If the store does not fit the recipe.
        RecipeError: If the batch cannot be divided equally over the processes.
        CheckpointError: If a checkpoint cannot be written or gone on from.
        NonFiniteLossError: If the loss becomes infinite or not a number.
        LostProcessError: If another process of this training ended.
    """
    this_process().share_of_batch(job.recipe.training.batch_size)
    device = choose_device(job.device)
    with joined(device) as processes:
        return _train(job, device, processes, reporter or SILENT if processes.leads else SILENT)


def _train(
    job: TrainingJob, device: torch.device, processes: Processes, reporter: Reporter
) -> TrainedModel:
    threads = use_threads(job.threads, processes.local_count)
    store = SequenceStore.open(job.store)
    place = CheckpointDirectory(
        job.checkpoint_root / _identity(job, store),
        threads,
        job.accept_different_threads,
        processes,
        job.accept_different_processes,
        job.checkpoint_keeper,
    )
    with place.exclusively(reporter):
        try:
            run = _Run(job, store, place, device, processes, reporter)
            run.finish_epochs()
            model = run.write_model()
            with stop_requests(patient=processes.count > 1):
                place.finish()
            return model
        except OSError as error:  # such as event files on a full disk
            raise CheckpointError(
                f"cannot be read or written ({error.strerror})",
                file=error.filename or place.directory,
                hint="The same command goes on from the last complete checkpoint",
            ) from error


def _identity(job: TrainingJob, store: SequenceStore) -> str:
    # How many samples are scored at a time decides nothing that is trained.
    recipe = dataclasses.replace(
        job.recipe.for_training(job.modality), evaluation=EvaluationSettings()
    )
    return identity_hash(
        code=job.code_version,
        torch=torch.__version__,
        data=store.content_digest(),
        recipe=recipe_to_json(recipe),
        modality=job.modality,
        seed=job.recipe.training.seed,
    )


class _Run:
    """One process's share of a training: its state from the last checkpoint to the end."""

    def __init__(
        self,
        job: TrainingJob,
        store: SequenceStore,
        place: CheckpointDirectory,
        device: torch.device,
        processes: Processes,
        reporter: Reporter,
    ) -> None:
        self.job = job
        self.store = store
        self.place = place
        self.device = device
        self.processes = processes
        self.reporter = reporter
        self.settings = job.recipe.training
        self.epochs = int(getattr(self.settings.epochs, job.modality))
        self.evaluated_part: Part = "validation" if self.settings.hold_out_validation else "test"
        self.best_name = f"best_on_{self.evaluated_part}"
        check_labels(store, job.recipe)
        share = processes.share_of_batch(self.settings.batch_size)
        self.batches = training_batches(store, job.recipe, job.modality, job.workers, share)
        self.evaluation = PartScorer(
            store,
            job.recipe,
            job.modality,
            self.evaluated_part,
            job.workers,
            processes.share_of_rows,
        )
        torch.manual_seed(self.settings.seed)
        self.model = build_model(job.recipe).to(self.device)
        self.shared = SharedModel(self.model, processes, self.settings.synchronise_batch_norm)
        draw_differently(self.settings.seed, processes)
        self.losses = self.model.losses
        if self.settings.compile:
            mode = "reduce-overhead" if self.settings.cuda_graphs else "default"
            self.losses = torch.compile(self.losses, mode=mode)
        self.optimizer = self._optimizer()
        self.average: WeightAverage | None = None
        if self.settings.averaging is not None:
            self.average = WeightAverage(self.model, self.settings.averaging)
        self.position = place.load(self._state(), self.epochs) or Position()
        self.events = place.directory / EVENTS
        self._saved_at = time.monotonic()

    @property
    def result(self) -> Recogniser:
        """The model as it would be kept now: its weights, or their average."""
        return self.model if self.average is None else cast(Recogniser, self.average.module)

    def _state(self) -> TrainingState:
        return TrainingState(self.model, self.optimizer, self.average)

    def _optimizer(self) -> torch.optim.SGD:
        # Two groups: one pass over all weights of a group needs them to join at the same time,
        # and the head may join later.
        parts = (self.model.backbone, self.model.head)
        return torch.optim.SGD(
            [{"params": list(part.parameters())} for part in parts if part is not None],
            lr=self.settings.learning_rate,
            momentum=self.settings.momentum,
            nesterov=self.settings.nesterov,
            weight_decay=self.settings.weight_decay,
            fused=True,  # one pass over each weight instead of four
        )

    def finish_epochs(self) -> None:
        """Train from the checkpoint's position to the last epoch."""
        self.reporter.recall(self.position.history)
        if self.position.epoch >= self.epochs:
            self.reporter.message("every epoch is done; nothing to train")
            return
        position, size = self.position, self.settings.batch_size
        done = (position.epoch * len(self.batches) + position.batch) * size
        if done:
            self.reporter.message(
                f"going on from the checkpoint: epoch {position.epoch + 1}, "
                f"batch {position.batch + 1} of {len(self.batches)}"
            )
        total = self.epochs * len(self.batches) * size
        with (
            stop_requests(patient=self.processes.count > 1) as request,
            reporting(self.reporter, f"train {self.job.modality}", total, "samples", done),
            self._event_writer(position.epoch + 1) as events,
        ):
            while self.position.epoch < self.epochs:
                row = self._finish_epoch(request)
                # Before the checkpoint, which takes them along; those of an epoch that it does
                # not know are purged.
                self._write_events(events, row)
                self._close_epoch(row)

    @contextmanager
    def _event_writer(self, first_epoch: int) -> Iterator[SummaryWriter | None]:
        """The TensorBoard events; none in a process that does not lead."""
        if not self.processes.leads:
            yield None
            return
        with SummaryWriter(str(self.events), purge_step=first_epoch) as events:
            yield events

    def _finish_epoch(self, request: StopRequest) -> dict[str, Any]:
        """The rest of the epoch under way and its evaluation; its row of the history."""
        epoch = self.position.epoch
        self.model.train()
        started, first = time.monotonic(), self.position.batch
        for batch in copied_ahead(self.batches.epoch(epoch, first), self.device):
            self._step(batch)
            overdue = time.monotonic() - self._saved_at > 60 * self.job.checkpoint_minutes
            overdue, stop = self.processes.agree(overdue, request.signal is not None)
            if overdue or stop:
                self._save()
            if stop:
                self.place.finish()
                self.reporter.message("stopped on request; the same command goes on from here")
                raise KeyboardInterrupt
        seconds = time.monotonic() - started
        trained = (len(self.batches) - first) * self.settings.batch_size
        row = self._measure(epoch)
        row |= {"samples_per_second": round(trained / max(seconds, 1e-9), 2)}
        return row | {"seconds": round(time.monotonic() - started, 2)}

    def _step(self, batch: Batch) -> None:
        """One update of the weights."""
        share = self.position.batch / len(self.batches)
        rate = learning_rate(self.settings, self.position.epoch, share, self.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        x, labels = batch.coordinates, batch.labels
        bfloat16 = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
            losses = self.losses(x, labels, self.settings.label_smoothing)
        total = self._total(losses)
        figures = self._figures(losses, total, labels)
        loss = figures["loss"]
        if not math.isfinite(loss):
            raise NonFiniteLossError(
                f"the loss is {loss} in epoch {self.position.epoch + 1}, "
                f"batch {self.position.batch + 1}; the last good checkpoint is kept in "
                f"{self.place.directory}. A smaller learning rate may help: "
                "--set training.learning_rate=..."
            )
        self.optimizer.zero_grad()
        torch.autograd.backward(total)
        self.shared.average()
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.position.batch += 1
        for name, value in figures.items():
            self.position.sums[name] = self.position.sums.get(name, 0.0) + value
        self.reporter.advance(int(figures["samples"]), epoch=self.position.epoch + 1, loss=loss)

    def _total(self, losses: Losses) -> Tensor:
        """The loss that is minimised; the head joins after its start epoch (equation 13)."""
        head = self.job.recipe.head
        if losses.head is None or self.position.epoch <= head.start_after_epoch:
            return losses.cross_entropy
        return losses.cross_entropy + head.loss_weight * losses.head.total

    def _figures(self, losses: Losses, total: Tensor, labels: Tensor) -> dict[str, float]:
        """What a batch, over all processes, adds to the sums of its epoch."""
        right = (losses.logits.argmax(1) == labels).sum()
        head = torch.zeros_like(total) if losses.head is None else losses.head.total
        own = torch.stack([x.detach().double() for x in (total, losses.cross_entropy, head, right)])
        # One message, and one wait for the device.
        loss, cross_entropy, head_loss, right_ones = self.processes.total(own).tolist()
        count = self.processes.count
        return {
            "batches": 1.0,
            "samples": float(count * len(labels)),
            "right": right_ones,
            "loss": loss / count,
            "cross_entropy": cross_entropy / count,
            "head_loss": head_loss / count,
        }

    def _measure(self, epoch: int) -> dict[str, Any]:
        """The row of the history for a finished epoch, without its times."""
        scores = self.evaluation.scores(
            self.result, device=self.device, precision=self.settings.precision
        )
        scores = self.processes.of_all_rows(scores, len(self.evaluation))
        figures = summarise(scores, self.evaluation.labels)
        sums = self.position.sums
        return {
            "epoch": epoch + 1,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "train_loss": sums["loss"] / sums["batches"],
            "train_cross_entropy": sums["cross_entropy"] / sums["batches"],
            "train_head_loss": sums["head_loss"] / sums["batches"],
            "train_top1": 100 * sums["right"] / sums["samples"],
            "evaluated_part": self.evaluated_part,
            **figures,
        }

    def _close_epoch(self, row: dict[str, Any]) -> None:
        position = self.position
        if position.best is None or row["top1"] > position.best["top1"]:
            position.best = row
            self.place.save_best(self.result, row["epoch"])
        position.history.append(row)
        position.epoch, position.batch, position.sums = position.epoch + 1, 0, {}
        self._save()
        self.place.remove_other_best(position.best["epoch"])
        self.reporter.record(row)
        self.reporter.message(
            f"epoch {row['epoch']}/{self.epochs}: loss {row['train_loss']:.4f}, "
            f"top-1 {row['top1']:.2f} % on {self.evaluated_part} "
            f"(best {position.best['top1']:.2f} % in epoch {position.best['epoch']}), "
            f"{row['samples_per_second']:.1f} samples/s"
        )

    def _save(self) -> None:
        self.place.save(self._state(), self.position)
        self._saved_at = time.monotonic()

    def _write_events(self, events: SummaryWriter | None, row: dict[str, Any]) -> None:
        if events is None:
            return
        for name, value in row.items():
            if isinstance(value, float):
                events.add_scalar(name, value, row["epoch"])
        events.flush()

    def write_model(self) -> TrainedModel:
        """The model artifact of the finished training."""
        position, recipe = self.position, self.job.recipe
        assert position.best is not None
        metrics = {"last": position.history[-1], self.best_name: position.best}
        if not self.processes.leads:
            return TrainedModel(self.job.output, metrics)
        rows = part_rows(self.store, recipe, "train")
        weights = {
            "last": to_safetensors(contiguous_state(self.result)),
            self.best_name: self.place.best_weights(position.best["epoch"]).read_bytes(),
        }
        write_artifact(
            self.job.output,
            recipe=recipe,
            modality=self.job.modality,
            weights=weights,
            metadata=self._metadata(metrics),
            history=position.history,
            training_samples=sample_names(self.store, rows),
            events=self.events,
        )
        return TrainedModel(self.job.output, metrics)

    def _metadata(self, metrics: dict[str, dict[str, Any]]) -> dict[str, Any]:
        recipe = self.job.recipe
        trained_on = _values_text(recipe.split.column, recipe.split.train)
        if self.settings.hold_out_validation:
            held_out = recipe.validation
            trained_on += f" without {_values_text(held_out.column, held_out.values)}"
        return {
            "benchmark": recipe.name,
            "backbone": recipe.model.backbone,
            "classes": list(ClassMap(recipe.trained_labels).names(self.store.metadata.classes)),
            "skeleton": self.store.layout.name,
            "code_version": self.job.code_version,
            "data_fingerprint": self.store.metadata.data_fingerprint,
            "seed": self.settings.seed,
            "threads": self.place.threads,
            "processes": self.place.process_count,
            "device": self.device.type,
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
            "precision": self.settings.precision,
            "trained_on": trained_on,
            "metrics": metrics,
            "cost": self._cost().to_dict(),
        }

    def _cost(self) -> Cost:
        return measure_cost(self.result, self.evaluation.first_batch(), self.settings.precision)


def _values_text(column: str, values: Sequence[Value]) -> str:
    if column == "name":
        return f"{len(values)} recordings by name"
    return f"{column} {', '.join(map(str, values))}"
