# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead predict``: recordings in, the most probable actions out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline import options

if TYPE_CHECKING:
    from frhead_core.config import Modality
    from frhead_core.inference.predictor import Guess, Predictor

Pairs = Iterable[tuple[str, str]]


@click.command("predict", cls=options.AssignmentsCommand)
@click.argument("recordings", nargs=-1, type=options.FILE, metavar="[RECORDING]...")
@click.option(
    "--model",
    "models",
    required=True,
    multiple=True,
    type=options.ModelType(),
    help="Model directory, also s3://bucket/key; several, one for each modality, are an ensemble.",
)
@click.option(
    "--weights",
    multiple=True,
    type=options.AssignmentType(),
    help="Weights of the ensemble by modality.  [default: the benchmark's]",
)
@click.option(
    "--top", type=click.IntRange(min=1), default=5, show_default=True, help="How many classes."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each recording.")
@click.option(
    "--watch-directory",
    type=options.FOLDER,
    help="Predict the files of a directory as they come, one line each, until Ctrl-C.",
)
@click.option(
    "--settle",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="A watched file is complete when it has not changed for this many seconds.",
)
@click.option("--only-new", is_flag=True, help="Pass over what is in the directory already.")
@options.threads_option
@options.device_option
def command(
    recordings: Sequence[Path],
    models: Pairs,
    weights: Pairs,
    top: int,
    as_json: bool,
    watch_directory: Path | None,
    settle: float,
    only_new: bool,
    threads: int | None,
    device: str,
) -> None:
    """Say which actions recordings show, with the weights of the last epoch.

    RECORDING is a raw file of the model's dataset (.skeleton, or NW-UCLA's .json), or an array of
    joints (.npy) of shape (T, V, 3) or (M, T, V, 3), frames T, joints V, bodies M, in metres in the
    sensor's coordinates. It is prepared and transformed as in the pipeline at test time.
    Probabilities are the softmax of the logits; of an ensemble, of their weighted sum.

    Example: frhead predict a01_s01_e00_v03.json --model joint=models/joint --model
    bone=models/bone --weights joint=0.6 bone=0.4 --top 3

    Example: frhead predict --watch-directory incoming --model models/joint --json
    """
    if bool(recordings) == (watch_directory is not None):
        raise click.UsageError("give recordings, or --watch-directory")

    from frhead_core.training.device import use_threads

    if threads is not None:
        use_threads(threads)
    predictor = _predictor(models, options.weights_by_modality(weights), device)
    click.echo(predictor.text, err=True)
    if watch_directory is not None:
        _watch(predictor, watch_directory, settle, only_new, top, as_json)
        return
    for recording in recordings:
        guesses = predictor.predict(recording).top(top)
        click.echo(_json(recording, guesses) if as_json else _table(recording, guesses))


def _predictor(models: Pairs, weights: Mapping[Modality, float], device: str) -> Predictor:
    from frhead_core.errors import InputError
    from frhead_core.inference.predictor import Predictor
    from frhead_core.training.artifact import ModelArtifact
    from pipeline.local_copies import local_copy

    opened = []
    for modality, place in models:
        model = ModelArtifact.open(local_copy(place))
        if modality and model.modality != modality:
            raise InputError(
                "a model of another modality", file=place, found=model.modality, expected=modality
            )
        opened.append(model)
    return Predictor(opened, weights or None, device)


def _watch(
    predictor: Predictor, directory: Path, settle: float, only_new: bool, top: int, as_json: bool
) -> None:
    """One line for each complete file, also for those that cannot be used, until asked to stop."""
    from frhead_core.errors import FRHeadError
    from frhead_core.inference.recording import recording_suffixes
    from frhead_core.inference.watching import complete_files
    from frhead_core.training.interruption import stop_requests

    suffixes = recording_suffixes(predictor.recipe.dataset)
    predicted = failed = 0
    with stop_requests() as request:
        click.echo(f"watching {directory} for {', '.join(suffixes)}; Ctrl-C ends it", err=True)
        for path in complete_files(
            directory,
            suffixes,
            lambda: request.signal is not None,
            settle=settle,
            only_new=only_new,
        ):
            try:
                guesses = predictor.predict(path).top(top)
            except FRHeadError as error:
                failed += 1
                click.echo(_json_error(path, error) if as_json else f"error: {error}")
            else:
                predicted += 1
                click.echo(_json(path, guesses) if as_json else _line(path, guesses))
    click.echo(f"stopped: {predicted} predicted, {failed} could not be used", err=True)


def _json(recording: Path, guesses: Sequence[Guess]) -> str:
    rows = [
        {"class": guess.name, "index": guess.index, "probability": guess.probability}
        for guess in guesses
    ]
    return json.dumps({"recording": str(recording), "predictions": rows})


def _json_error(recording: Path, error: Exception) -> str:
    return json.dumps({"recording": str(recording), "error": str(error)})


def _table(recording: Path, guesses: Sequence[Guess]) -> str:
    width = max(len(guess.name) for guess in guesses)
    rows = (
        f"{place:>3}  {guess.name.ljust(width)}  {100 * guess.probability:6.2f} %"
        for place, guess in enumerate(guesses, start=1)
    )
    return "\n".join([str(recording), *rows])


def _line(recording: Path, guesses: Sequence[Guess]) -> str:
    shares = (f"{guess.name} {100 * guess.probability:.2f} %" for guess in guesses)
    return f"{recording.name}: {', '.join(shares)}"
