"""Builds the images, named by what goes into them.

``python images/build.py data trainer`` prints a name for each. The engine gets exactly the files
that the name is a hash of, so equal names are equal contents; see ``pipeline/step_images.py``. It
takes Python 3.11 and docker with BuildKit, and no installed package.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.step_images import (  # noqa: E402 - found once the checkout is on the path
    ALL_IMAGES,
    REPOSITORY,
    Image,
    content_files,
    image_name,
)


def build_context(files: Iterable[Path], root: Path) -> bytes:
    """The files as a tar archive, without owners and times."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in files:
            content = (root / path).read_bytes()
            entry = tarfile.TarInfo(path.as_posix())
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def build_command(
    image: Image, name: str, arguments: Mapping[str, str], options: argparse.Namespace
) -> list[str]:
    """The docker command line that builds the image from an archive on its standard input."""
    command = [options.docker, "build", "--file", image.dockerfile, "--tag", name]
    for key, value in sorted(arguments.items()):
        command += ["--build-arg", f"{key}={value}"]
    if options.ca_bundle:
        command += ["--secret", f"id=ca_bundle,src={options.ca_bundle}"]
    if options.pip_configuration:
        command += ["--secret", f"id=pip_conf,src={options.pip_configuration}"]
    if options.network:
        command += ["--network", options.network]
    return [*command, "-"]


def build_arguments(image: Image, options: argparse.Namespace) -> dict[str, str]:
    """What decides the content of the image, where it is not the Dockerfile's default."""
    given = {
        "BASE_IMAGE": options.base_image,
        "TORCH_VERSION": options.torch_version,
        "TORCH_INDEX": options.torch_index,
    }
    return {name: given[name] for name in image.arguments if given[name]}


def exists(name: str, docker: str) -> bool:
    """Whether the engine has an image of that name."""
    inspected = subprocess.run([docker, "image", "inspect", name], capture_output=True, check=False)
    return inspected.returncode == 0


def source_revision() -> str:
    """The commit, with ``-modified`` after it where files differ from it; else ``unknown``."""
    described = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=-modified"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return described.stdout.strip() or "unknown"


def build(image: Image, options: argparse.Namespace) -> str:
    """Build an image unless the engine has it.

    Returns:
        Its name.

    Raises:
        subprocess.CalledProcessError: If it cannot be built.
    """
    arguments = build_arguments(image, options)
    name = image_name(image, ROOT, options.repository, arguments)
    if not options.name_only and not exists(name, options.docker):
        told = arguments | {"SOURCE_REVISION": source_revision()}
        subprocess.run(
            build_command(image, name, told, options),
            input=build_context(content_files(image, ROOT), ROOT),
            env={**os.environ, "DOCKER_BUILDKIT": "1"},  # build secrets need it
            stdout=sys.stderr,
            check=True,
        )
    return name


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Build images and print their names.",
        epilog="Example: python images/build.py data trainer",
    )
    parser.add_argument("images", nargs="+", choices=sorted(ALL_IMAGES), metavar="IMAGE",
                        help=" or ".join(sorted(ALL_IMAGES)))  # fmt: skip
    parser.add_argument("--repository", default=REPOSITORY, help="prefix of the names")
    parser.add_argument("--base-image", default="", help="in place of python:3.11-slim")
    parser.add_argument("--torch-version", default="", help="in place of that of constraints.txt")
    parser.add_argument("--torch-index", default="", help="extra package index for torch")
    parser.add_argument("--pip-configuration", type=Path, help="pip.conf of the build; not kept")
    parser.add_argument("--ca-bundle", type=Path, help="certificates for pip; not kept")
    parser.add_argument("--network", help="network of the build, for example host")
    parser.add_argument("--docker", default="docker", help="the docker command")
    parser.add_argument("--name-only", action="store_true", help="print the names, build nothing")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the images that the engine does not have yet; print their names."""
    options = parser().parse_args(arguments)
    try:
        for name in options.images:
            print(build(ALL_IMAGES[name], options), flush=True)
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    except FileNotFoundError as error:
        print(f"error: {error.filename} is not there; --docker names the command", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
