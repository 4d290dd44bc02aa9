"""Raw NTU RGB+D files in, the reference's prepared files out, bit by bit."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from frhead_core.config import Preparation, load_recipe
from frhead_core.data.datasets import (
    denoise_skeletons,
    extract_raw_skeletons,
    fingerprint,
    transform_sequences,
)
from frhead_core.data.export_npz import export_reference_npz
from frhead_core.data.ntu_denoise import Filtered
from frhead_core.data.packed import DenoisedSequences
from frhead_core.data.reference_layout import reference_layout
from frhead_core.data.store import SequenceStore
from tests.golden.files import GOLDEN

FOLDER = GOLDEN / "ntu_raw"
DATASETS = [name for name in ("ntu60", "ntu120") if (FOLDER / name).is_dir()]
BENCHMARKS = {
    "NTU60_CS": "ntu60-xsub",
    "NTU60_CV": "ntu60-xview",
    "NTU120_CSub": "ntu120-xsub",
    "NTU120_CSet": "ntu120-xset",
    "NTU120_1Shot": "ntu120-oneshot",
}
FILES = [path for dataset in DATASETS for path in sorted((FOLDER / dataset).glob("NTU*.npz"))]
SETTINGS = Preparation(official_list=False)

pytestmark = pytest.mark.golden


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each dataset, with what the three steps make of its raw files."""
    folders = {}
    for dataset in DATASETS:
        raw, folder = FOLDER / dataset / "raw.zip", tmp_path_factory.mktemp(dataset)
        names = [name for name in BENCHMARKS.values() if name.startswith(dataset)]
        splits = {name: load_recipe(name).split for name in names}
        mark = fingerprint(dataset, raw)
        extract_raw_skeletons(dataset, raw, folder / "tracked", SETTINGS, mark)
        denoise_skeletons(dataset, folder / "tracked", folder / "denoised", SETTINGS)
        transform_sequences(dataset, folder / "denoised", folder / "store", splits, SETTINGS)
        folders[dataset] = folder
    return folders


@pytest.mark.parametrize("dataset", DATASETS)
def test_denoised_sequences(prepared: dict[str, Path], dataset: str) -> None:
    sequences = DenoisedSequences.open(prepared[dataset] / "denoised")
    with np.load(FOLDER / dataset / "stage2_joints.npz") as expected:
        assert sorted(expected.files) == sequences.index["name"].tolist()
        for row in range(len(sequences)):
            recording, sequence = sequences.recording(row), sequences.sequence(row)
            flat = sequence.swapaxes(0, 1).reshape(sequence.shape[1], -1)
            np.testing.assert_array_equal(flat, expected[recording.name], strict=True)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_table_of_what_was_filtered(prepared: dict[str, Path], dataset: str) -> None:
    stage2 = json.loads((FOLDER / dataset / "stage2.json").read_text())
    fields_of = {
        "too short": "removed_by_length",
        "too wide": "removed_by_spread",
        "actor 1": "actor1",
        "actor 2": "actor2",
    }
    expected = {
        (name, rule, body["id"]): body["motion"]
        for name, facts in stage2.items()
        for rule, field in fields_of.items()
        for body in facts[field]
    }
    with (prepared[dataset] / "denoised" / "filtered.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(Filtered._fields)
    found = {
        (row["name"], row["rule"], row["body"]): float(row["motion"])
        for row in rows
        if row["rule"] in fields_of
    }
    # Six decimals, of numbers that are only known to 1e-5 of themselves.
    assert found == pytest.approx(expected, rel=1e-5, abs=1.5e-6)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_the_exported_file(prepared: dict[str, Path], tmp_path: Path, file: Path) -> None:
    output = tmp_path / file.name
    export_reference_npz(prepared[file.parent.name] / "store", BENCHMARKS[file.stem], output)
    with np.load(output) as found, np.load(file) as expected:
        assert found.files == expected.files
        for key in expected.files:
            assert found[key].tobytes() == expected[key].tobytes(), key
            assert (found[key].dtype, found[key].shape) == (
                expected[key].dtype,
                expected[key].shape,
            )


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_the_order_of_the_rows(prepared: dict[str, Path], file: Path) -> None:
    stage3 = json.loads((file.parent / "stage3.json").read_text())
    store = SequenceStore.open(prepared[file.parent.name] / "store")
    layout = reference_layout(BENCHMARKS[file.stem])
    names = store.index["name"].to_numpy()
    for suffix, part in layout.parts.items():
        expected = stage3[file.stem.partition("_")[2]][suffix]
        assert names[layout.rows(store, part)].tolist() == expected
