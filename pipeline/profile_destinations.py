"""Where each field of a cluster profile ends up. No field has no effect."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType


class Destination(Enum):
    """What takes up a field."""

    IR = "IR"
    """The pipeline's intermediate representation, the first document of the compiled file."""
    PLATFORM = "platform spec"
    """The second document of the compiled file, which only Kubernetes reads."""
    LAUNCHER = "`kfp-launcher`"
    """The ConfigMap of the namespace that tells launcher and steps where the object store is."""
    RUN = "run request"
    """The request that starts a run, and how it is sent. It is in nothing that is compiled, but for
    the namespace of Kubernetes manifests."""


_STEP = {
    "limits.cpu": Destination.IR,
    "limits.memory": Destination.IR,
    "requests.cpu": Destination.IR,
    "requests.memory": Destination.IR,
    "scratch": Destination.PLATFORM,
    "node_selector": Destination.PLATFORM,
    "tolerations": Destination.PLATFORM,
    "timeout": Destination.PLATFORM,
    "retries": Destination.IR,
    "queue": Destination.PLATFORM,
}
_GPU = {"gpu.type": Destination.IR, "gpu.count": Destination.IR}
_TRAINING = {
    **_GPU,
    "processes": Destination.IR,
    "threads": Destination.IR,
    "shared_memory": Destination.PLATFORM,
    "parallel": Destination.IR,
}
_KINDS = {
    "data": _STEP,
    "training": _STEP | _TRAINING,
    "evaluation": _STEP | _GPU,
    "report": _STEP,
}

DESTINATIONS = MappingProxyType(
    {
        "kubeflow.endpoint": Destination.RUN,
        "kubeflow.namespace": Destination.RUN,
        "kubeflow.multi_user": Destination.RUN,
        "kubeflow.service_account": Destination.RUN,
        "kubeflow.login.token_file": Destination.RUN,
        "kubeflow.login.token_variable": Destination.RUN,
        "kubeflow.ca_certificate": Destination.RUN,
        "storage.endpoint": Destination.LAUNCHER,
        "storage.region": Destination.LAUNCHER,
        "storage.path_style": Destination.LAUNCHER,
        "storage.pipeline_root": Destination.IR,
        "storage.checkpoint_root": Destination.IR,
        "storage.checkpoint_claim": Destination.PLATFORM,
        "storage.secret.name": Destination.PLATFORM,
        "storage.secret.access_key": Destination.PLATFORM,
        "storage.secret.secret_key": Destination.PLATFORM,
        "images.data": Destination.IR,
        "images.trainer": Destination.IR,
        "images.pull_policy": Destination.PLATFORM,
        "images.pull_secrets": Destination.PLATFORM,
        **{
            f"steps.{kind}.{name}": destination
            for kind, fields in _KINDS.items()
            for name, destination in fields.items()
        },
    }
)
"""Every field, by its place in the file.

The launcher takes its credentials from the secret of the steps: the ConfigMap repeats its name and
keys (:data:`REPEATED_IN_LAUNCHER`).
"""

REPEATED_IN_LAUNCHER = frozenset(
    name for name in DESTINATIONS if name.startswith("storage.secret.")
)
