"""CTR-GCN for inference: every batch normalisation folded into the product before it.

The same function as :class:`~frhead_core.models.ctrgcn.CTRGCN` in evaluation mode, rearranged so
that little but the matrix products is left:

* In evaluation, a batch normalisation multiplies and shifts channels, so it becomes part of the
  weights and the bias of the layer before it.
* A bias costs nothing as one more column of the weights, against a channel of ones that every
  feature map carries as its last.
* The shift s after a graph convolution passes through the rectifier, max(z + s, 0) =
  max(z, -s) + s, into the biases of the layers that follow.
* Few bodies at a time go through all layers, so that what one layer writes is still in the
  processor's cache when the next one reads it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from frhead_core.models.backbone import Backbone, BackboneOutput
from frhead_core.models.channels_first import (
    ChannelMap,
    channel_convolution,
    float_mean,
    maximum_of_three,
)
from frhead_core.models.ctrgcn import CTRGCN, SUBSETS, GraphConvolution, TemporalConvolution
from frhead_core.models.ten_blocks import Block, NormalisedMap

BODIES_TOGETHER = 16  # on a CPU


class Affine(NamedTuple):
    """What a batch normalisation does to each channel in evaluation: times scale, plus shift."""

    scale: Tensor
    shift: Tensor

    @classmethod
    def of(cls, normalisation: nn.BatchNorm1d) -> Affine:
        mean, variance = normalisation.running_mean, normalisation.running_var
        assert mean is not None and variance is not None
        scale: Tensor = normalisation.weight / torch.sqrt(variance + normalisation.eps)
        return cls(scale, normalisation.bias - mean * scale)

    def channels(self, first: int, last: int) -> Affine:
        """That of some of the channels."""
        return Affine(self.scale[first:last], self.shift[first:last])


def folded(channel_map: ChannelMap, after: Affine, before: Tensor | None = None) -> Tensor:
    """A 1x1 convolution and what follows it as one matrix (co, ci + 1), its bias the last column.

    Args:
        channel_map: The convolution.
        after: Done to its result.
        before: (ci,) what is still to be added to its input.
    """
    bias: Tensor = channel_map.bias
    if before is not None:
        bias = bias + channel_map.weight @ before
    columns = (channel_map.weight * after.scale[:, None], bias * after.scale + after.shift)
    return torch.column_stack(columns)


class FoldedGraph(nn.Module):
    """A graph convolution whose result z lacks its shift s: max(z, -s), and a channel of ones."""

    weight: Tensor
    relation: Tensor
    refinement: Tensor
    adjacency: Tensor
    least: Tensor

    def __init__(self, layer: GraphConvolution) -> None:
        super().__init__()
        self.out_channels = layer.out_channels
        after = Affine.of(layer.normalisation)
        scale = after.scale.repeat(SUBSETS)
        weights = [folded(layer.features, Affine(scale, torch.zeros_like(scale)))]
        self.shift = after.shift
        if isinstance(layer.residual, NormalisedMap):
            residual = folded_map(layer.residual)
            residual[:, -1] += after.shift
            weights.append(residual)
            self.shift = torch.zeros_like(after.shift)
        self.register_buffer("weight", torch.cat(weights))
        relation = layer.relation
        self.register_buffer("relation", torch.column_stack((relation.weight, relation.bias)))
        self.register_buffer("refinement", layer.refinement())
        self.register_buffer("adjacency", layer.adjacency.clone())
        self.register_buffer("least", -self.shift[:, None, None, None])

    def topology(self, x: Tensor) -> Tensor:
        """Features (ci + 1, n, V, T) to the refined topology (3, co, n, V targets, V sources)."""
        _, n, V, T = x.shape
        relation = (self.relation @ (x.sum(3) / T).flatten(1)).view(SUBSETS, 2, -1, n, V)
        target, source = relation.unbind(1)  # each (3, r, n, V)
        r = target.shape[1]
        terms = x.new_empty(SUBSETS, r + 2, n, V, V)
        torch.sub(target.unsqueeze(4), source.unsqueeze(3), out=terms[:, :r])
        terms[:, :r].tanh_()
        terms[:, r] = self.adjacency[:, None]
        terms[:, r + 1] = 1
        return torch.bmm(self.refinement, terms.flatten(2)).view(SUBSETS, -1, n, V, V)

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci + 1, n, V, T) to (co + 1, n, V, T)."""
        _, n, V, T = x.shape
        co = self.out_channels
        products = product(self.weight, x)
        features = products[: SUBSETS * co].view(SUBSETS, co * n, V, T)
        residual = products[SUBSETS * co :] if len(products) > SUBSETS * co else x[:co]
        topology = self.topology(x).view(SUBSETS, co * n, V, V)
        y = with_ones(x, co, T)
        total = y[:co].view(co * n, V, T)
        torch.baddbmm(residual.view(co * n, V, T), topology[0], features[0], out=total)
        for subset in range(1, SUBSETS):
            total.baddbmm_(topology[subset], features[subset])
        torch.maximum(y[:co], self.least, out=y[:co])
        return y


