"""Amounts as Kubernetes writes them: cores, bytes, and lengths of time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType


@dataclass(frozen=True)
class Quantity:
    """A kind of amount: a number above zero with one of some units behind it.

    Attributes:
        what: Its name, with examples, for errors.
        units: What each unit stands for.
        whole: Whether the number has to be a whole one.
    """

    what: str
    units: Mapping[str, Decimal]
    whole: bool = False

    def __call__(self, text: str) -> Decimal:
        """The amount in the basic unit.

        Raises:
            ValueError: If the text is none, or nothing.
        """
        number = r"[0-9]+" if self.whole else r"[0-9]+(?:\.[0-9]+)?"
        units = "|".join(map(re.escape, self.units))
        found = re.fullmatch(f"({number})({units})", text)
        if found is None or Decimal(found[1]) == 0:
            raise ValueError(f"{text!r} is not {self.what}")
        return Decimal(found[1]) * self.units[found[2]]

    def check(self, text: str) -> str:
        """The text itself, if it is such an amount.

        Raises:
            ValueError: If it is not.
        """
        self(text)
        return text


def _units(**sizes: int | Decimal) -> Mapping[str, Decimal]:
    return MappingProxyType({name: Decimal(size) for name, size in sizes.items()})


cores_of = Quantity(
    'a number of cores like "4" or "500m"',
    MappingProxyType({"": Decimal(1), "m": Decimal("0.001")}),
)
bytes_of = Quantity(
    'a size like "16Gi" or "500Mi"',
    _units(
        **{f"{letter}i": 1024**power for power, letter in enumerate("KMGTP", start=1)},
        **{letter: 1000**power for power, letter in enumerate("KMGTP", start=1)},
    ),
)
seconds_of = Quantity(
    'a time like "90m", "36h" or "2d"', _units(s=1, m=60, h=3600, d=86400), whole=True
)
