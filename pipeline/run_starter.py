"""Who or what starts runs from this process."""

from __future__ import annotations

import getpass
import os

from pipeline.run_folder import STARTED_BY


def started_by() -> str:
    """What the environment says, or else the user; their number if they have no name here."""
    try:
        return os.environ.get(STARTED_BY) or getpass.getuser()
    except (KeyError, OSError):  # as in a container that runs with a number
        return f"user {os.getuid()}"
