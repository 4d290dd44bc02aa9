"""Starts a run on a cluster: the compiled pipeline, uploaded once, with a recipe's arguments."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import kfp_server_api as api

from frhead_core.config import MODALITIES, Modality, Recipe
from frhead_core.errors import InputError
from pipeline.arguments import GivenModel, pipeline_arguments
from pipeline.compiling import compile_pipeline
from pipeline.kubeflow_api import KubeflowApi, equals
from pipeline.profile import Profile

EXPERIMENT = "frhead"


@dataclass(frozen=True)
class Job:
    """What to run on a cluster, once or again and again.

    Attributes:
        recipe: The benchmark's settings.
        modalities: Which to train.
        raw: Raw data, as the pods find them: URIs or paths, with commas between.
        champions: Where champions lie; empty to compare with none.
        given: Models that are evaluated instead of training these modalities.
        experiment: KFP's group of runs.
        service_account: Of the pods; empty for the profile's, or the cluster's own choice.
        pipeline_root: Where artifacts go; empty for the cluster's own choice.
        pipeline: A file that ``frhead compile`` wrote; None to compile one now.
        profile: The cluster to compile it for; None leaves all to the cluster's own defaults.
    """

    recipe: Recipe
    modalities: Sequence[Modality]
    raw: str
    champions: str = ""
    given: Mapping[Modality, GivenModel] = field(default_factory=dict)
    experiment: str = EXPERIMENT
    service_account: str = ""
    pipeline_root: str = ""
    pipeline: Path | None = None
    profile: Profile | None = None

    def parameters(self) -> dict[str, Any]:
        """Arguments of the pipeline."""
        arguments = asdict(pipeline_arguments(self.recipe, self.modalities, self.given))
        return arguments | {"raw": self.raw, "champions": self.champions}

    def compiled(self) -> bytes:
        """The compiled pipeline.

        Raises:
            InputError: If the file cannot be read.
        """
        if self.pipeline is None:
            return _compile(self.recipe, self.profile)
        try:
            return self.pipeline.read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", file=self.pipeline) from error

    @property
    def account(self) -> str | None:
        """Service account of the pods; None for the cluster's own choice."""
        of_profile = self.profile.kubeflow.service_account if self.profile else None
        return self.service_account or of_profile

    @property
    def pipeline_name(self) -> str:
        """What the pipeline is called on the cluster."""
        return f"frhead-{self.recipe.name}"


def submit(kubeflow: KubeflowApi, job: Job, name: str) -> str:
    """Start a run.

    Args:
        kubeflow: Where.
        job: What.
        name: For people.

    Returns:
        Its id.

    Raises:
        InputError: If the API cannot be used, or the pipeline file cannot be read.
    """
    run = api.V2beta1Run(
        display_name=name,
        experiment_id=experiment_id(kubeflow, job.experiment),
        pipeline_version_reference=uploaded(kubeflow, job.pipeline_name, job.compiled()),
        runtime_config=runtime_config(job),
        service_account=job.account,
    )
    return str(kubeflow.call(kubeflow.runs.run_service_create_run, run).run_id)


def runtime_config(job: Job) -> Any:
    """The arguments of the pipeline, and where its artifacts go."""
    return api.V2beta1RuntimeConfig(
        parameters=job.parameters(), pipeline_root=job.pipeline_root or None
    )


def experiment_id(kubeflow: KubeflowApi, name: str) -> str:
    """The id of an experiment, which is made if there is none of this name."""
    listed = kubeflow.pages(
        kubeflow.experiments.experiment_service_list_experiments,
        "experiments",
        filter=equals("name", name),
        **kubeflow.namespace,
    )
    found = next((each for each in listed if each.display_name == name), None)
    if found is None:
        made = api.V2beta1Experiment(display_name=name, **kubeflow.namespace)
        found = kubeflow.call(kubeflow.experiments.experiment_service_create_experiment, made)
    return str(found.experiment_id)


def uploaded(kubeflow: KubeflowApi, name: str, content: bytes) -> Any:
    """A version of a pipeline with this content, uploaded only if there is none.

    Versions are named by a hash of what is in them.
    """
    pipeline = _pipeline_id(kubeflow, name)
    version_name = hashlib.sha256(content).hexdigest()[:16]
    listed = kubeflow.pages(
        lambda **page: kubeflow.pipelines.pipeline_service_list_pipeline_versions(pipeline, **page),
        "pipeline_versions",
        filter=equals("name", version_name),
    )
    version = next(
        (each for each in listed if version_name in (each.name, each.display_name)), None
    )
    if version is None:
        version = _upload(kubeflow, pipeline, version_name, content)
    return api.V2beta1PipelineVersionReference(
        pipeline_id=pipeline, pipeline_version_id=version.pipeline_version_id
    )


def _pipeline_id(kubeflow: KubeflowApi, name: str) -> str:
    listed = kubeflow.pages(
        kubeflow.pipelines.pipeline_service_list_pipelines,
        "pipelines",
        filter=equals("name", name),
        **kubeflow.namespace,
    )
    found = next((each for each in listed if name in (each.name, each.display_name)), None)
    if found is None:
        made = api.V2beta1Pipeline(name=name, display_name=name, **kubeflow.namespace)
        found = kubeflow.call(kubeflow.pipelines.pipeline_service_create_pipeline, made)
    return str(found.pipeline_id)


def _upload(kubeflow: KubeflowApi, pipeline: str, name: str, content: bytes) -> Any:
    with tempfile.TemporaryDirectory(prefix="frhead-submit-") as folder:
        file = Path(folder) / "pipeline.yaml"
        file.write_bytes(content)
        return kubeflow.call(
            kubeflow.uploads.upload_pipeline_version,
            str(file),
            name=name,
            display_name=name,
            pipelineid=pipeline,
        )


def _compile(recipe: Recipe, profile: Profile | None) -> bytes:
    with tempfile.TemporaryDirectory(prefix="frhead-submit-") as folder:
        file = Path(folder) / "pipeline.yaml"
        compile_pipeline(pipeline_arguments(recipe, MODALITIES), profile, file)
        return file.read_bytes()
