"""Puts the steps of the pipeline where a cluster profile says.

What is written here ends in the compiled pipeline: resources, variables, retries and images in its
intermediate representation (IR), everything that only Kubernetes knows in its platform spec.
Credentials and addresses are only referred to: the pod gets them from the namespace's secret and
from its ``kfp-launcher`` ConfigMap, which :mod:`pipeline.launcher_config` writes.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from kfp import dsl, kubernetes

from components import runtime
from components.images import DATA_IMAGE, TRAINER_IMAGE
from pipeline.launcher_config import LAUNCHER_CONFIG, VARIABLES
from pipeline.profile import Accelerator, Evaluation, Images, Placement, Profile, Storage, Training
from pipeline.quantities import cores_of, seconds_of

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
ARTIFACTS = "artifacts"
SHARED_MEMORY = "dshm"
RETRY_AFTER = "60s"


def place(task: dsl.PipelineTask, profile: Profile, placement: Placement) -> None:
    """Tell a step where and as what it runs.

    Args:
        task: The step.
        profile: The cluster.
        placement: The profile's section for this kind of step.
    """
    _set_image(task, profile.images)
    _set_resources(task, placement)
    _set_node(task, placement)
    _set_storage(task, profile.storage, placement)
    kubernetes.set_security_context(task, run_as_non_root=True)
    kubernetes.set_timeout(task, int(seconds_of(placement.timeout)))
    if placement.retries:
        task.set_retry(placement.retries, backoff_duration=RETRY_AFTER, backoff_factor=2.0)
    if isinstance(placement, Training):
        _set_training(task, placement)
    elif isinstance(placement, Evaluation):
        _set_accelerator(task, placement.gpu)


def _set_image(task: dsl.PipelineTask, images: Images) -> None:
    named = {DATA_IMAGE: images.data, TRAINER_IMAGE: images.trainer}
    task.set_container_image(named[task.container_spec.image])
    kubernetes.set_image_pull_policy(task, images.pull_policy)
    if images.pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(images.pull_secrets))


def _set_resources(task: dsl.PipelineTask, placement: Placement) -> None:
    requests = placement.requests or placement.limits
    task.set_cpu_request(requests.cpu).set_cpu_limit(placement.limits.cpu)
    task.set_memory_request(requests.memory).set_memory_limit(placement.limits.memory)
    # Libraries would start as many threads as the node has cores, whatever the limit is.
    task.set_env_variable("OMP_NUM_THREADS", str(_whole_cores(placement)))


def _whole_cores(placement: Placement) -> int:
    return max(1, int(cores_of(placement.limits.cpu)))


def _set_node(task: dsl.PipelineTask, placement: Placement) -> None:
    for key, value in placement.node_selector.items():
        kubernetes.add_node_selector(task, key, value)
    for each in placement.tolerations:
        kubernetes.add_toleration(
            task, each.key, each.operator, each.value or None, each.effect or None
        )
    if placement.queue:
        kubernetes.add_pod_label(task, QUEUE_LABEL, placement.queue)


def _set_storage(task: dsl.PipelineTask, storage: Storage, placement: Placement) -> None:
    """The variables of the object store, and a bounded place for copies of its artifacts.

    The launcher copies an artifact ``s3://BUCKET/KEY`` to ``/s3/BUCKET/KEY``, in a volume without
    a limit; another one is mounted over the pipeline's bucket there.
    """
    kubernetes.use_config_map_as_env(task, LAUNCHER_CONFIG, VARIABLES)
    secret = storage.secret
    kubernetes.use_secret_as_env(
        task,
        secret.name,
        {secret.access_key: "AWS_ACCESS_KEY_ID", secret.secret_key: "AWS_SECRET_ACCESS_KEY"},
    )
    task.set_env_variable(runtime.CHECKPOINT_ROOT, storage.checkpoint_root)
    if storage.checkpoint_claim is not None:
        kubernetes.mount_pvc(task, storage.checkpoint_claim, storage.checkpoint_root)
    bucket = urlsplit(storage.pipeline_root).netloc
    kubernetes.empty_dir_mount(task, ARTIFACTS, f"/s3/{bucket}", size_limit=placement.scratch)


def _set_training(task: dsl.PipelineTask, training: Training) -> None:
    """GPUs, a process for each, their threads, and the shared memory that loaders need."""
    _set_accelerator(task, training.gpu)
    processes = training.process_count()
    # The number is part of a checkpoint, so it may not depend on the node that a pod gets.
    threads = training.threads or max(1, _whole_cores(training) // processes)
    task.set_env_variable(runtime.PROCESSES, str(processes))
    task.set_env_variable(runtime.THREADS, str(threads))
    kubernetes.empty_dir_mount(
        task, SHARED_MEMORY, "/dev/shm", medium="Memory", size_limit=training.shared_memory
    )


def _set_accelerator(task: dsl.PipelineTask, gpu: Accelerator | None) -> None:
    if gpu is not None:
        task.set_accelerator_type(gpu.type)
        task.set_accelerator_limit(gpu.count)
