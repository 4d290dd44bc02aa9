from __future__ import annotations

from pathlib import Path

import pytest

from frhead_core.data.raw_files import raw_places
from frhead_core.errors import InputError
from pipeline.raw_data import absolute, joined


def test_several_places_are_one_text_and_come_apart_again(tmp_path: Path) -> None:
    places = (tmp_path / "b.zip", tmp_path / "a.zip")

    assert raw_places(joined(places)) == places
    assert raw_places(absolute(joined(places))) == tuple(sorted(places))


def test_they_are_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert raw_places(absolute(Path("x.zip,y"))) == (tmp_path / "x.zip", tmp_path / "y")


def test_a_comma_in_a_name_is_fine_alone(tmp_path: Path) -> None:
    strange = tmp_path / "a,b.zip"
    strange.touch()

    assert raw_places(absolute(joined([strange]))) == (strange,)
    with pytest.raises(InputError, match="comma in its name"):
        joined([strange, tmp_path / "c.zip"])
