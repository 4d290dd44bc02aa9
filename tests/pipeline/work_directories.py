"""Work directories as runs leave them, made in a moment, for what looks at them and removes."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DAY = 86400.0


@dataclass(frozen=True)
class WorkDirectory:
    """Makes what runs make; ages are days."""

    path: Path

    def run(
        self,
        age: float,
        uses: Iterable[str] = (),
        status: str = "done",
        recorded: bool = True,
        **facts: Any,
    ) -> Path:
        """A run that used what steps have made, by their places among the artifacts.

        Args:
            age: Days since it started and ended.
            uses: Places among the artifacts.
            status: Of its record.
            recorded: Whether the record names them, as it does unless the program was killed.
            facts: More for its record.
        """
        moment = time.time() - age * DAY
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(moment))
        folder = self.path / f"{stamp}-demo"
        (folder / "steps" / "train_modality-joint").mkdir(parents=True)
        (folder / "steps" / "train_modality-joint" / "log.txt").write_text("epoch 1\n")
        (folder / "results").mkdir()
        (folder / "results" / "report.html").write_text("report")
        places = [str(self.artifact_path(name) / "model") for name in uses]
        steps = [{"name": "step", "outputs": {"model": place}} for place in places]
        record = {
            "status": status,
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(moment)),
            "steps": steps if recorded else [],
        }
        (folder / "run.json").write_text(json.dumps(record | facts))
        (folder / "kfp.log").write_text("".join(f"    model: Model( uri='{p}' )\n" for p in places))
        make_older(folder, age)
        return folder

    def artifact_path(self, name: str) -> Path:
        return self.path / "artifacts" / name

    def artifact(self, name: str, age: float) -> Path:
        """What a step has made, with the cache entry that leads there."""
        folder = self.artifact_path(name)
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "last.safetensors").write_bytes(bytes(1000))
        (folder / "executor_output.json").write_text("{}")
        make_older(folder, age)
        self.entry(name, {"uri": str(folder / "model")}, age)
        return folder

    def entry(self, key: str, artifact: Mapping[str, Any], age: float = 0.0) -> Path:
        path = self.entry_path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"model": {"__kfp_artifact__": True} | dict(artifact)}))
        make_older(path, age)
        return path

    def entry_path(self, key: str) -> Path:
        return self.path / "cache" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def checkpoints(self, name: str, age: float) -> Path:
        folder = self.path / "checkpoints" / name
        (folder / "tensorboard").mkdir(parents=True)
        for file in ("checkpoint.pt", "lock", "best-epoch-3.safetensors"):
            (folder / file).write_bytes(b"weights")
        make_older(folder, age)
        return folder

    def contents(self) -> set[Path]:
        return {path for path in self.path.rglob("*") if path.name != "runs.lock"}


def make_older(path: Path, days: float) -> None:
    moment = time.time() - days * DAY
    for each in (path, *path.rglob("*")):
        os.utime(each, (moment, moment), follow_symlinks=False)


def step_name(run: int, step: str = "train-modality") -> str:
    """Where a step of a pipeline leaves what it makes."""
    return f"frhead-2026-01-{run % 28 + 1:02d}-00-00-00-{run:06d}/for-loop-1-iteration-0/{step}"
