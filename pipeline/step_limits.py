"""How much of a machine each step of a run in containers may use, from a cluster profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.profile import Placement, Profile, Training
from pipeline.quantities import bytes_of, cores_of


@dataclass(frozen=True)
class StepLimits:
    """The most that the container of a step may use.

    Attributes:
        memory: In bytes; None for all there is.
        cpus: Cores, or parts of them; None for all there are.
        shared_memory: Size of ``/dev/shm`` in bytes, a part of the memory; None for 1 GiB.
    """

    memory: int | None = None
    cpus: float | None = None
    shared_memory: int | None = None


_STEPS = {
    "data": (
        *("fingerprint_data", "extract_raw_skeletons"),
        *("denoise_skeletons", "transform_sequences"),
    ),
    "training": ("train_modality",),
    "evaluation": ("evaluate_modality",),
    "report": ("ensemble_modalities", "promote_model"),
}
"""The steps that each section of a profile's ``steps`` is for."""


def limits_of(profile: Profile) -> Mapping[str, StepLimits]:
    """The limits of a profile, by step."""
    return {
        step: _limits(getattr(profile.steps, kind))
        for kind, steps in _STEPS.items()
        for step in steps
    }


def _limits(placement: Placement) -> StepLimits:
    shared = placement.shared_memory if isinstance(placement, Training) else None
    return StepLimits(
        memory=int(bytes_of(placement.limits.memory)),
        cpus=float(cores_of(placement.limits.cpu)),
        shared_memory=None if shared is None else int(bytes_of(shared)),
    )
