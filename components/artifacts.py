"""How the folder that a core function wrote becomes a typed artifact with metadata and a report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Artifact(Protocol):
    """The part of kfp's artifacts that is used here, so that kfp is not needed to test it."""

    metadata: dict[str, Any]

    @property
    def path(self) -> str:
        """The local place of the artifact's payload."""


def describe(artifact: Artifact, report: Artifact | None = None) -> None:
    """Give an artifact the metadata that lies in its folder, and show its report.

    Args:
        artifact: A folder with ``metadata.json``. Long values (class lists, recipes) stay in
            the folder: an artifact's metadata is for finding it, and becomes part of cache keys.
        report: Receives the folder's ``report.md``.
    """
    directory = Path(artifact.path)
    metadata = json.loads((directory / "metadata.json").read_text(encoding="utf-8"))
    artifact.metadata.update(
        {key: value for key, value in metadata.items() if isinstance(value, str | int | float)}
    )
    if report is not None:
        shutil.copyfile(directory / "report.md", _file(report))


def flat_figures(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The numbers among nested metrics, named ``<outer>_<inner>``."""
    return {
        f"{outer}_{inner}": value
        for outer, figures in metrics.items()
        for inner, value in figures.items()
        if isinstance(value, int | float)
    }


def log_metrics(artifact: Artifact, figures: Mapping[str, float]) -> None:
    """Record measurements in a metrics artifact.

    They are written to its path too: an artifact without a file there is never found in the local
    cache, so that the step would run again each time.
    """
    artifact.metadata.update(figures)
    text = json.dumps(artifact.metadata, indent=2, sort_keys=True)
    _file(artifact).write_text(text + "\n", encoding="utf-8")


def _file(artifact: Artifact) -> Path:
    path = Path(artifact.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
