"""What each of several processes computes of its share of a batch, and one of the whole batch.

Argument: where to save it. How the results of the processes make up that of one, by the beginning
of their names: "mean" they are averaged; "same" all have it; "share" is a gradient, which belongs
to the process's samples and counts as often as there are processes.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from frhead_core.config import Recipe, load_recipe, override
from frhead_core.models.fr_head import ContrastSettings, PrototypeContrast
from frhead_core.models.recogniser import Recogniser
from frhead_core.models.registry import build_model
from frhead_core.training.distributed import Processes, joined
from frhead_core.training.shared_model import SharedModel
from frhead_core.training.synchronised_batch_norm import SynchronisedBatchNorm

VERSIONS = ("V0", "V1", "V2", "NO FN", "NO FP", "NO FN & FP")
SAMPLES, CLASSES, CHANNELS = 8, 4, 6
STEPS = 3
Results = dict[str, Tensor]

# Labels, and which of the samples are recognised, so that true positives are where they are wanted.
SITUATIONS = {
    "mixed": ([0, 1, 2, 3, 0, 1, 2, 3], [0, 2, 3, 6]),
    "true positives in one share": ([0, 1, 2, 3, 0, 1, 2, 3], [0, 1, 2]),
    "classes in one share": ([0, 0, 1, 1, 2, 2, 3, 3], [0, 2, 4, 5]),
    "no true positive": ([0, 1, 2, 3, 0, 1, 2, 3], []),
}


def results(processes: Processes) -> Results:
    found: Results = {}
    for version in VERSIONS:
        for situation in SITUATIONS:
            found |= contrast_results(processes, version, situation)
        found |= model_results(processes, version, torch.float64)
    for use_probability_map, threshold in ((False, 0.0), (True, 0.6)):
        changes = {"use_probability_map": use_probability_map, "prediction_threshold": threshold}
        found |= contrast_results(processes, "V1", "mixed", **changes)
    found |= model_results(processes, "V0", torch.float32)
    found |= model_results(processes, "V0", torch.float64, synchronise=False)
    for shape in ((SAMPLES, 5, 7), (SAMPLES, 5), (SAMPLES, 5, 3, 2)):
        for dtype in (torch.float64, torch.float32, torch.bfloat16):
            found |= batch_norm_results(processes, shape, dtype)
    return found | sums(processes)


def contrast_results(
    processes: Processes, version: str, situation: str, **settings: bool | float
) -> Results:
    torch.manual_seed(1)
    contrast = PrototypeContrast(CLASSES, CHANNELS, ContrastSettings(version, **settings)).double()
    contrast.total = processes.total
    features = torch.randn(SAMPLES, CHANNELS, dtype=torch.float64)
    labels, right = torch.tensor(SITUATIONS[situation][0]), SITUATIONS[situation][1]
    predicted = torch.tensor([k if n in right else (k + 1) % CLASSES for n, k in enumerate(labels)])
    logits = torch.rand(SAMPLES, CLASSES) + 2 * torch.nn.functional.one_hot(predicted, CLASSES)
    share = processes.share_of_batch(SAMPLES)
    own = features[share].requires_grad_()
    loss = contrast(own, logits[share], labels[share])
    loss.backward()
    assert own.grad is not None
    name = f"contrast {version}, {situation}, {settings}"
    return {
        f"mean loss of {name}": loss.detach(),
        f"share gradient of {name}": own.grad,
        f"same prototypes of {name}": contrast.prototypes,
    }


def tiny_recipe(version: str) -> Recipe:
    changes = {"model.base_channels": 8, "loader.window": 8, "head.version": version}
    return override(load_recipe("demo-nw-ucla"), changes)


def batches(model: Recogniser, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches; in the first one all true positives are in the first share."""
    generator = torch.Generator().manual_seed(2)
    for step in range(STEPS):
        x = torch.randn(SAMPLES, 3, 8, 20, 1, generator=generator, dtype=torch.float64).to(dtype)
        labels = torch.randint(0, model.classes, (SAMPLES,), generator=generator)
        if step == 0:
            predicted = copy.deepcopy(model).backbone(x).logits.argmax(1)
            wrong = torch.arange(SAMPLES) >= SAMPLES // 2
            labels = (predicted + wrong) % model.classes
        yield x, labels


