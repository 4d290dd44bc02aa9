"""Names of the images that the steps run in on a cluster; local processes need none."""

from __future__ import annotations

DATA_IMAGE = "frhead-pipeline/data:latest"
TRAINER_IMAGE = "frhead-pipeline/trainer:latest"
