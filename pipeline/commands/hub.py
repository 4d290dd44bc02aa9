# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead hub``: models to and from the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import options


@click.group("hub")
def command() -> None:
    """Upload models to the Hugging Face Hub, and download them. Needs the extra "hub".

    A token is taken from the environment variable HF_TOKEN, and from nowhere else.

    Example: frhead hub download someone/frhead-nw-ucla-joint --output models/joint
    """


@command.command("upload")
@click.argument("model", type=options.FOLDER)
@click.argument("repository")
@click.option("--public", is_flag=True, help="Let everybody see a repository that is made.")
@click.option(
    "--license",
    "licence",
    help="The Hub's name of a licence, for the model card, for example cc-by-nc-4.0.  "
    "[default: as in the card: the terms of the training data]",
)
def upload(model: Path, repository: str, public: bool, licence: str | None) -> None:
    """Upload a model directory to REPOSITORY, OWNER/NAME, which is made if there is none.

    The repository is private unless --public is given, and holds this model alone afterwards.

    Example: frhead hub upload models/joint someone/frhead-nw-ucla-joint
    """
    from pipeline.hub import upload_model

    address = upload_model(model, repository, public=public, licence=licence)
    click.echo(f"uploaded: {address}")


@command.command("download")
@click.argument("repository")
@click.option("--output", required=True, type=options.FOLDER, help="For the model.")
@click.option("--revision", help="Branch, tag or commit.  [default: the newest]")
def download(repository: str, output: Path, revision: str | None) -> None:
    """Download a model from REPOSITORY, OWNER/NAME, and open it before it gets its place.

    A repository that holds pickles, or what may be one, is refused.

    Example: frhead hub download someone/frhead-nw-ucla-joint --output models/joint
    """
    from pipeline.hub import download_model

    model = download_model(repository, output, revision=revision)
    click.echo(f"{model.recipe.name}, {model.modality}: {output}")