class FoldedTemporal(nn.Module):
    """A temporal convolution.

    Args:
        layer: The convolution to fold.
        before: (c,) what is still to be added to its input.
    """

    entry: Tensor
    plain: Tensor
    pooled_scale: Tensor
    pooled_shift: Tensor

    def __init__(self, layer: TemporalConvolution, before: Tensor) -> None:
        super().__init__()
        b = self.branch_channels = layer.branch_channels
        self.stride = layer.stride
        after = Affine.of(layer.normalisation)
        entry = folded(layer.entry, Affine.of(layer.entry_normalisation), before)
        plain = folded(layer.plain, after.channels(3 * b, 4 * b), before)
        # Without a stride the plain branch sees what the others see: one product for all four.
        together = self.stride == 1
        self.register_buffer("entry", torch.cat((entry, plain)) if together else entry)
        self.register_buffer("plain", plain[:0] if together else plain)
        self.dilated = nn.ModuleList(
            folded_convolution(convolution, after.channels(k * b, (k + 1) * b))
            for k, convolution in enumerate(layer.dilated)
        )
        pooled = after.channels(2 * b, 3 * b)
        self.register_buffer("pooled_scale", pooled.scale[:, None, None, None])
        self.register_buffer("pooled_shift", pooled.shift[:, None, None, None])

    def forward(self, x: Tensor, plus: Tensor | None) -> Tensor:
        """Features (c + 1, n, V, T), and a summand of c channels, to (c + 1, n, V, T')."""
        b = self.branch_channels
        entered = product(self.entry, x)
        first, second, third = torch.split(entered[: 3 * b].relu_(), b)
        plain = entered[3 * b :]
        if self.stride > 1:
            plain = product(self.plain, x[..., :: self.stride])
        pooled = maximum_of_three(third, self.stride)
        branches = (
            channel_convolution(self.dilated[0], first),
            channel_convolution(self.dilated[1], second),
            pooled.mul_(self.pooled_scale).add_(self.pooled_shift),
            plain,
        )
        y = with_ones(x, 4 * b, plain.shape[3])
        if plus is None:
            torch.cat(branches, out=y[:-1])
        else:
            for branch, summand, place in zip(
                branches, torch.split(plus, b), torch.split(y[:-1], b), strict=True
            ):
                torch.add(branch, summand, out=place)
        y[:-1].relu_()
        return y


