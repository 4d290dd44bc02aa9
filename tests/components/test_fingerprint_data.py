from __future__ import annotations

from pathlib import Path

import pytest

from components.fingerprint_data.component import fingerprint_data


def test_the_fingerprint_follows_the_contents_and_not_the_path(
    synthetic_zip: Path, tmp_path: Path
) -> None:
    same = tmp_path / "same.zip"
    same.write_bytes(synthetic_zip.read_bytes())
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a01_s01_e00_v01.json").write_text("{}")

    first = fingerprint_data.python_func(raw=str(synthetic_zip), dataset="nw-ucla")

    assert len(first) == 64
    assert fingerprint_data.python_func(raw=str(same), dataset="nw-ucla") == first
    before = fingerprint_data.python_func(raw=str(folder), dataset="nw-ucla")
    (folder / "a01_s01_e00_v01.json").write_text("[]")
    assert fingerprint_data.python_func(raw=str(folder), dataset="nw-ucla") != before


def test_raw_data_that_do_not_exist_end_the_step_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        fingerprint_data.python_func(raw=str(tmp_path / "none.zip"), dataset="nw-ucla")

    assert caught.value.code == 2
    assert "none.zip" in capsys.readouterr().out
