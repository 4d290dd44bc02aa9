# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""Arguments and options that several commands share."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from frhead_core.backbones import BACKBONES
from frhead_core.files import has_scheme

if TYPE_CHECKING:
    from frhead_core.config import Modality, Recipe
    from pipeline.arguments import GivenModel

_Command = TypeVar("_Command", bound=Callable[..., Any])


class LocalPath(click.Path):
    """A path of this machine; a URI is refused, where click would make a folder called ``s3:``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if has_scheme(value):
            self.fail(
                f"{value} is not on this machine, and is neither read nor written elsewhere here. "
                "Give a path, and let `frhead data pull` or `frhead data push` do the rest",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


class Place(LocalPath):
    """A path of this machine, or an ``s3://`` URI, which stays a text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from components.object_storage.location import SCHEME, Location

        if not str(value).startswith(SCHEME):
            return super().convert(value, param, ctx)
        return str(Location.parse(str(value)))


FOLDER = LocalPath(file_okay=False, path_type=Path)
FOLDER_OR_URI = Place(file_okay=False, path_type=Path)
FILE = LocalPath(dir_okay=False, path_type=Path)
FILE_OR_URI = Place(dir_okay=False, path_type=Path)
PATH = LocalPath(path_type=Path)
PATH_OR_URI = Place(path_type=Path)

benchmark_argument = click.argument("benchmark")
raw_option = click.option(
    "--raw",
    required=True,
    multiple=True,
    type=PATH_OR_URI,
    callback=lambda context, option, places: _joined(places),
    help="Raw data: the zip as downloaded, also in object storage (s3://bucket/key), or a "
    "directory. May be repeated.",
)
data_option = click.option(
    "--data",
    required=True,
    type=FOLDER_OR_URI,
    help="Sequence store from `frhead prepare`, also s3://bucket/key.",
)
seed_option = click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random.")
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), help="CPU threads.  [default: all cores]"
)
threads_of_each_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="CPU threads of each process.  [default: all cores, divided over the processes]",
)
processes_option = click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many processes train a model together, each with an equal share of every batch; "
    "on GPUs each has its own.",
)
device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True
)
accept_different_threads_option = click.option(
    "--accept-different-threads",
    is_flag=True,
    help="Go on from checkpoints made with another number of threads.",
)
accept_different_processes_option = click.option(
    "--accept-different-processes",
    is_flag=True,
    help="Go on from checkpoints made by another number of processes.",
)


def champions_option(
    *, required: bool, text: str, local: bool = True
) -> Callable[[_Command], _Command]:
    """Where champions lie: a directory, made absolute if it is one of this machine, or a URI."""
    return click.option(
        "--champions",
        required=required,
        default=None if required else "",
        metavar="PLACE",
        callback=lambda context, option, place: _absolute_place(place) if local else place,
        help=text,
    )


def _absolute_place(place: str) -> str:
    return str(Path(place).absolute()) if place and not has_scheme(place) else place


def modalities_option(default: str | None = None) -> Callable[[_Command], _Command]:
    """Which modalities to train; without a default all of them."""
    return click.option(
        "--modalities",
        default=default,
        help="Which to train, with commas: joint,bone,joint_motion,bone_motion.  "
        f"[default: {default or 'all'}]",
    )


name_option = click.option(
    "--name",
    default="",
    callback=lambda context, option, name: _run_name(name),
    help="Name of the run and its folder.  [default: date, time and benchmark]",
)


def _run_name(name: str) -> str:
    from pipeline.run_folder import check_run_name

    if name:
        check_run_name(name)
    return name


_LOCAL_RUN_OPTIONS = (
    raw_option,
    click.option(
        "--parallel-modalities",
        type=click.IntRange(1, 2),
        default=1,
        show_default=True,
        help="How many modalities to train at the same time, sharing the cores.",
    ),
    processes_option,
    threads_of_each_option,
    accept_different_threads_option,
    accept_different_processes_option,
    click.option(
        "--work-directory",
        type=FOLDER,
        default=Path("runs"),
        show_default=True,
        help="For runs, artifacts, cache and checkpoints.",
    ),
    click.option(
        "--checkpoint-root",
        type=FOLDER_OR_URI,
        help="For checkpoints, also s3://bucket/prefix.  [default: checkpoints in the work "
        "directory]",
    ),
    click.option(
        "--pipeline-root",
        default="",
        metavar="s3://BUCKET/PREFIX",
        callback=lambda context, option, place: _pipeline_root(place),
        help="Also keep what the steps make in object storage, and fetch from there what another "
        "machine has made (docs/object-storage.md).",
    ),
    click.option(
        "--output",
        type=FOLDER,
        help="For the results.  [default: in the work directory]",
    ),
    click.option(
        "--engine",
        type=click.Choice(["process", "docker"]),
        default="process",
        show_default=True,
        help="What steps run as: processes, or containers (docs/containers.md).",
    ),
    click.option(
        "--memory",
        callback=lambda context, option, text: _bytes(text),
        help="The most that a container may use, in Kubernetes' units: 8Gi is 8 * 2^30 bytes, 8G "
        "is 8 * 10^9.  [default: the profile's limit, or all there is]",
    ),
    click.option(
        "--profile",
        type=FILE,
        help="Cluster profile whose limits of memory, cores and shared memory hold for containers "
        "as well (docs/cluster.md).",
    ),
    click.option(
        "--image",
        "images",
        multiple=True,
        metavar="[data|trainer]=NAME",
        callback=lambda context, option, texts: _image_names(texts),
        help="Run in another image than that of these sources. May be repeated.",
    ),
)


