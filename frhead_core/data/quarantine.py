"""How many unusable recordings are too many."""

from __future__ import annotations

from collections.abc import Sequence

from frhead_core.data.raw_files import Place
from frhead_core.data.recordings import Quarantined
from frhead_core.errors import InputError, QuarantineLimitError


def stop_above(limit: float, quarantined: Sequence[Quarantined], total: int, place: Place) -> None:
    """Stop when more recordings than ``limit`` of ``total`` are unusable.

    Raises:
        QuarantineLimitError: Then; it names the first ones.
    """
    if len(quarantined) <= limit:
        return
    first = "; ".join(f"{bad.name} ({bad.reason})" for bad in quarantined[:3])
    raise QuarantineLimitError(
        f"{len(quarantined)} of {total} recordings are unusable, more than "
        "preparation.max_quarantined_share allows",
        file=place,
        found=first,
        expected=f"at most {int(limit)}",
        hint="Download the data again, or raise preparation.max_quarantined_share",
    )


def refuse_nothing(kept: int, quarantined: Sequence[Quarantined], place: Place) -> None:
    """Stop when no recording is left.

    Raises:
        InputError: Then; it names the first one.
    """
    if kept == 0:
        first = f"{quarantined[0].name} ({quarantined[0].reason})" if quarantined else None
        raise InputError(
            f"none of the {len(quarantined)} recordings is usable", file=place, found=first
        )
