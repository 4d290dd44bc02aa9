"""CTR-GCN and FR-Head of the project against plain ones with the same weights, in NW-UCLA's shapes.

Letters: N samples, C channels, T frames, V joints, M bodies, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Literal

import torch
from torch import Tensor

from benchmarks.measure import Comparison, compare_rates, in_fresh_process, peak_memory
from benchmarks.plain_fr_head import PlainFRHeadCTRGCN
from frhead_core.config import Recipe, load_recipe
from frhead_core.models.recogniser import Recogniser
from frhead_core.models.reference.weights import load_reference_state
from frhead_core.models.registry import build_model
from frhead_core.skeletons import skeleton

BATCHES = (16, 64)
LOGIT_TOLERANCE = 1e-4  # of the largest logit
LOSS_TOLERANCE = 1e-4  # relative
Kind = Literal["plain", "ours", "ours in bfloat16"]
Model = PlainFRHeadCTRGCN | Recogniser


def measure() -> Iterator[Comparison]:
    recipe = load_recipe("nw-ucla")
    plain, ours = equal_models(recipe)
    assert_equal(plain, ours, *batch(recipe, BATCHES[0]))
    threads = torch.get_num_threads()
    for samples, title, bfloat16 in product(BATCHES, ACTIONS, (False, True)):
        yield in_fresh_process(compared, samples, title, bfloat16, threads)
    plain_memory = peak_memory(prepared_training_step, "plain", threads)
    for kind, precision in (("ours", "float32"), ("ours in bfloat16", "bfloat16")):
        yield Comparison(
            f"memory added by a training step, {precision}",
            "MiB",
            plain_memory,
            peak_memory(prepared_training_step, kind, threads),
            better="less",
        )


def compared(samples: int, title: str, bfloat16: bool, threads: int) -> Comparison:
    """One row; with the allocator's settings as the process finds them, for both."""
    torch.set_num_threads(threads)
    recipe = load_recipe("nw-ucla")
    plain, ours = equal_models(recipe)
    action, data = ACTIONS[title], batch(recipe, samples)
    precision = "bfloat16 to plain float32" if bfloat16 else "float32"
    return compare_rates(
        f"{title}, batch {samples}, {precision}",
        "samples/s",
        samples,
        action(plain, *data),
        action(ours, *data, bfloat16),
    )


def equal_models(recipe: Recipe) -> tuple[PlainFRHeadCTRGCN, Recogniser]:
    """The two models of a recipe with the same weights and prototypes."""
    torch.manual_seed(0)
    adjacency = torch.from_numpy(skeleton(recipe.skeleton).adjacency()).float()
    plain = PlainFRHeadCTRGCN(
        recipe.outputs,
        adjacency,
        recipe.loader.persons,
        recipe.loader.window,
        recipe.model.base_channels,
    )
    for parameter in plain.parameters():  # every branch counts, also those that start at 0
        parameter.data += 0.02 * torch.randn_like(parameter)
    ours = build_model(recipe)
    load_reference_state(ours, {**plain.state_dict(), **plain.prototypes()}, "ctrgcn")
    return plain, ours


def assert_equal(plain: PlainFRHeadCTRGCN, ours: Recogniser, x: Tensor, labels: Tensor) -> None:
    """Logits in evaluation and losses in training must be those of the plain model."""
    with torch.no_grad():
        expected, found = plain.eval()(x), ours.eval().for_inference(torch.float32)(x)
        difference = (found - expected).abs().max() / expected.abs().max()
        if not difference < LOGIT_TOLERANCE:
            raise AssertionError(f"the logits differ by {difference:.1e} of the largest")
        for name, expected, found in zip(
            ("cross-entropy", "head loss"),
            losses(plain.train(), x, labels),
            losses(ours.train(), x, labels),
            strict=True,
        ):
            if not torch.isclose(found, expected, rtol=LOSS_TOLERANCE):
                raise AssertionError(f"{name} is {found:.6g} and plainly {expected:.6g}")


def losses(model: Model, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    if isinstance(model, PlainFRHeadCTRGCN):
        return model.losses(x, labels)
    found = model.losses(x, labels)
    assert found.head is not None
    return found.cross_entropy, found.head.total


def batch(recipe: Recipe, samples: int) -> tuple[Tensor, Tensor]:
    """Random samples (N, C, T, V, M) and labels (N,)."""
    joints = len(skeleton(recipe.skeleton).joints)
    shape = (samples, 3, recipe.loader.window, joints, recipe.loader.persons)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    return x, torch.arange(samples) % recipe.classes


def inference(
    model: Model, x: Tensor, labels: Tensor, bfloat16: bool = False
) -> Callable[[], object]:
    asked = model.eval()
    if isinstance(asked, Recogniser):
        asked = asked.for_inference(torch.bfloat16 if bfloat16 else torch.float32)

    def call() -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            asked.eval()(x)

    return call


def training_step(
    model: Model, x: Tensor, labels: Tensor, bfloat16: bool = False
) -> Callable[[], object]:
    return partial(update(model, bfloat16), x, labels)


def update(model: Model, bfloat16: bool) -> Callable[[Tensor, Tensor], None]:
    """What updates the model's weights by a batch."""
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=1e-6,
        momentum=0.9,
        nesterov=True,
        weight_decay=1e-4,
        fused=isinstance(model, Recogniser),
    )

    def call(x: Tensor, labels: Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            cross_entropy, head = losses(model.train(), x, labels)
        optimizer.zero_grad()
        (cross_entropy + 0.1 * head).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return call


ACTIONS = {"training step": training_step, "inference": inference}


def prepared_training_step(kind: Kind, threads: int) -> Callable[[], object]:
    """A training step for :func:`benchmarks.measure.peak_memory`."""
    torch.set_num_threads(threads)
    recipe = load_recipe("nw-ucla")
    plain, ours = equal_models(recipe)
    model = plain if kind == "plain" else ours
    return training_step(model, *batch(recipe, BATCHES[0]), bfloat16=kind.endswith("bfloat16"))
