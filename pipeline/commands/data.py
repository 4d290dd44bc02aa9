# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead data``: files and folders to and from object storage."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import options


@click.group("data")
def command() -> None:
    """Files and folders to and from object storage.

    docs/object-storage.md says where the server and the credentials are taken from.

    Example: frhead data push results s3://experiments/results
    """


_path = click.argument("path", type=options.PATH)
_uri = click.argument("uri")


@command.command("push")
@_path
@_uri
def push(path: Path, uri: str) -> None:
    """Send the file or folder PATH to URI; what is there already is not sent again.

    A file goes below a URI that ends with a slash, under its own name.

    Example: frhead data push results s3://experiments/results
    """
    from components.object_storage import directories
    from components.object_storage.client import ObjectStore
    from components.object_storage.location import Location
    from frhead_core.progress import terminal_reporter

    location = Location.parse(uri)
    if path.is_file() and (uri.endswith("/") or not location.key):
        location = location / path.name
    sent = directories.push(path, location, ObjectStore(), terminal_reporter())
    click.echo(f"{location}: {_total([facts.size for facts in sent])}")


@command.command("pull")
@_uri
@_path
def pull(uri: str, path: Path) -> None:
    """Fetch the object URI, or all objects below it, to PATH; what is there already is kept.

    Example: frhead data pull s3://experiments/results results
    """
    from components.object_storage import directories
    from components.object_storage.client import ObjectStore
    from components.object_storage.location import Location
    from frhead_core.progress import terminal_reporter

    fetched = directories.pull(Location.parse(uri), path, ObjectStore(), terminal_reporter())
    click.echo(f"{path}: {_total([facts.size for facts in fetched])}")


@command.command("list")
@_uri
def list_objects(uri: str) -> None:
    """List the objects below URI: bytes, date, and name.

    Example: frhead data list s3://experiments/results
    """
    from components.object_storage.client import ObjectStore
    from components.object_storage.directories import objects_of
    from components.object_storage.location import Location

    stored = objects_of(Location.parse(uri), ObjectStore())
    for name, facts in stored.items():
        date = facts.modified.strftime("%Y-%m-%d %H:%M:%S %Z")
        click.echo(f"{facts.size:>15,}  {date}  {name or facts.location.name}")
    click.echo(f"total: {_total([facts.size for facts in stored.values()])}")


@command.command("verify")
@_uri
@click.argument("path", type=options.PATH, required=False)
def verify(uri: str, path: Path | None) -> int:
    """Read what is stored at URI; compare it with its recorded SHA-256 and, if given, with PATH.

    Ends with exit code 1, and a line for each difference, if there are any.

    Example: frhead data verify s3://experiments/results results
    """
    from components.object_storage import directories
    from components.object_storage.client import ObjectStore
    from components.object_storage.location import Location
    from frhead_core.progress import terminal_reporter

    found = directories.verify(Location.parse(uri), path, ObjectStore(), terminal_reporter())
    for line in found.differences:
        click.echo(line)
    for name in found.unrecorded:
        click.echo(f"{name}: has no recorded SHA-256")
    click.echo(f"{found.objects} objects read, {len(found.differences)} differences")
    return 1 if found.differences else 0


def _total(sizes: list[int]) -> str:
    return f"{len(sizes)} files, {sum(sizes):,} bytes"
