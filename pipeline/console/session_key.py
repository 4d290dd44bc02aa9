"""The key that signs session cookies: made once, kept beside the runs, readable by its owner."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from frhead_core.errors import InputError

_NAME = "session.key"


def session_key(folder: Path) -> str:
    """The key in a folder, which is made when there is none; sessions outlive a restart.

    Raises:
        InputError: If the folder cannot be written.
    """
    path = folder / _NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            partial = folder / f"{_NAME}.{secrets.token_hex(4)}"
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
            partial.replace(path)
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise InputError(
            f"cannot be used ({error.strerror})",
            file=path,
            hint="Choose another --work-directory",
        ) from error
