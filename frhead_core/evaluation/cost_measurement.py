"""Measuring what recognising costs a model."""

from __future__ import annotations

import math
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from frhead_core.config import Precision
from frhead_core.evaluation.cost import Cost
from frhead_core.models.recogniser import Recogniser

_LATENCY_REPETITIONS = range(5, 21)
_BATCH_REPETITIONS = range(2, 6)
_SECONDS = 2.0
_CPU_DESCRIPTION = Path("/proc/cpuinfo")


def _flops_of_added_product(
    _sum: Sequence[int], left: Sequence[int], right: Sequence[int], **_: Any
) -> int:
    """Of a matrix product that is added to something, from the shapes."""
    return 2 * math.prod(left) * right[-1]


# Matrix products in place, which torch's counter does not know.
_FURTHER_PRODUCTS = {
    torch.ops.aten.addmm_: _flops_of_added_product,
    torch.ops.aten.baddbmm_: _flops_of_added_product,
}


def measure_cost(model: Recogniser, samples: Tensor, precision: Precision) -> Cost:
    """Count and measure what it costs a model to recognise.

    Counted is the network as it was trained; timed is what scores samples, its form for inference.
    The model stays in the mode it is in, and no random state changes.

    Args:
        model: On the device to measure on.
        samples: (N, C, T, V, M) float32, one batch of evaluation.
        precision: ``bfloat16`` measures under autocast.
    """
    device = next(model.parameters()).device
    samples = samples.to(device)
    was_training = model.training
    bfloat16 = precision == "bfloat16"

    def forward(x: Tensor) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            asked(x)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    with torch.inference_mode():
        flops = count_flops(lambda: model.eval()(samples[:1]))
        asked = model.for_inference(torch.bfloat16 if bfloat16 else torch.float32)
        single = _seconds(lambda: forward(samples[:1]), _LATENCY_REPETITIONS)
        batch = _seconds(lambda: forward(samples), _BATCH_REPETITIONS)
    model.train(was_training)
    head = _parameters(model.head)
    return Cost(
        parameters=_parameters(model) - head,
        head_parameters=head,
        flops=flops,
        latency_ms=round(1000 * statistics.median(single), 3),
        latency_forwards=len(single),
        samples_per_second=round(len(samples) / statistics.median(batch), 2),
        batch_size=len(samples),
        device=_device_name(device),
        threads=torch.get_num_threads(),
        precision=precision,
    )


def count_flops(work: Callable[[], object]) -> int:
    """Floating-point operations of the matrix products and convolutions in a piece of work.

    They are counted as they are carried out, inside autograd functions of our own and in backward
    passes too. A multiply-add counts as two.
    """
    with FlopCounterMode(display=False, custom_mapping=_FURTHER_PRODUCTS) as counter:
        work()
    return int(counter.get_total_flops())


def _parameters(module: nn.Module | None) -> int:
    return 0 if module is None else sum(each.numel() for each in module.parameters())


def _seconds(work: Callable[[], object], repetitions: range) -> list[float]:
    """Seconds of each repetition: as few as allowed once they have taken long enough.

    A first one, which is slower, is not among them.
    """
    work()
    seconds: list[float] = []
    while len(seconds) < repetitions.start or (
        len(seconds) < repetitions.stop - 1 and sum(seconds) < _SECONDS
    ):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = _CPU_DESCRIPTION.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
