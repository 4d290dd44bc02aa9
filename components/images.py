"""Names of the images that the steps run in on a cluster; local processes need none.

The tag is the version of the package: an image's name is part of every cache key, so it may not
float.
"""

from __future__ import annotations

DATA_IMAGE = "frhead-pipeline/data:0.1.0"
TRAINER_IMAGE = "frhead-pipeline/trainer:0.1.0"
