"""Prints what pip has to install for some of the extras of ``pyproject.toml``, one package a line.

``python images/requirements.py pyproject.toml``: what every step needs; with ``training`` after it
what that extra adds. The images install packages and copy the source: an image whose packages have
not changed shares their layer with the one before.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path


def requirements(project_file: Path, extras: Sequence[str]) -> list[str]:
    """Requirements of the extras, or without any those that are always installed."""
    project = tomllib.loads(project_file.read_text(encoding="utf-8"))["project"]
    if not extras:
        return list(project["dependencies"])
    return [line for extra in extras for line in project["optional-dependencies"][extra]]


if __name__ == "__main__":
    print("\n".join(requirements(Path(sys.argv[1]), sys.argv[2:])))
