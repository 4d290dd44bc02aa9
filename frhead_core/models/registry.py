"""Backbones by name, and the one function that makes a model from a recipe."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from frhead_core.backbones import BACKBONES
from frhead_core.config import Recipe
from frhead_core.models.backbone import Backbone
from frhead_core.models.fr_head import ContrastSettings, FRHead
from frhead_core.models.recogniser import Recogniser
from frhead_core.skeletons import Skeleton, skeleton


def build_backbone(name: str, adjacency: np.ndarray, **settings: Any) -> Backbone:
    """A backbone with fresh weights; its module is loaded when it is first asked for.

    Args:
        name: One of :data:`~frhead_core.backbones.BACKBONES`.
        adjacency: Initial topology (3, V, V): self, inward, outward.
        settings: ``classes``, ``persons``, ``base_channels``, ``in_channels`` and ``dropout``, as
            in :class:`~frhead_core.models.ten_blocks.TenBlocks`.
    """
    module = import_module(f"frhead_core.models.{name}")
    backbone: Backbone = getattr(module, BACKBONES[name].class_name)(adjacency, **settings)
    return backbone


def build_model(recipe: Recipe) -> Recogniser:
    """The recogniser of a recipe, with fresh weights from torch's global random state."""
    joints = skeleton(recipe.skeleton)
    settings = recipe.model
    backbone = build_backbone(
        settings.backbone,
        joints.adjacency(),
        classes=recipe.outputs,
        persons=recipe.loader.persons,
        base_channels=settings.base_channels,
        dropout=settings.dropout,
    )
    head = _build_head(recipe, backbone, joints) if recipe.head.enabled else None
    return Recogniser(backbone, head, recipe.classes)


def _build_head(recipe: Recipe, backbone: Backbone, joints: Skeleton) -> FRHead:
    head = recipe.head
    return FRHead(
        backbone.level_channels,
        joints=len(joints.joints),
        frames=recipe.loader.window,
        classes=recipe.outputs,
        level_weights=head.level_weights,
        settings=ContrastSettings(
            version=head.version,
            prediction_threshold=head.prediction_threshold,
            use_probability_map=head.use_probability_map,
            alpha=head.alpha,
            temperature=head.temperature,
            momentum=head.momentum,
        ),
    )
