"""What the tests of the backbones share: layers written as their formulas are.

Feature maps are (c, n, v, t): c channels, n bodies, v or w joints, t frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def moved(module: nn.Module) -> nn.Module:
    """The module in float64, with parameters and statistics away from where they start."""
    torch.manual_seed(3)
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
        for statistic in module.buffers():
            if statistic.is_floating_point():
                statistic.add_(torch.rand_like(statistic), alpha=0.3)
    return module.eval()


def features(channels: int, joints: int, frames: int = 7, bodies: int = 3) -> Tensor:
    """(c, n, v, t) float64, as the backbones have them inside."""
    return torch.randn(channels, bodies, joints, frames, dtype=torch.float64)


def pointwise(weight: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    """A 1x1 convolution, weight (co, ci), of (c, n, v, t)."""
    y = torch.einsum("oc,cnvt->onvt", weight, x)
    return y if bias is None else y + bias[:, None, None, None]


def normalised(layer: nn.Module, x: Tensor) -> Tensor:
    """Batch normalisation in evaluation, of (c, ...)."""
    assert isinstance(layer, nn.BatchNorm1d)
    assert layer.running_mean is not None and layer.running_var is not None
    shape = (-1, *[1] * (x.dim() - 1))
    scale = layer.weight / torch.sqrt(layer.running_var + layer.eps)
    shifted = (x - layer.running_mean.view(shape)) * scale.view(shape)
    return shifted + layer.bias.view(shape)


def residual(path: nn.Module, x: Tensor) -> Tensor:
    """The identity, or a 1x1 convolution with batch normalisation."""
    if isinstance(path, nn.Identity):
        return x
    assert isinstance(path, nn.Sequential)
    return normalised(path[1], pointwise(path[0].weight, path[0].bias, x))
