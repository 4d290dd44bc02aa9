"""Cluster profiles: where the steps run, with what, and under whose name, from one YAML file.

A profile says nothing of the science: with another one the same pipeline gives the same results.
It holds no secret, only the names of secrets. ``pipeline/profile_destinations.py`` says where each
field ends up, ``docs/cluster.md`` the same for readers.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from frhead_core.config import NotNegative, Positive, Switch
from frhead_core.settings_files import MisplacedError, Place, read_checked
from pipeline.cluster_names import (
    Address,
    CheckpointPlace,
    Cores,
    DataKey,
    Duration,
    Image,
    LabelKey,
    LabelValue,
    Namespace,
    ObjectName,
    Size,
    StorageAddress,
    StoragePlace,
    Variable,
)
from pipeline.quantities import bytes_of, cores_of

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class SecretKeys:
    """The secret with the credentials of the object store: its name, and the keys of both parts."""

    name: ObjectName = "frhead-object-store"
    access_key: DataKey = "accesskey"
    secret_key: DataKey = "secretkey"


@dataclass(frozen=True, config=_STRICT)
class Storage:
    """The object store.

    Attributes:
        endpoint: Where it answers, as seen from the cluster.
        pipeline_root: Where artifacts go.
        checkpoint_root: Where training keeps its checkpoints and, if it is a folder, preparation
            its progress.
        checkpoint_claim: Volume claim that is mounted there, if that is a folder.
        region: Its region.
        path_style: Whether the bucket is a part of the path and not of the host name.
        secret: Its credentials.
    """

    endpoint: StorageAddress
    pipeline_root: StoragePlace
    checkpoint_root: CheckpointPlace
    checkpoint_claim: ObjectName | None = None
    region: LabelKey = "us-east-1"
    path_style: Switch = True
    secret: SecretKeys = SecretKeys()

    def __post_init__(self) -> None:
        if self.checkpoint_root.startswith("/") and self.checkpoint_claim is None:
            raise MisplacedError(
                "a folder in a pod ends with it: name a volume for it, checkpoint_claim",
                "checkpoint_root",
            )
        if self.checkpoint_claim is not None and not self.checkpoint_root.startswith("/"):
            raise MisplacedError("checkpoint_root is no folder to mount it at", "checkpoint_claim")


@dataclass(frozen=True, config=_STRICT)
class Login:
    """Where the token for the KFP API is: in a file, or in a variable of the environment."""

    token_file: Path | None = None
    token_variable: Variable | None = None

    def __post_init__(self) -> None:
        if (self.token_file is None) == (self.token_variable is None):
            raise ValueError("has either token_file or token_variable")


@dataclass(frozen=True, config=_STRICT)
class Kubeflow:
    """The KFP API, and as whom a run is started there.

    Attributes:
        endpoint: Where the API answers.
        namespace: Where the pods of a run are, and with ``multi_user`` the runs themselves.
        multi_user: Whether runs belong to namespaces; standalone KFP knows only its own.
        service_account: The account of the pods.
        login: The token, if one is asked for.
        ca_certificate: File with the certificates that the endpoint's is checked against.
    """

    endpoint: Address
    namespace: Namespace
    multi_user: Switch = False
    service_account: ObjectName = "frhead-runner"
    login: Login | None = None
    ca_certificate: Path | None = None


@dataclass(frozen=True, config=_STRICT)
class Images:
    """The images of the steps; see ``images/build.py`` for their names.

    Attributes:
        data: Of the steps that prepare the data.
        trainer: Of the others: training, evaluation, report and promotion.
        pull_policy: When a node fetches them.
        pull_secrets: Secrets with the login to their registry.
    """

    data: Image
    trainer: Image
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    pull_secrets: tuple[ObjectName, ...] = ()


@dataclass(frozen=True, config=_STRICT)
class Amounts:
    """Cores ("4", "500m") and memory ("16Gi") of a pod."""

    cpu: Cores
    memory: Size


@dataclass(frozen=True, config=_STRICT)
class Toleration:
    """A taint that the pods of a step accept, as in Kubernetes."""

    key: LabelKey
    operator: Literal["Equal", "Exists"] = "Equal"
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None

    def __post_init__(self) -> None:
        if self.operator == "Exists" and self.value:
            raise MisplacedError("an operator Exists has no value", "value")


@dataclass(frozen=True, config=_STRICT)
class Accelerator:
    """GPUs of a pod: their resource name and how many."""

    type: LabelKey = "nvidia.com/gpu"
    count: Positive = 1


@dataclass(frozen=True, config=_STRICT)
class Placement:
    """Where one kind of step runs.

    Attributes:
        limits: What a pod may use.
        requests: What it is promised; the limits without it.
        scratch: Room for the pod's copies of artifacts; training has a whole sequence store.
        node_selector: Labels that its node must have.
        tolerations: Taints of the node that it accepts.
        timeout: After which a pod is ended, for example "90m", "36h" or "2d".
        retries: How often a failed step is tried again.
        queue: Queue of Kueue that admits the pods.
    """

    limits: Amounts
    requests: Amounts | None = None
    scratch: Size = "10Gi"
    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    timeout: Duration = "1d"
    retries: NotNegative = 2
    queue: LabelValue | None = None

    def __post_init__(self) -> None:
        if self.requests is None:
            return
        for name, amount in (("cpu", cores_of), ("memory", bytes_of)):
            request, limit = getattr(self.requests, name), getattr(self.limits, name)
            if amount(request) > amount(limit):
                raise MisplacedError(f"{request} is more than the limit, {limit}", "requests", name)


@dataclass(frozen=True, config=_STRICT)
class Evaluation(Placement):
    """Where trained models are scored; one GPU is enough."""

    gpu: Accelerator | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gpu is not None and self.gpu.count > 1:
            raise MisplacedError("an evaluation uses one GPU", "gpu", "count")


@dataclass(frozen=True, config=_STRICT)
class Training(Placement):
    """Where models are trained.

    Attributes:
        gpu: GPUs of a pod; none trains on its cores.
        processes: How many train a model together; as many as there are GPUs without it.
        threads: CPU threads of each process; without it the limit's cores, divided over them.
        shared_memory: Size of ``/dev/shm``, through which loaders hand on batches. It is part of
            the pod's memory.
        parallel: How many modalities are trained at the same time.
    """

    gpu: Accelerator | None = None
    processes: Positive | None = None
    threads: Positive | None = None
    shared_memory: Size = "1Gi"
    parallel: Positive = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gpu and self.processes not in (None, self.gpu.count):
            raise MisplacedError(f"each of the {self.gpu.count} GPUs has one process", "processes")
        if bytes_of(self.shared_memory) >= bytes_of(self.limits.memory):
            raise MisplacedError(
                "is a part of the pod's memory and not less than its limit", "shared_memory"
            )

    def process_count(self) -> int:
        """How many processes train a model together."""
        return self.processes or (self.gpu.count if self.gpu else 1)


@dataclass(frozen=True, config=_STRICT)
class Steps:
    """Where each kind of step runs.

    Attributes:
        data: Fingerprint, extraction, denoising, transformation.
        training: Training a modality.
        evaluation: Scoring a trained model.
        report: Ensemble, report and promotion.
    """

    data: Placement
    training: Training
    evaluation: Evaluation
    report: Placement


@dataclass(frozen=True, config=_STRICT)
class Profile:
    """A cluster; see the module."""

    kubeflow: Kubeflow
    storage: Storage
    images: Images
    steps: Steps


_PROFILE = TypeAdapter(Profile)


def read_profile(file: Path) -> Profile:
    """The cluster that a file describes, completely checked.

    Raises:
        RecipeError: If the file cannot be read, or a key or a value is not valid; the message
            names the line.
    """
    return read_checked(file, "a cluster profile", _PROFILE, _known_keys)[0]


def _known_keys(place: Place) -> list[str]:
    """The valid keys of a section."""
    names = [part for part in place if not part.isdigit()]
    section = _SECTIONS.get(names[-1]) if names else Profile
    return [] if section is None else [field.name for field in dataclasses.fields(section)]


_SECTIONS: dict[str, Any] = {
    "kubeflow": Kubeflow,
    "login": Login,
    "storage": Storage,
    "secret": SecretKeys,
    "images": Images,
    "steps": Steps,
    "data": Placement,
    "training": Training,
    "evaluation": Evaluation,
    "report": Placement,
    "limits": Amounts,
    "requests": Amounts,
    "tolerations": Toleration,
    "gpu": Accelerator,
}
