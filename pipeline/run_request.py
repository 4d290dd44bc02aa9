# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""What ``frhead run`` is asked for: put together and checked, for the command and the console."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pipeline import options

if TYPE_CHECKING:
    from frhead_core.config import Modality, Recipe
    from frhead_core.data.raw_files import Place


@dataclass(frozen=True)
class RunRequest:
    """One run, or with seeds one for each of them.

    Attributes:
        recipe: The benchmark's settings with what the options change.
        modalities: Which to run, in the usual order.
        weights: Places of models that are evaluated instead of trained.
        champions: Where champions lie; empty to compare with none.
        seeds: To train with each of them; None for that of the recipe.
        name: Of the run; empty for date, time and benchmark.
        how: Fields of a :class:`~pipeline.local_run.LocalRun` beside these.
    """

    recipe: Recipe
    modalities: Sequence[Modality]
    weights: Mapping[Modality, str]
    champions: str
    seeds: tuple[int, ...] | None
    name: str
    how: Mapping[str, Any]


def run_request(
    benchmark: str,
    seeds: tuple[int, ...] | None,
    modalities: str | None,
    weights: Iterable[tuple[str, str]],
    champions: str,
    name: str,
    **given: Any,
) -> RunRequest:
    """The request that the values of the command's options make.

    Raises:
        FRHeadError: If the benchmark, a setting or a modality is not valid.
        click.UsageError: If options do not go together.
    """
    how, changes = options.apart(given)
    places = options.by_modality(weights)
    if seeds is not None:
        _refuse_beside_seeds(changes["seed"], places, champions, name)
    recipe = options.chosen_recipe(benchmark, **changes)
    chosen = options.chosen_modalities(modalities or ",".join(places) or None)
    options.check_shares(recipe, how["processes"])
    return RunRequest(recipe, chosen, places, champions, seeds, name, how)


def _refuse_beside_seeds(
    seed: int | None, places: Mapping[Modality, str], champions: str, name: str
) -> None:
    reasons = {
        "--seed": (seed is not None, ""),
        "--weights": (bool(places), ": given models have no other"),
        "--champions": (bool(champions), ": a champion is of one run"),
        "--name": (bool(name), ": each seed has a run of its own"),
    }
    for option, (given, reason) in reasons.items():
        if given:
            raise click.UsageError(f"give --seeds or {option}, not both{reason}")


def check_raw(recipe: Recipe, raw: Place) -> None:
    """Open raw data as the steps will, and refuse what these would refuse at once.

    Raises:
        InputError: If they cannot be opened, hold no file of the dataset, or lack recordings that
            the benchmark lists.
    """
    from components.object_storage.ranged_file import opened_archive
    from frhead_core.data.raw_files import open_raw_files
    from frhead_core.data.registry import find_dataset
    from frhead_core.data.sources import open_source
    from frhead_core.skeletons import skeleton

    suffix = find_dataset(recipe.dataset).suffix
    with open_raw_files(raw, suffix, opened_archive) as files:
        open_source(recipe.dataset, files, raw, recipe.preparation, skeleton(recipe.skeleton))
