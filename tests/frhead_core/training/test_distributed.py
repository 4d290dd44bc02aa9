"""Two processes, each with half of the batch, compute what one computes with the whole batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from frhead_core.backbones import BACKBONES
from frhead_core.config import load_recipe, override
from frhead_core.errors import InputError, RecipeError
from frhead_core.models.registry import build_model
from frhead_core.training import distributed
from frhead_core.training.distributed import ALONE, RENDEZVOUS, Processes, backend_for, this_process
from frhead_core.training.shared_model import SharedModel, draw_differently
from frhead_core.training.synchronised_batch_norm import (
    SynchronisedBatchNorm,
    synchronise_batch_norm,
)
from tests.frhead_core.training.distributed_process import (
    STEPS,
    Results,
    flat,
    results,
    tiny_recipe,
)

PROGRAM = Path(__file__).with_name("distributed_process.py")
PROCESSES = 2

# Largest difference, relative to the largest number of its kind (docs/distributed.md states them).
TOLERANCE = {"float64": 1e-10, "float32": 1e-3, "bfloat16": 2e-2}


@pytest.fixture(scope="module")
def of_each(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    """What two processes found."""
    folder = tmp_path_factory.mktemp("processes")
    variables = {
        "WORLD_SIZE": str(PROCESSES),
        RENDEZVOUS: (folder / "rendezvous").as_uri(),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    started_ones = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(folder)],
            env=os.environ | variables | {"RANK": str(rank)},
        )
        for rank in range(PROCESSES)
    ]
    assert [process.wait(timeout=300) for process in started_ones] == [0] * PROCESSES
    return [torch.load(folder / f"of-{rank}.pt") for rank in range(PROCESSES)]


@pytest.fixture(scope="module")
def of_one() -> Results:
    """What one process finds, with torch's own batch normalisation."""
    return results(ALONE)


def put_together(name: str, of_each: list[Results]) -> torch.Tensor:
    parts = [found[name] for found in of_each]
    if name.startswith("mean"):
        return torch.stack(parts).mean(0)
    if name.startswith("share"):
        return torch.cat(parts) / len(parts)
    assert all(torch.equal(part, parts[0]) for part in parts), f"{name} differ between processes"
    return parts[0]


def difference(name: str, of_one: Results, of_each: list[Results]) -> float:
    expected, found = of_one[name].double(), put_together(name, of_each).double()
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-30))


def test_losses_gradients_prototypes_statistics_and_weights(
    of_one: Results, of_each: list[Results]
) -> None:
    compared = [name for name in of_one if "synchronised False" not in name]
    assert len(compared) > 100
    for name in compared:
        dtype = next((each for each in TOLERANCE if each in name), "float64")
        assert difference(name, of_one, of_each) < TOLERANCE[dtype], name


def test_true_positives_in_one_share_only_move_the_prototypes_of_all(
    of_each: list[Results],
) -> None:
    for found in of_each:
        before, after = (
            found[f"same prototypes of contrast V0, {situation}, {{}}"]
            for situation in ("no true positive", "true positives in one share")
        )
        assert [bool((a != b).any()) for a, b in zip(before, after, strict=True)] == [
            True,
            True,
            True,
            False,
        ]


def test_statistics_of_each_share_unless_synchronised(
    of_one: Results, of_each: list[Results]
) -> None:
    name = "{} of V0, torch.float64, synchronised False"
    for step in range(STEPS):  # the copies stay equal all the same
        for what in ("same running_mean", "same running_var", "same prototypes", "same gradient"):
            put_together(name.format(f"{what} {step}"), of_each)
    put_together(name.format("same weights"), of_each)
    # The mean of the shares' means of the input is the mean of the batch, that of their variances
    # is smaller; deeper in the network both are others.
    joints = 3 * 20
    for what, equal in (("running_mean", True), ("running_var", False)):
        found = put_together(name.format(f"same {what} 0"), of_each)
        expected = of_one[name.format(f"same {what} 0")]
        assert torch.allclose(found[:joints], expected[:joints], rtol=1e-9) == equal
        assert not torch.allclose(found, expected, rtol=1e-3)


def test_scores_of_all_rows_are_in_order(of_one: Results, of_each: list[Results]) -> None:
    scores = put_together("same scores of all rows", of_each)
    assert scores.tolist() == [[row, -row] for row in range(7)]
    assert put_together("same flags", of_each).tolist() == [False, True]


def test_one_process_changes_nothing() -> None:
    model = build_model(load_recipe("demo-nw-ucla"))
    kinds = [type(module) for module in model.modules()]
    shared = SharedModel(model, ALONE, synchronise=True)
    shared.average()
    assert [type(module) for module in model.modules()] == kinds
    x = torch.ones(3)
    assert ALONE.total(x) is x
    assert ALONE.gathered(x)[0] is x
    state = torch.get_rng_state()
    draw_differently(1, ALONE)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_calls_its_normalisations(backbone: str) -> None:
    recipe = override(tiny_recipe("V0"), {"model.backbone": backbone})
    found = []
    for synchronise in (False, True):
        torch.manual_seed(0)
        model = build_model(recipe).double()
        if synchronise:
            synchronise_batch_norm(model, ALONE)
        x, labels = torch.randn(4, 3, 8, 20, 1, dtype=torch.float64), torch.arange(4)
        losses = model.losses(x, labels)
        assert losses.head is not None
        torch.autograd.backward(losses.cross_entropy + losses.head.total)
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        found.append([losses.logits.detach(), flat(gradients), flat(model.buffers())])
    # A layer whose weights are only read would have counted no batch.
    layers = [each for each in model.modules() if isinstance(each, SynchronisedBatchNorm)]
    assert len(layers) > 30
    assert {int(each.num_batches_tracked) for each in layers} == {1}  # type: ignore[arg-type]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_each_process_draws_numbers_of_its_own() -> None:
    drawn = []
    for rank in range(3):
        torch.manual_seed(1)
        draw_differently(1, Processes(rank, 3))
        drawn.append(torch.rand(4).tolist())
    assert len({tuple(numbers) for numbers in drawn}) == 3


def test_the_shares_are_the_batch_and_the_rows() -> None:
    everyone = [Processes(rank, 3) for rank in range(3)]
    samples = list(range(12))
    assert [s for each in everyone for s in samples[each.share_of_batch(12)]] == samples
    rows = np.arange(10)
    shares = [each.share_of_rows(rows).tolist() for each in everyone]
    assert sorted(row for share in shares for row in share) == rows.tolist()


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    message = r"training\.batch_size: cannot be divided.*found 16; expected a multiple of 3"
    with pytest.raises(RecipeError, match=message):
        Processes(count=3).share_of_batch(16)


def test_what_torchrun_says_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert this_process() == ALONE
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    assert this_process() == Processes(rank=5, count=8, local_count=4)
    assert not this_process().leads


def test_gpus_talk_by_nccl_and_each_process_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backend_for(torch.device("cpu")) == "gloo"
    assert backend_for(torch.device("cuda")) == "cpu:gloo,cuda:nccl"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setenv("LOCAL_RANK", "1")
    distributed._use_own_gpu()
    assert chosen == [1]
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(InputError, match=r"more processes than GPUs.*found process 3.*at most 2"):
        distributed._use_own_gpu()
