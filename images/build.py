"""Builds the step images and names them by what goes into them.

``python images/build.py data`` prints the image's name. The tag is a hash of the Dockerfile, the
sources, the exact versions and the build arguments: equal inputs have one name, so the cache of a
cluster, whose keys hold the image, sees a new one exactly when something in it has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILES = {"data": Path("images/Dockerfile"), "trainer": Path("Dockerfile.gpu")}
FILES = ("constraints.txt", "pyproject.toml", "README.md", "LICENSE", ".dockerignore")
FOLDERS = ("frhead_core", "components", "pipeline")
TAG_LENGTH = 16


def content_files(image: str, root: Path = ROOT) -> Iterator[Path]:
    """Files that decide what the image holds, relative to ``root``, in a fixed order."""
    yield DOCKERFILES[image]
    yield from (Path(name) for name in FILES)
    for folder in FOLDERS:
        found = (path.relative_to(root) for path in (root / folder).rglob("*") if path.is_file())
        yield from sorted(path for path in found if "__pycache__" not in path.parts)


def content_tag(image: str, arguments: Mapping[str, str], root: Path = ROOT) -> str:
    """Hash of names and contents of the files and of the build arguments."""
    digest = hashlib.sha256()
    for path in content_files(image, root):
        content = hashlib.sha256((root / path).read_bytes()).hexdigest()
        digest.update(f"{path.as_posix()} {content}\n".encode())
    for name, value in sorted(arguments.items()):
        digest.update(f"{name}={value}\n".encode())
    return digest.hexdigest()[:TAG_LENGTH]


def build_command(
    image: str, name: str, arguments: Mapping[str, str], options: argparse.Namespace
) -> list[str]:
    """The docker command line that builds the image."""
    command = ["docker", "build", "--file", str(DOCKERFILES[image]), "--tag", name]
    for key, value in sorted(arguments.items()):
        command += ["--build-arg", f"{key}={value}"]
    if options.ca_bundle:
        command += ["--secret", f"id=ca_bundle,src={options.ca_bundle}"]
    if options.pip_configuration:
        command += ["--secret", f"id=pip_conf,src={options.pip_configuration}"]
    if options.network:
        command += ["--network", options.network]
    return [*command, "."]


def exists(name: str) -> bool:
    """Whether the local engine has an image of that name."""
    inspected = subprocess.run(
        ["docker", "image", "inspect", name], capture_output=True, check=False
    )
    return inspected.returncode == 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build a step image and print its name.")
    parser.add_argument("image", choices=sorted(DOCKERFILES))
    parser.add_argument("--repository", default="frhead-pipeline", help="prefix of the name")
    parser.add_argument("--base-image", default="python:3.11-slim")
    parser.add_argument("--torch-version", default="2.13.0")
    parser.add_argument("--torch-index", default="", help="extra package index for torch")
    parser.add_argument("--pip-configuration", type=Path, help="pip.conf of the build; not kept")
    parser.add_argument("--ca-bundle", type=Path, help="certificates for pip; not kept")
    parser.add_argument("--network", help="network of the build, for example host")
    parser.add_argument("--name-only", action="store_true", help="print the name, build nothing")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the image unless the engine has it; print its name."""
    options = parser().parse_args(arguments)
    build_arguments = {
        "BASE_IMAGE": options.base_image,
        "TORCH_VERSION": options.torch_version,
        "TORCH_INDEX": options.torch_index,
    }
    tag = content_tag(options.image, build_arguments)
    name = f"{options.repository}/{options.image}:{tag}"
    if not options.name_only and not exists(name):
        command = build_command(options.image, name, build_arguments, options)
        environment = {**os.environ, "DOCKER_BUILDKIT": "1"}  # build secrets need it
        built = subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=False)
        if built.returncode:
            return built.returncode
    print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
