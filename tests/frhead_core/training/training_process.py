"""A training in a process of its own, or in several, which says after every batch how far it is.

Arguments: store, output, checkpoint root, whether to write a checkpoint after every batch, and the
number of processes. A root in object storage has its mirror beside the output. With the variable
PAUSE there are so many seconds after each batch.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from components.object_storage.checkpoint_keeper import S3CheckpointKeeper
from components.object_storage.checkpoint_writer import Liveness
from components.runtime import folder_of
from frhead_core.config import load_recipe, override
from frhead_core.files import has_scheme
from frhead_core.progress import Reporter
from frhead_core.training.checkpoint_keeper import DIRECTORY_ALONE
from frhead_core.training.launch import train_in_processes
from frhead_core.training.loop import TrainingJob

SETTINGS = {
    "model.base_channels": 8,
    "model.dropout": 0.25,  # so that the random state matters
    "training.batch_size": 8,
    "training.epochs": 3,
    "training.schedule": "one_cycle",
    "training.label_smoothing": 0.1,
    "training.averaging": 0.9,
    "loader.repeat": 1,
}


class Lines(Reporter):
    def advance(self, amount: int = 1, **figures: float) -> None:
        print("batch", flush=True)
        time.sleep(float(os.environ.get("PAUSE", "0")))

    def message(self, text: str) -> None:
        print(text, flush=True)


if __name__ == "__main__":
    store, output, root, often, processes = sys.argv[1:]
    liveness = Liveness(beat=0.5, given_up=2.5)
    in_s3 = has_scheme(root)
    train_in_processes(
        TrainingJob(
            recipe=override(load_recipe("demo-nw-ucla"), SETTINGS),
            modality="joint",
            store=Path(store),
            output=Path(output),
            checkpoint_root=folder_of(root, Path(output).with_name("mirrors")),
            code_version="test",
            threads=1,
            checkpoint_minutes=1e-9 if often == "often" else 60,
            device="cpu",
            checkpoint_keeper=S3CheckpointKeeper(root, liveness=liveness)
            if in_s3
            else DIRECTORY_ALONE,
        ),
        int(processes),
        Lines,
    )
