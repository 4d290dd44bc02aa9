"""What the data steps say where only a cluster's log listens: no settings of ours, no terminal."""

from __future__ import annotations

import os
import re
import zipfile
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from kfp import dsl

from components.denoise_skeletons.component import denoise_skeletons
from components.extract_raw_skeletons.component import extract_raw_skeletons
from components.fingerprint_data.component import fingerprint_data
from components.sections import preparation_to_json, splits_to_json
from components.transform_sequences.component import transform_sequences
from frhead_core import progress

RECORDINGS = 60


@pytest.fixture
def slow_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without variables of ours, in which 5 seconds pass between looks at the clock."""
    for name in list(os.environ):
        if name.startswith("FRHEAD_"):
            monkeypatch.delenv(name)
    looks = iter(range(0, 10**6, 5))
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: float(next(looks))))


def counts(log: str, task: str, unit: str) -> list[int]:
    """How many are done in the lines that tell of a task, each with a rate."""
    lines = re.findall(rf"^{task}: (\d+)/{RECORDINGS} {unit}, [\d.]+ {unit}/s", log, re.MULTILINE)
    return [int(number) for number in lines]


def test_each_data_step_says_in_the_log_how_far_it_is(
    slow_pod: None, synthetic_zip: Path, tiny, make, tmp_path: Path, capfd
) -> None:
    zipfile.ZipFile(synthetic_zip).extractall(tmp_path / "raw")
    settings = {"dataset": "nw-ucla", "preparation": preparation_to_json(tiny.preparation)}
    raw_bodies, denoised = make(dsl.Dataset, "raw_bodies"), make(dsl.Dataset, "denoised")
    sequences, report = make(dsl.Dataset, "sequences"), make(dsl.Markdown, "report")

    mark = fingerprint_data.python_func(raw=str(tmp_path / "raw"), dataset="nw-ucla")
    files = counts(capfd.readouterr().out, "fingerprinting", "files")
    extract_raw_skeletons.python_func(
        raw=str(tmp_path / "raw"),
        skeleton="nw-ucla",
        data_fingerprint=mark,
        code_version="e",
        raw_bodies=raw_bodies,
        report=report,
        **settings,
    )
    recordings = counts(capfd.readouterr().out, "reading recordings", "recordings")
    denoise_skeletons.python_func(
        raw_bodies=raw_bodies, code_version="d", denoised=denoised, report=report, **settings
    )
    passed = counts(capfd.readouterr().out, "denoising", "sequences")
    transform_sequences.python_func(
        denoised=denoised,
        splits=splits_to_json({"demo-nw-ucla": tiny.split}),
        code_version="t",
        sequences=sequences,
        report=report,
        **settings,
    )
    centred = counts(capfd.readouterr().out, "centring", "sequences")

    for told in (files, recordings):  # one by one, of which each may take its time
        assert len(told) >= RECORDINGS // 3
        assert max(later - earlier for earlier, later in pairwise([0, *told])) <= 3
    for told in (files, recordings, passed, centred):
        assert told and told == sorted(told)
        assert told[-1] == RECORDINGS
