"""What recognising costs: parameters, arithmetic and time.

Parameters and arithmetic follow from the model alone. The times are measurements: no two are equal,
so they never become part of anything that a cache key depends on.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from frhead_core.errors import InputError

COST = "cost.json"


@dataclasses.dataclass(frozen=True)
class Cost:
    """What recognising costs.

    Attributes:
        parameters: Of what recognises.
        head_parameters: Of the FR-Head, which exists in training only.
        flops: Floating-point operations of one sample's forward through the network as it was
            trained: those of matrix products and convolutions, a multiply-add counting as two.
        latency_ms: Median milliseconds of a forward of one sample, in the form for inference.
        latency_forwards: Forwards that this is the median of.
        samples_per_second: Of forwards of ``batch_size`` samples, without reading them.
        batch_size: N.
        device: Processor that was measured on.
        threads: CPU threads that torch used.
        precision: ``float32`` or ``bfloat16``.
    """

    parameters: int
    head_parameters: int
    flops: int
    latency_ms: float
    latency_forwards: int
    samples_per_second: float
    batch_size: int
    device: str
    threads: int
    precision: str

    @property
    def conditions(self) -> str:
        """On what and how the times were measured, for people."""
        threads = f"{self.threads} CPU thread{'' if self.threads == 1 else 's'}"
        return f"{self.device}, {threads}, {self.precision}"

    @property
    def text(self) -> str:
        """One line for people."""
        return (
            f"{self.parameters:,} parameters, {self.flops / 1e9:.3f} GFLOP a sample; "
            f"{self.latency_ms:.2f} ms for one sample (median of {self.latency_forwards}), "
            f"{self.samples_per_second:.1f} samples/s in batches of {self.batch_size} "
            f"({self.conditions})"
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return dataclasses.asdict(self)

    def figures(self) -> dict[str, float]:
        """The numbers by name."""
        return {key: value for key, value in self.to_dict().items() if not isinstance(value, str)}

    def save(self, folder: Path) -> None:
        """Write ``cost.json`` into a folder of score files."""
        text = json.dumps(self.to_dict(), indent=2, sort_keys=True)
        (folder / COST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Cost | None:
        """What :meth:`save` wrote; None where nothing was measured.

        Raises:
            InputError: If the file is damaged.
        """
        path = folder / COST
        if not path.exists():
            return None
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, KeyError) as error:
            raise InputError("is damaged, or does not say what a model costs", file=path) from error

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Cost:
        """What :meth:`to_dict` gave.

        Raises:
            KeyError: If something is missing.
        """
        return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})


def together(costs: Iterable[Cost]) -> Cost | None:
    """The cost of several models that recognise one after the other.

    None for fewer than two, and where they were measured under different conditions: such times do
    not add up.
    """
    every = list(costs)
    if len(every) < 2 or len(set(map(_circumstances, every))) > 1:
        return None
    return dataclasses.replace(
        every[0],
        parameters=sum(each.parameters for each in every),
        head_parameters=sum(each.head_parameters for each in every),
        flops=sum(each.flops for each in every),
        latency_ms=sum(each.latency_ms for each in every),
        latency_forwards=min(each.latency_forwards for each in every),
        samples_per_second=1 / sum(1 / each.samples_per_second for each in every),
    )


def _circumstances(cost: Cost) -> tuple[object, ...]:
    return cost.batch_size, cost.device, cost.threads, cost.precision
