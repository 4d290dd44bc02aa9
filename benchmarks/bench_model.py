"""CTR-GCN of the project against a plain one, with the same weights, on NW-UCLA's shapes.

Letters: N samples, C channels, T frames, V joints, M bodies, K classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.measure import Comparison, compare_rates, peak_memory
from benchmarks.plain_ctrgcn import PlainCTRGCN
from frhead_core.config import load_recipe
from frhead_core.models.recogniser import Recogniser
from frhead_core.models.reference_weights import load_reference_state
from frhead_core.models.registry import build_model
from frhead_core.skeletons import skeleton

SAMPLES = 16
TOLERANCE = 1e-4  # of the largest logit
Kind = Literal["plain", "ours", "ours in bfloat16"]


def models() -> tuple[PlainCTRGCN, Recogniser]:
    """The two models with the same weights, checked to say the same."""
    recipe = load_recipe("nw-ucla")
    recipe = dataclasses.replace(recipe, head=dataclasses.replace(recipe.head, enabled=False))
    torch.manual_seed(0)
    adjacency = torch.from_numpy(skeleton(recipe.skeleton).adjacency()).float()
    plain = PlainCTRGCN(recipe.classes, adjacency, recipe.loader.persons)
    for parameter in plain.parameters():  # every branch counts, also those that start at 0
        parameter.data += 0.02 * torch.randn_like(parameter)
    ours = build_model(recipe)
    load_reference_state(ours, plain.state_dict(), "ctrgcn")
    assert_equal_logits(plain.eval(), ours.eval())
    return plain, ours


def assert_equal_logits(plain: nn.Module, ours: nn.Module) -> None:
    with torch.inference_mode():
        x, _ = batch()
        expected, found = plain(x), ours(x)
    difference = (found - expected).abs().max() / expected.abs().max()
    if not difference < TOLERANCE:
        raise AssertionError(f"the two models differ by {difference:.1e} of the largest logit")


def batch() -> tuple[Tensor, Tensor]:
    """Samples (N, C, T, V, M) and labels (N,)."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(SAMPLES, 3, 52, 20, 1, generator=generator)
    return x, torch.arange(SAMPLES) % 10


def inference(model: nn.Module, bfloat16: bool = False) -> Callable[[], object]:
    x, _ = batch()

    def call() -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits: Tensor = model.eval()(x)
        return logits

    return call


def training_step(model: nn.Module, bfloat16: bool = False) -> Callable[[], object]:
    x, labels = batch()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=1e-6, momentum=0.9, nesterov=True, weight_decay=1e-4
    )

    def call() -> None:
        model.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = F.cross_entropy(model(x).float(), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return call


def prepared_training_step(kind: Kind, threads: int) -> Callable[[], object]:
    """A training step for :func:`benchmarks.measure.peak_memory`, past its first calls."""
    torch.set_num_threads(threads)
    plain, ours = models()
    return training_step(plain if kind == "plain" else ours, bfloat16=kind.endswith("bfloat16"))


def measure() -> Iterator[Comparison]:
    plain, ours = models()
    for title, action in (("training step", training_step), ("inference", inference)):
        for bfloat16 in (False, True):
            yield compare_rates(
                f"CTR-GCN {title}, {'bfloat16 to plain float32' if bfloat16 else 'float32'}",
                "samples/s",
                SAMPLES,
                action(plain),
                action(ours, bfloat16),
            )
    threads = torch.get_num_threads()
    plain_memory = peak_memory(prepared_training_step, "plain", threads)
    for kind, precision in (("ours", "float32"), ("ours in bfloat16", "bfloat16")):
        yield Comparison(
            f"CTR-GCN training step, memory added, {precision}",
            "MiB",
            plain_memory,
            peak_memory(prepared_training_step, kind, threads),
            better="less",
        )
