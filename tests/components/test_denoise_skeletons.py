from __future__ import annotations

from pathlib import Path

import numpy as np

from frhead_core.data.datasets import DenoisedSequences, RawBodies


def test_nw_ucla_passes_through_and_the_report_says_so(prepared) -> None:
    raw = RawBodies.open(Path(prepared.raw_bodies.path))
    denoised = DenoisedSequences.open(Path(prepared.denoised.path))

    np.testing.assert_array_equal(denoised.coordinates, raw.coordinates)
    assert prepared.denoised.metadata["kind"] == "denoised sequences"
    assert "Passed through unchanged" in Path(prepared.reports["denoise"].path).read_text()
