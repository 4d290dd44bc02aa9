from __future__ import annotations

from pathlib import Path

import pytest

from frhead_core.errors import InputError
from frhead_core.files import write_atomically


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