def model_results(
    processes: Processes, version: str, dtype: torch.dtype, synchronise: bool = True
) -> Results:
    """A few steps of training of CTR-GCN with its head."""
    torch.manual_seed(0)
    model = build_model(tiny_recipe(version)).to(dtype)
    everything = list(batches(model, dtype))
    shared = SharedModel(model, processes, synchronise)
    # In float32 the network, whose ReLUs switch at a rounding error, is a chaotic one: go slowly.
    rate = 0.02 if dtype == torch.float64 else 0.001
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, nesterov=True)
    share = processes.share_of_batch(SAMPLES)
    name = f"{version}, {dtype}, synchronised {synchronise}"
    found: Results = {}
    for step, (x, labels) in enumerate(everything):
        losses = model.losses(x[share], labels[share])
        assert losses.head is not None
        optimizer.zero_grad()
        torch.autograd.backward(losses.cross_entropy + 0.1 * losses.head.total)
        shared.average()
        found[f"mean cross-entropy {step} of {name}"] = losses.cross_entropy.detach()
        found[f"mean head loss {step} of {name}"] = losses.head.total.detach()
        found[f"same gradient {step} of {name}"] = flat(p.grad for p in model.parameters())
        optimizer.step()
        for what in ("running_mean", "running_var", "prototypes"):
            chosen = [each for key, each in model.named_buffers() if key.endswith(what)]
            found[f"same {what} {step} of {name}"] = flat(chosen)
    found[f"same weights of {name}"] = flat(p.detach() for p in model.parameters())
    return found


def flat(tensors: object) -> Tensor:
    return torch.cat([each.flatten() for each in tensors])  # type: ignore[attr-defined]


def batch_norm_results(processes: Processes, shape: tuple[int, ...], dtype: torch.dtype) -> Results:
    """One layer, forwards and backwards, far from zero, where digits are easily lost."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    factors = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    scale = torch.tensor([1.0, 0.1, 3.0, 1.0, 1.0])
    offset = torch.tensor([0.0, 10.0, -50.0, 1.0, 0.0])
    per_channel = (-1,) + (1,) * (x.dim() - 2)
    x = (x * scale.view(per_channel) + offset.view(per_channel)).to(dtype)
    parameters = dtype if dtype == torch.float64 else torch.float32
    layer: nn.BatchNorm1d | nn.BatchNorm2d
    if processes.count > 1:
        layer = SynchronisedBatchNorm(5, processes).to(parameters)
    else:
        layer = (nn.BatchNorm2d if x.dim() == 4 else nn.BatchNorm1d)(5, dtype=parameters)
    nn.init.uniform_(layer.weight, 0.5, 2.0, generator=generator)
    nn.init.uniform_(layer.bias, generator=generator)
    share = processes.share_of_batch(SAMPLES)
    own = x[share].requires_grad_()
    y = layer(own)
    assert y.dtype == dtype
    (y * factors[share]).double().mean().backward()
    assert own.grad is not None and layer.weight.grad is not None and layer.bias.grad is not None
    processes.average([layer.weight.grad, layer.bias.grad])
    name = f"batch normalisation {shape}, {dtype}"
    return {
        f"share gradient of {name}": own.grad,
        f"same weight gradient of {name}": layer.weight.grad,
        f"same bias gradient of {name}": layer.bias.grad,
        f"same state of {name}": flat(layer.buffers()),
        f"same evaluation of {name}": layer.eval()(x).detach(),
    }


def sums(processes: Processes) -> Results:
    """What processes tell each other otherwise."""
    rows = torch.arange(7).numpy()
    own = processes.share_of_rows(rows)
    scores = processes.of_all_rows(own[:, None] * [[1.0, -1.0]], len(rows))
    flags = processes.agree(False, processes.rank == processes.count - 1)
    gathered = processes.gathered(torch.tensor([processes.rank], dtype=torch.uint8))
    return {
        "same scores of all rows": torch.from_numpy(scores),
        "same flags": torch.tensor(flags),
        "same ranks, gathered": torch.cat(gathered)[:1],
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined(torch.device("cpu")) as processes:
        torch.save(results(processes), Path(sys.argv[1]) / f"of-{processes.rank}.pt")
