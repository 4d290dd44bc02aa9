"""Packages that only some functions need, and that are installed as an extra."""

from __future__ import annotations

import importlib.util

from frhead_core.errors import InputError


def require_extra(extra: str, *packages: str) -> None:
    """Refuse to go on without the packages of an extra.

    Raises:
        InputError: If one is not installed; it says how to install them.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"needs packages that are not installed: {', '.join(missing)}",
            hint=f"Install them with: pip install 'frhead-pipeline[{extra}]'",
        )
