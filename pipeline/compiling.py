"""The pipeline as files for a cluster, the same bytes for the same arguments, profile and code."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions

from frhead_core.errors import InputError
from frhead_core.files import write_atomically
from pipeline.arguments import PipelineArguments
from pipeline.dag import NAME, build_pipeline
from pipeline.launcher_config import launcher_config
from pipeline.profile import Profile

_VERSION_LENGTH = 16


def compile_pipeline(arguments: PipelineArguments, profile: Profile | None, output: Path) -> None:
    """Write the pipeline with the arguments of a benchmark as defaults, atomically.

    Args:
        arguments: The defaults.
        profile: The cluster that it is for; None leaves all to the cluster's own defaults.
        output: A YAML file.

    Raises:
        InputError: If the file cannot be written, or is not named ``.yaml``.
    """
    _write(output, _compiled(arguments, profile))


def write_kubernetes_manifests(
    arguments: PipelineArguments, profile: Profile, title: str, output: Path
) -> None:
    """Write the pipeline as objects of Kubernetes: a Pipeline, and a PipelineVersion of it.

    A version cannot be changed, so its name has a hash of what is in it.

    Args:
        arguments: The defaults.
        profile: The cluster; the objects are in its namespace.
        title: What the version is of, for people.
        output: A YAML file.

    Raises:
        InputError: If the file cannot be written, or is not named ``.yaml``.
    """
    version = hashlib.sha256(_compiled(arguments, profile)).hexdigest()[:_VERSION_LENGTH]
    options = KubernetesManifestOptions(
        pipeline_name=NAME,
        pipeline_version_name=f"{NAME}-{version}",
        pipeline_version_display_name=f"{title} {version}",
        namespace=profile.kubeflow.namespace,
        include_pipeline_manifest=True,
    )
    form = {"kubernetes_manifest_format": True, "kubernetes_manifest_options": options}
    _write(output, _compiled(arguments, profile, **form))


def write_launcher_config(profile: Profile, output: Path) -> None:
    """Write the ``kfp-launcher`` ConfigMap of a cluster.

    Raises:
        InputError: If the file cannot be written, or is not named ``.yaml``.
    """
    _write(output, yaml.safe_dump(launcher_config(profile), sort_keys=False).encode())


def _compiled(arguments: PipelineArguments, profile: Profile | None, **form: Any) -> bytes:
    pipeline = build_pipeline(arguments, profile=profile)
    with tempfile.TemporaryDirectory(prefix="frhead-") as folder:
        file = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(file), **form)
        return file.read_bytes()


def _write(output: Path, content: bytes) -> None:
    if output.suffix not in (".yaml", ".yml"):
        raise InputError("is no YAML file", file=output, expected="a name in .yaml")
    write_atomically(output, content)
