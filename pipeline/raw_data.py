"""Raw data that lie in several places, which travel as one text with commas between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from frhead_core.data.raw_files import Place, raw_data, raw_places
from frhead_core.errors import InputError


def joined(places: Sequence[Place]) -> Place:
    """The places as one, which is a text if any of them is a URI.

    Raises:
        InputError: If there are several and one has a comma in its name.
    """
    for place in places:
        if len(places) > 1 and "," in str(place):
            raise InputError(
                "has a comma in its name, which separates places",
                file=place,
                hint="Rename it, or give it alone",
            )
    return raw_data(",".join(map(str, places)))


def absolute(raw: Place) -> Place:
    """The same places, whatever folder is the current one, and in whatever order they came."""
    places = (place.resolve() if isinstance(place, Path) else place for place in raw_places(raw))
    return joined(sorted(places, key=str))
