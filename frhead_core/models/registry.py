"""Backbones by name, and the one function that makes a model from a recipe."""

from __future__ import annotations

from collections.abc import Callable

from frhead_core.config import Recipe
from frhead_core.errors import RecipeError
from frhead_core.models.backbone import Backbone
from frhead_core.models.ctrgcn import CTRGCN
from frhead_core.models.fr_head import ContrastSettings, FRHead
from frhead_core.models.recogniser import Recogniser
from frhead_core.skeletons import Skeleton, skeleton

BACKBONES: dict[str, Callable[..., Backbone]] = {"ctrgcn": CTRGCN}


def build_model(recipe: Recipe) -> Recogniser:
    """The recogniser of a recipe, with fresh weights from torch's global random state.

    Raises:
        RecipeError: If the recipe names an unknown backbone.
    """
    joints = skeleton(recipe.skeleton)
    backbone = _build_backbone(recipe, joints)
    head = _build_head(recipe, backbone, joints) if recipe.head.enabled else None
    return Recogniser(backbone, head, recipe.classes)


def _build_backbone(recipe: Recipe, joints: Skeleton) -> Backbone:
    settings = recipe.model
    if settings.backbone not in BACKBONES:
        raise RecipeError(
            "unknown backbone",
            field="model.backbone",
            found=settings.backbone,
            expected="one of " + ", ".join(sorted(BACKBONES)),
        )
    return BACKBONES[settings.backbone](
        joints.adjacency(),
        classes=recipe.outputs,
        persons=recipe.loader.persons,
        base_channels=settings.base_channels,
        dropout=settings.dropout,
    )


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
