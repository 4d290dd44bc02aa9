from __future__ import annotations

from pathlib import Path

import pytest

from frhead_core.errors import InputError
from frhead_core.files import replaced_directory, write_atomically


def test_replaces_the_content_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"b\.txt: cannot be written"):
        write_atomically(tmp_path / "file" / "b.txt", b"")


def anything(directory: Path) -> bool:
    return True


def nothing(directory: Path) -> bool:
    return False


def test_a_directory_appears_as_a_whole(tmp_path: Path) -> None:
    output = tmp_path / "a" / "output"
    with replaced_directory(output, nothing) as temporary:
        (temporary / "new").write_text("1")
        assert not output.exists()
    with replaced_directory(output, anything) as temporary:
        (temporary / "newer").write_text("2")
    assert [path.name for path in output.iterdir()] == ["newer"]
    assert list(output.parent.iterdir()) == [output]


def test_a_failure_keeps_the_directory_that_was_there(tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    (output / "old").write_text("1")
    with pytest.raises(KeyboardInterrupt), replaced_directory(output, anything) as temporary:
        (temporary / "new").write_text("2")
        raise KeyboardInterrupt
    assert [path.name for path in output.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [output]


def test_a_foreign_directory_or_file_is_refused(tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    (output / "old").write_text("1")
    for place in (output, output / "old"):
        with (
            pytest.raises(InputError, match="exists and holds something else"),
            replaced_directory(place, nothing),
        ):
            pass
    assert (output / "old").read_text() == "1"
