"""Names by which components ask for the image that their step runs in.

They stand for images whose tag is a hash of what went into them (``pipeline/step_images.py``).
Whoever runs the pipeline in containers puts the names of these in their place; processes need none.
"""

from __future__ import annotations

DATA_IMAGE = "frhead-pipeline/data:0.1.0"
TRAINER_IMAGE = "frhead-pipeline/trainer:0.1.0"
