"""What an experiment consists of: variants of a recipe, each to be trained with several seeds."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from components.runtime import input_hash
from frhead_core.config import HeadVersion, Modality, Recipe, override, recipe_to_json
from frhead_core.errors import RecipeError
from frhead_core.settings_files import nearest

SEED_KEY = "training.seed"
NO_HEAD = "no head"

# What the paper's table compares: the head against none, its versions, and what each part adds.
HEAD_VERSIONS: dict[str, dict[str, Any]] = {
    NO_HEAD: {"head.enabled": False},
    **{
        version: {"head.enabled": True, "head.version": version}
        for version in get_args(HeadVersion)
    },
}


@dataclass(frozen=True)
class Variant:
    """A recipe that takes part, the seed apart.

    Attributes:
        name: What it is called.
        settings: What it changes, by dotted key.
        recipe: With these changes.
    """

    name: str
    settings: Mapping[str, Any]
    recipe: Recipe

    def with_seed(self, seed: int) -> Recipe:
        """The recipe of one of its runs.

        Raises:
            RecipeError: If the seed is not allowed.
        """
        return override(self.recipe, {SEED_KEY: seed})


@dataclass(frozen=True)
class Plan:
    """An experiment: every variant is trained with every seed.

    Attributes:
        name: What its folder is called.
        title: One line for people.
        variants: At least one; each has a name of its own.
        seeds: At least one, each once.
        modalities: Trained in every run.
        baseline: Name of the variant that the others are compared with.
    """

    name: str
    title: str
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    modalities: tuple[Modality, ...]
    baseline: str | None = None

    def __post_init__(self) -> None:
        for what, values in (
            ("seeds", self.seeds),
            ("variants", [each.name for each in self.variants]),
        ):
            twice = [value for place, value in enumerate(values) if value in values[:place]]
            if not values or twice:
                found = f"{twice[0]} twice" if twice else "none"
                raise RecipeError("at least one, and each once", field=what, found=found)
        for seed in self.seeds:
            self.variants[0].with_seed(seed)
        names = [each.name for each in self.variants]
        if self.baseline is not None and self.baseline not in names:
            hint = nearest(self.baseline, names)
            raise RecipeError("no such variant", field="baseline", found=self.baseline, hint=hint)

    @property
    def mark(self) -> str:
        """A hash of all that decides its results but code and data."""
        recipes = [f"{each.name}: {recipe_to_json(each.recipe)}" for each in self.variants]
        seeds = [str(seed) for seed in self.seeds]
        return input_hash(self.title, *recipes, *seeds, *self.modalities, str(self.baseline))

    @property
    def folders(self) -> dict[str, str]:
        """Name of each variant's folder; the only variant needs none."""
        if len(self.variants) == 1:
            return {self.variants[0].name: "."}
        folders: dict[str, str] = {}
        for variant in self.variants:
            plain = re.sub(r"[^a-z0-9._=]+", "-", variant.name.lower()).strip("-.") or "variant"
            alike = sum(folder.partition("~")[0] == plain for folder in folders.values())
            folders[variant.name] = f"{plain}~{alike + 1}" if alike else plain
        return folders


def seeds_plan(recipe: Recipe, seeds: Sequence[int] | None, modalities: Sequence[Modality]) -> Plan:
    """One recipe with several seeds; without any with the recipe's own."""
    return Plan(
        name=f"{recipe.name}-seeds",
        title=f"{recipe.title}, {recipe.model.backbone}",
        variants=(Variant(recipe.name, {}, recipe),),
        seeds=tuple(seeds or (recipe.training.seed,)),
        modalities=tuple(modalities),
    )


def ablation_plan(
    recipe: Recipe,
    versions: Sequence[str],
    seeds: Sequence[int] | None,
    modalities: Sequence[Modality],
) -> Plan:
    """Versions of the head, compared with none, or else with the first.

    Args:
        recipe: What they have in common.
        versions: Of :data:`HEAD_VERSIONS`; also in small letters, and with hyphens for blanks.
        seeds: Without any with the recipe's own.
        modalities: To train.

    Raises:
        RecipeError: If there is no such version.
    """
    names = [head_version(version) for version in versions]
    return Plan(
        name=f"{recipe.name}-ablation",
        title=f"{recipe.title}, {recipe.model.backbone}, versions of the head",
        variants=tuple(variant(recipe, name, HEAD_VERSIONS[name]) for name in names),
        seeds=tuple(seeds or (recipe.training.seed,)),
        modalities=tuple(modalities),
        baseline=NO_HEAD if NO_HEAD in names else names[0],
    )


def head_version(text: str) -> str:
    """The version of the head that is meant by a text.

    Raises:
        RecipeError: If there is none.
    """
    spellings = {_plain(name): name for name in HEAD_VERSIONS}
    if _plain(text) not in spellings:
        raise RecipeError(
            "no such version of the head",
            field="versions",
            found=text,
            expected="one of " + ", ".join(HEAD_VERSIONS),
        )
    return spellings[_plain(text)]


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def variant(recipe: Recipe, name: str, settings: Mapping[str, Any]) -> Variant:
    """A variant of a recipe.

    Raises:
        RecipeError: If a key does not exist, a value is not valid, or the seed is among them.
    """
    if SEED_KEY in settings:
        raise RecipeError(
            "seeds are not settings of a variant", field=SEED_KEY, hint="Give them as seeds"
        )
    return Variant(name, dict(settings), override(recipe, settings))


def combinations(grid: Mapping[str, Iterable[Any]]) -> dict[str, dict[str, Any]]:
    """Every combination of the values of some settings, by a name made of them."""
    keys = list(grid)
    short = [key.rpartition(".")[2] for key in keys]
    labels = [
        name if short.count(name) == 1 else key for key, name in zip(keys, short, strict=True)
    ]
    return {
        ", ".join(
            f"{label}={_value_text(value)}" for label, value in zip(labels, values, strict=True)
        ): dict(zip(keys, values, strict=True))
        for values in itertools.product(*grid.values())
    }


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
