from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from frhead_core.data.store import SequenceStore
from pipeline.cli import exit_code_of


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    arrays = {
        name: array
        for part, rows in (("train", 5), ("test", 3))
        for name, array in (
            (f"x_{part}", generator.normal(size=(rows, 7, 150)).astype(np.float32)),
            (f"y_{part}", np.eye(60)[generator.integers(0, 60, rows)]),
        )
    }
    np.savez(tmp_path / "NTU60_CV.npz", **arrays)
    return tmp_path / "NTU60_CV.npz"


def test_import_and_export(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, again = tmp_path / "sequences", tmp_path / "again.npz"
    name = ["--benchmark", "ntu60-xview"]

    assert exit_code_of(["import", str(prepared), *name, "--output", str(store)]) == 0
    assert "| ntu60-xview train | 5 |" in capsys.readouterr().out
    assert SequenceStore.open(store).benchmarks == ("ntu60-xview",)

    assert exit_code_of(["export", str(store), *name, "--output", str(again)]) == 0
    assert "train 5, test 3" in capsys.readouterr().out
    with np.load(prepared) as before, np.load(again) as after:
        assert before.files == after.files
        for key in before.files:
            np.testing.assert_array_equal(before[key], after[key], strict=True)


def test_the_authors_scores_are_matched_with_the_store(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, name = tmp_path / "sequences", ["--benchmark", "ntu60-xview"]
    assert exit_code_of(["import", str(prepared), *name, "--output", str(store)]) == 0
    with np.load(prepared) as arrays:
        labels = arrays["y_test"].argmax(axis=1)
    wide = np.eye(120, dtype=np.float32)[labels]  # the authors' classifier has unused outputs
    wide[0] = np.roll(wide[0], 1)
    scores = tmp_path / "epoch1_test_score.pkl"
    scores.write_bytes(pickle.dumps({f"test_{row}": wide[row] for row in range(3)}, protocol=3))

    command = ["ensemble", *name, "--scores", f"joint={scores}"]
    assert exit_code_of(command) == 2
    assert "give the sequence store as --data" in capsys.readouterr().err
    assert exit_code_of([*command, "--data", str(store)]) == 0
    assert "2 of 3" in capsys.readouterr().out


def test_what_is_wrong_is_said(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path / "out")]

    assert exit_code_of(["import", str(prepared), "--benchmark", "ntu60-xsubb", *output]) == 2
    assert "ntu60-xsubb" in capsys.readouterr().err
    prepared.write_bytes(prepared.read_bytes()[:100])
    assert exit_code_of(["import", str(prepared), "--benchmark", "ntu60-xview", *output]) == 2
    assert "NTU60_CV.npz: is damaged or not an .npz file" in capsys.readouterr().err
    assert exit_code_of(["export", str(tmp_path), "--benchmark", "ntu60-xview", *output]) == 2
    assert "metadata.json: cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