class FoldedBlock(nn.Module):
    """Both convolutions and the residual around them, as in :class:`Block`."""

    residual: Tensor | None

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        assert isinstance(block, Block)
        graph, temporal = block.graph, block.temporal
        assert isinstance(graph, GraphConvolution) and isinstance(temporal, TemporalConvolution)
        self.graph = FoldedGraph(graph)
        self.temporal = FoldedTemporal(temporal, self.graph.shift)
        self.stride = temporal.stride
        mapped = isinstance(block.residual, NormalisedMap)
        self.identity = block.residual is not None and not mapped
        self.register_buffer("residual", folded_map(block.residual) if mapped else None)

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci + 1, n, V, T) to (co + 1, n, V, T')."""
        plus = x[:-1] if self.identity else None
        if self.residual is not None:
            plus = product(self.residual, x[..., :: self.stride])
        y: Tensor = self.temporal(self.graph(x), plus)
        return y


class FoldedCTRGCN(Backbone):
    """A trained CTR-GCN as it is now; what is trained afterwards does not reach it.

    Args:
        backbone: The network to fold, in its own precision.
        dtype: That of features and weights; the classifier keeps at least float32.
    """

    def __init__(self, backbone: CTRGCN, dtype: torch.dtype) -> None:
        super().__init__()
        with torch.no_grad():
            self.blocks = nn.ModuleList(FoldedBlock(block) for block in backbone.blocks)
        self.blocks.to(dtype)
        self.dtype = dtype
        self.input_normalisation = backbone.input_normalisation
        self.classifier = backbone.classifier
        self.eval()

    def forward(self, x: Tensor) -> BackboneOutput:
        """Samples (N, C, T, V, M) to logits and pooled features; no levels for the head."""
        N, _, _, _, M = x.shape
        together = max(1, BODIES_TOGETHER // M) if x.device.type == "cpu" else N
        with torch.autocast(x.device.type, enabled=False):
            pooled = torch.cat([self._pooled(part) for part in torch.split(x, together)])
            return BackboneOutput(self.classifier(pooled), pooled, ())

    def _pooled(self, x: Tensor) -> Tensor:
        N, _, _, _, M = x.shape
        x = self.input_normalisation(x).transpose(0, 1)  # (C, N*M, V, T)
        x = torch.cat((x, torch.ones_like(x[:1]))).to(self.dtype)
        for block in self.blocks:
            x = block(x)
        return float_mean(x[:-1].view(-1, N, M, *x.shape[2:]), (2, 3, 4)).T  # (N, 4B)


def product(weight: Tensor, x: Tensor) -> Tensor:
    """Weights (co, ci + 1) times features (ci + 1, ...): (co, ...)."""
    return (weight @ x.flatten(1)).view(-1, *x.shape[1:])


def with_ones(like: Tensor, channels: int, frames: int) -> Tensor:
    """An empty feature map (channels + 1, n, V, frames), its last channel of ones."""
    y = like.new_empty(channels + 1, like.shape[1], like.shape[2], frames)
    y[-1] = 1
    return y


def folded_map(layer: nn.Module | None) -> Tensor:
    """A normalised 1x1 convolution as one matrix (co, ci + 1)."""
    assert isinstance(layer, NormalisedMap)
    channel_map, normalisation = layer
    assert isinstance(channel_map, ChannelMap) and isinstance(normalisation, nn.BatchNorm1d)
    return folded(channel_map, Affine.of(normalisation))


def folded_convolution(convolution: nn.Module, after: Affine) -> nn.Conv2d:
    """A convolution over frames and what follows it as one convolution."""
    assert isinstance(convolution, nn.Conv2d) and convolution.bias is not None
    # Without initial weights: they would be drawn from the random state that training goes on with.
    result = skip_init(  # type: ignore[no-untyped-call]
        nn.Conv2d,
        convolution.in_channels,
        convolution.out_channels,
        (1, 5),
        convolution.stride,
        convolution.padding,
        convolution.dilation,
    )
    assert isinstance(result, nn.Conv2d)
    result.weight = nn.Parameter(convolution.weight * after.scale[:, None, None, None], False)
    result.bias = nn.Parameter(convolution.bias * after.scale + after.shift, False)
    return result