def local_run_options(command: _Command) -> _Command:
    """The options of everything that runs the pipeline here, named as the fields of a LocalRun."""
    for option in reversed(_LOCAL_RUN_OPTIONS):
        command = option(command)
    return command


_set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any setting of the recipe, for example training.batch_size=32. May be repeated.",
)

_RECIPE_OPTIONS = (
    click.option(
        "--recipe",
        default="reference",
        show_default=True,
        help="Which recipe of the benchmark: reference, as published, or fast where there is one.",
    ),
    click.option("--epochs", type=click.IntRange(min=1), help="Epochs to train."),
    seed_option,
    click.option("--precision", help="float32 or bfloat16."),
    click.option("--backbone", help=f"One of {', '.join(BACKBONES)}."),
    click.option(
        "--hold-out-validation",
        is_flag=True,
        help="Train without the recipe's validation part and choose the best epoch on it.",
    ),
    _set_option,
)


def recipe_options(command: _Command) -> _Command:
    """The benchmark argument, and the options that change its recipe."""
    for option in reversed(_RECIPE_OPTIONS):
        command = option(command)
    return benchmark_argument(command)


SETTINGS = {
    "epochs": "training.epochs",
    "seed": "training.seed",
    "precision": "training.precision",
    "backbone": "model.backbone",
    "hold_out_validation": "training.hold_out_validation",
}
"""The settings of a recipe that have options of their own."""


def preparation_options(command: _Command) -> _Command:
    """The benchmark argument and ``--set``; the other options are about training."""
    return benchmark_argument(_set_option(command))


def chosen_recipe(
    benchmark: str,
    *,
    recipe: str = "reference",
    epochs: int | None = None,
    seed: int | None = None,
    precision: str | None = None,
    backbone: str | None = None,
    hold_out_validation: bool = False,
    settings: Iterable[str] = (),
) -> Recipe:
    """The benchmark's recipe with what the options change; ``--set`` comes last.

    Raises:
        RecipeError: If the benchmark or a setting is not valid.
    """
    from frhead_core.config import load_recipe, override
    from frhead_core.recipe_variants import as_variant

    changes = {
        "epochs": epochs,
        "seed": seed,
        "precision": precision,
        "backbone": backbone,
        "hold_out_validation": hold_out_validation or None,
    }
    given = {SETTINGS[name]: value for name, value in changes.items() if value is not None}
    return override(as_variant(load_recipe(benchmark), recipe), given, settings)


