"""The images that steps run in, and that of the console, each named by what goes into it.

A step image's name is part of the cache key of its steps. So it holds, and its tag is made of, no
more than its steps use: their source, the exact versions of packages, and how it is built. A change
to documentation, to the command line or to a step of the other image leaves the name as it is.

Only the standard library is needed, so that ``images/build.py`` runs without an installation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.code_version import package_root, source_files

REPOSITORY = "frhead-pipeline"
_SHARED = ("LICENSE", "constraints.txt", "images/requirements.py", "pyproject.toml")
_TAG_LENGTH = 16
_LEFT_OUT = (".md", ".pyc")  # by .dockerignore too


@dataclass(frozen=True)
class Image:
    """One of the images.

    Attributes:
        name: What it is called.
        dockerfile: How it is built, in a checkout.
        steps: The steps that run in it.
        arguments: Build arguments that decide what it holds.
        packages: Of the project, which it holds whole.
    """

    name: str
    dockerfile: str
    steps: tuple[str, ...]
    arguments: tuple[str, ...]
    packages: tuple[str, ...] = ()


IMAGES = {
    image.name: image
    for image in (
        Image(
            "data",
            "images/Dockerfile",
            (
                "fingerprint_data",
                "extract_raw_skeletons",
                "denoise_skeletons",
                "transform_sequences",
            ),
            ("BASE_IMAGE",),
        ),
        Image(
            "trainer",
            "Dockerfile.gpu",
            ("train_modality", "evaluate_modality", "ensemble_modalities", "promote_model"),
            ("BASE_IMAGE", "TORCH_VERSION", "TORCH_INDEX"),
        ),
    )
}
"""Those of the steps."""

CONSOLE = Image(
    "console",
    "images/console.Dockerfile",
    (),
    ("BASE_IMAGE",),
    ("components", "frhead_core", "pipeline"),
)
ALL_IMAGES = IMAGES | {CONSOLE.name: CONSOLE}


def is_checkout(root: Path) -> bool:
    """Whether there is what images are built from."""
    return all((root / image.dockerfile).is_file() for image in IMAGES.values())


def content_files(image: Image, root: Path) -> Iterator[Path]:
    """Files that decide what the image holds, relative to ``root``, in a fixed order."""
    sources = set().union(
        *(source_files(f"components.{step}.component", root) for step in image.steps),
        *(_files_of(root / package) for package in image.packages),
    )
    others = {root / name for name in (*_SHARED, image.dockerfile)}
    yield from sorted(path.relative_to(root) for path in sources | others)


def _files_of(folder: Path) -> set[Path]:
    """Everything in a package that an installation has, but texts for people."""
    return {
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in _LEFT_OUT and "__pycache__" not in path.parts
    }


def content_tag(image: Image, arguments: Mapping[str, str], root: Path) -> str:
    """Hash of names and contents of the files, and of the build arguments that are not empty."""
    digest = hashlib.sha256()
    for path in content_files(image, root):
        content = hashlib.sha256((root / path).read_bytes()).hexdigest()
        digest.update(f"{path.as_posix()} {content}\n".encode())
    for name in image.arguments:
        if arguments.get(name):
            digest.update(f"{name}={arguments[name]}\n".encode())
    return digest.hexdigest()[:_TAG_LENGTH]


def image_name(
    image: Image,
    root: Path | None = None,
    repository: str = REPOSITORY,
    arguments: Mapping[str, str] | None = None,
) -> str:
    """Name of the image that is built from the sources as they are now."""
    tag = content_tag(image, arguments or {}, root or package_root())
    return f"{repository}/{image.name}:{tag}"


def rename_images(pipeline: Any, names: Mapping[str, str]) -> None:
    """Let the steps of a compiled pipeline run in other images than their components say.

    Args:
        pipeline: A pipeline of kfp.
        names: The image to take, by the one that is named now.
    """
    for executor in pipeline.pipeline_spec.deployment_spec["executors"].values():
        container = executor["container"]
        container["image"] = names.get(container["image"], container["image"])
