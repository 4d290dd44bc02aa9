from __future__ import annotations

from pathlib import Path

import pytest
from kfp import dsl

from components.extract_raw_skeletons.component import extract_raw_skeletons
from components.sections import preparation_to_json
from frhead_core.config import Preparation
from frhead_core.data.datasets import RawBodies


def test_the_artifact_says_what_it_holds(prepared) -> None:
    bodies = RawBodies.open(Path(prepared.raw_bodies.path))

    assert len(bodies.index) == 60
    assert prepared.raw_bodies.metadata["kind"] == "raw bodies"
    assert prepared.raw_bodies.metadata["data_fingerprint"] == "0" * 64
    assert "classes" not in prepared.raw_bodies.metadata
    report = Path(prepared.reports["extract"].path).read_text()
    assert report.startswith("# Extracted raw skeletons: nw-ucla")
    assert "| recordings kept | 60 |" in report


def test_missing_recordings_of_the_official_list_end_the_step_with_2(
    synthetic_zip: Path, make, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        extract_raw_skeletons.python_func(
            raw=str(synthetic_zip),
            dataset="nw-ucla",
            skeleton="nw-ucla",
            preparation=preparation_to_json(Preparation(official_list=True)),
            data_fingerprint="0",
            code_version="e",
            raw_bodies=make(dsl.Dataset, "raw_bodies"),
            report=make(dsl.Markdown, "report"),
        )

    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().out