def apart(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of :func:`local_run_options` and those of :func:`recipe_options`, apart."""
    changes = inspect.signature(chosen_recipe).parameters
    return (
        {name: value for name, value in given.items() if name not in changes},
        {name: value for name, value in given.items() if name in changes},
    )


def check_shares(recipe: Recipe, processes: int) -> None:
    """Refuse early what every training process would refuse.

    Raises:
        RecipeError: If a batch of the recipe cannot be divided equally over so many processes.
    """
    if processes > 1:
        from frhead_core.training.distributed import Processes

        Processes(count=processes).share_of_batch(recipe.training.batch_size)


def chosen_modalities(text: str | None) -> list[Modality]:
    """Modalities given with commas between them, each once and in the usual order; None is all.

    Raises:
        RecipeError: If one of them does not exist.
    """
    from frhead_core.config import MODALITIES, check_modality

    if text is None:
        return list(MODALITIES)
    given = {check_modality(name.strip()) for name in text.split(",")}
    return [modality for modality in MODALITIES if modality in given]


def _joined(places: Sequence[Path | str]) -> Path | str:
    from pipeline.raw_data import joined

    return joined(places)


def _pipeline_root(place: str) -> str:
    from components.object_storage.location import Location

    return str(Location.parse(place)) if place else ""


def _bytes(text: str | None) -> int | None:
    """A size as Kubernetes writes it, or bytes; one in another way is told what it may mean."""
    from pipeline.quantities import bytes_of

    if text is None:
        return None
    if text.isdecimal() and int(text):
        return int(text)
    try:
        return int(bytes_of(text))
    except ValueError as error:
        meant = re.fullmatch(r"([0-9.]+) *([kmgtp])i?b?", text.strip().lower())
        hint = f"; {meant[1]}{meant[2].upper()}i, perhaps?" if meant else ""
        raise click.BadParameter(f"{error}{hint}") from None


def _image_names(texts: Sequence[str]) -> dict[str, str]:
    from pipeline.step_images import IMAGES

    names = {}
    for text in texts:
        kind, _, name = text.partition("=")
        if kind not in IMAGES or not name:
            raise click.BadParameter(f"{text!r} is not one of {'=NAME, '.join(IMAGES)}=NAME")
        names[kind] = name
    return names


class NumbersType(click.ParamType[tuple[int, ...]]):
    """Numbers and ranges with commas between: ``1,2,18-20``."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        numbers: list[int] = []
        for part in str(value).split(","):
            first, _, last = part.partition("-")
            try:
                numbers += range(int(first), int(last or first) + 1)
            except ValueError:
                self.fail(f"{value!r} is not like 1,2,18-20", param, ctx)
        return tuple(numbers)


NUMBERS = NumbersType()

seeds_option = click.option(
    "--seeds",
    type=NUMBERS,
    help="Train with each of these seeds, for example 1,2,3 or 1-5, and report mean, deviation "
    "and tests.",
)


class AssignmentsCommand(click.Command):
    """A command whose options of type KEY=VALUE take several values: ``--scores a=1 b=2``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        names = {
            name
            for parameter in self.params
            if isinstance(parameter.type, AssignmentType)
            for name in parameter.opts
        }
        return super().parse_args(ctx, _repeated(args, names))


def _repeated(args: Sequence[str], names: set[str]) -> list[str]:
    """``--scores a=1 b=2`` as ``--scores a=1 --scores b=2``, which is what click understands."""
    result: list[str] = []
    option: str | None = None
    for argument in args:
        if argument.startswith("-"):
            option = argument if argument in names else None
        elif option is not None and result[-1] != option:
            if "=" in argument:
                result.append(option)
            else:
                option = None
        result.append(argument)
    return result


class AssignmentType(click.ParamType[tuple[str, str]]):
    """``modality=value``, as a pair."""

    name = "modality=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        key, equals, text = str(value).partition("=")
        if not equals or not text:
            self.fail(f"{value!r} is not of the form modality=value", param, ctx)
        return key, text


given_models_option = click.option(
    "--weights",
    multiple=True,
    type=AssignmentType(),
    help="Models by modality, as directories or s3://bucket/prefix, to evaluate instead of "
    "training. Without --modalities only these are run.",
)


def given_models(
    places: Mapping[Modality, str],
    recipe: Recipe,
    modalities: Sequence[Modality],
    *,
    on_cluster: bool = False,
) -> Mapping[Modality, GivenModel]:
    """The models of :data:`given_models_option`, checked; those for a cluster are no folders.

    Raises:
        InputError: If one cannot be read, or does not fit.
    """
    if not places:
        return {}
    from frhead_core.progress import terminal_reporter
    from pipeline import given_models

    if on_cluster:
        given_models.refuse_folders(places)
    return given_models.given_models(places, recipe, modalities, terminal_reporter())


class ModelType(AssignmentType):
    """A model directory, with ``modality=`` before it or without."""

    name = "[modality=]directory"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        from frhead_core.config import MODALITIES

        key, _, place = str(value).partition("=")
        return (key, place) if key in MODALITIES and place else ("", str(value))


def weights_by_modality(pairs: Iterable[tuple[str, str]]) -> dict[Modality, float]:
    """Assignments of numbers.

    Raises:
        FRHeadError: If a modality does not exist or is given twice.
        click.BadParameter: If something is no number.
    """
    return {name: _number(text) for name, text in by_modality(pairs).items()}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number", param_hint="--weights") from None


def by_modality(pairs: Iterable[tuple[str, str]]) -> Mapping[Modality, str]:
    """Assignments as a mapping, in the usual order of the modalities.

    Raises:
        RecipeError: If a modality does not exist.
        InputError: If one is given twice.
    """
    from frhead_core.config import MODALITIES, check_modality
    from frhead_core.errors import InputError

    given: dict[Modality, str] = {}
    for key, text in pairs:
        modality = check_modality(key)
        if modality in given:
            raise InputError("given twice", field=modality, found=f"{given[modality]} and {text}")
        given[modality] = text
    return {modality: given[modality] for modality in MODALITIES if modality in given}
