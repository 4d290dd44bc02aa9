"""What becomes of each field of a cluster profile, in everything that is written for a cluster."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import yaml

from frhead_core.config import MODALITIES, benchmark_names, load_recipe
from pipeline.arguments import PipelineArguments, pipeline_arguments
from pipeline.cli import exit_code_of
from pipeline.compiling import compile_pipeline, write_launcher_config
from pipeline.profile import Placement, Profile, Training, read_profile
from pipeline.profile_destinations import DESTINATIONS, REPEATED_IN_LAUNCHER, Destination
from pipeline.quantities import seconds_of

PROFILES = Path(__file__).parents[2] / "manifests" / "profiles"
EXAMPLES = sorted(PROFILES.glob("*.yaml"))
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "cluster.md"
KINDS = {
    "fingerprint-data": "data",
    "extract-raw-skeletons": "data",
    "denoise-skeletons": "data",
    "transform-sequences": "data",
    "train-modality": "training",
    "evaluate-modality": "evaluation",
    "ensemble-modalities": "report",
    "promote-model": "report",
}
OTHER_VALUES: dict[str, Any] = {
    "kubeflow.endpoint": "https://elsewhere.example.org",
    "kubeflow.namespace": "another",
    "kubeflow.multi_user": False,
    "kubeflow.service_account": "another",
    "kubeflow.login.token_file": "/another/token",
    "kubeflow.login.token_variable": "TOKEN",
    "kubeflow.ca_certificate": "certificates.pem",
    "storage.endpoint": "https://elsewhere.example.org:9001",
    "storage.region": "moon-1",
    "storage.path_style": False,
    "storage.pipeline_root": "s3://mlpipeline/another",
    "storage.checkpoint_root": "s3://another/checkpoints",
    "storage.checkpoint_claim": "another",
    "storage.secret.name": "another",
    "storage.secret.access_key": "another-access",
    "storage.secret.secret_key": "another-secret",
    "images.data": "another/data:2",
    "images.trainer": "another/trainer:2",
    "images.pull_policy": "Always",
    "images.pull_secrets": ["another"],
    "limits.cpu": 17,
    "limits.memory": "65Gi",
    "requests.cpu": "200m",
    "requests.memory": "300Mi",
    "scratch": "77Gi",
    "node_selector": {"pool": "another"},
    "tolerations": [{"key": "another", "operator": "Exists"}],
    "timeout": "7h",
    "retries": 7,
    "queue": "another",
    "gpu.type": "amd.com/gpu",
    "gpu.count": 8,
    "processes": 3,
    "threads": 7,
    "shared_memory": "7Gi",
    "parallel": 4,
}


@cache
def arguments_of(benchmark: str) -> PipelineArguments:
    return pipeline_arguments(load_recipe(benchmark), MODALITIES)


def texts(profile: Profile, folder: Path, benchmark: str = "nw-ucla") -> dict[Destination, str]:
    """All that is written for a cluster, by destination."""
    compile_pipeline(arguments_of(benchmark), profile, folder / "pipeline.yaml")
    write_launcher_config(profile, folder / "launcher.yaml")
    pipeline, _, platform = (folder / "pipeline.yaml").read_text().partition("\n---\n")
    return {
        Destination.IR: pipeline,
        Destination.PLATFORM: platform,
        Destination.LAUNCHER: (folder / "launcher.yaml").read_text(),
    }


def parsed(profile: Profile, folder: Path, benchmark: str = "nw-ucla") -> dict[Destination, Any]:
    found = texts(profile, folder, benchmark)
    return {destination: yaml.load(text, yaml.CSafeLoader) for destination, text in found.items()}


def with_value(folder: Path, key: str, value: Any) -> Profile:
    """The profile of the GPU cluster with another value."""
    data = copy.deepcopy(yaml.safe_load((PROFILES / "gpu-cluster.yaml").read_text()))
    *sections, last = key.split(".")
    node = data
    for name in sections:
        node = node.setdefault(name, {})
    node[last] = value
    if last == "checkpoint_claim":
        node["checkpoint_root"] = "/checkpoints"
    if last == "token_variable":
        del node["token_file"]
    if last == "processes":
        del node["gpu"]
    if key == "steps.evaluation.gpu.count":  # one is the most; so none is the other value
        del data["steps"]["evaluation"]["gpu"]
    file = folder / "profile.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    return read_profile(file)


def fields_of(section: type, prefix: str = "") -> set[str]:
    """The fields of a profile, by their places; lists and mappings are one field."""
    found: set[str] = set()
    for name, hint in get_type_hints(section).items():
        kinds = get_args(hint) if get_origin(hint) is UnionType else (hint,)
        inner = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
        found |= fields_of(inner[0], f"{prefix}{name}.") if inner else {prefix + name}
    return found


def executors(found: Mapping[Destination, Any]) -> dict[str, tuple[dict, dict]]:
    """For each step its container and what the platform spec says of it."""
    containers = found[Destination.IR]["deploymentSpec"]["executors"]
    kubernetes = found[Destination.PLATFORM]["platforms"]["kubernetes"]["deploymentSpec"]
    return {
        name.removeprefix("exec-"): (
            container["container"],
            kubernetes["executors"].get(name, {}),
        )
        for name, container in containers.items()
    }


def tasks(found: Mapping[Destination, Any]) -> dict[str, dict]:
    spec = found[Destination.IR]
    dags = [spec["root"]["dag"], *(c["dag"] for c in spec["components"].values() if "dag" in c)]
    return {
        name: task
        for dag in dags
        for name, task in dag["tasks"].items()
        if not name.startswith("for-loop")
    }


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> dict[Destination, str]:
    return texts(read_profile(PROFILES / "gpu-cluster.yaml"), tmp_path_factory.mktemp("unchanged"))


@pytest.mark.parametrize("field", DESTINATIONS)
def test_a_field_changes_its_destination_and_nothing_else(
    field: str, unchanged: dict[Destination, str], tmp_path: Path
) -> None:
    names = field.split(".")
    key = ".".join(names[2:]) if names[0] == "steps" else field
    found = texts(with_value(tmp_path, field, OTHER_VALUES[key]), tmp_path)

    changed = {each for each in found if found[each] != unchanged[each]}
    if field == "storage.checkpoint_claim":  # it comes with another root
        changed.remove(DESTINATIONS["storage.checkpoint_root"])
    destination = DESTINATIONS[field]
    expected = set() if destination is Destination.RUN else {destination}
    if field in REPEATED_IN_LAUNCHER:
        expected.add(Destination.LAUNCHER)
    assert changed == expected


def test_every_field_has_a_destination() -> None:
    assert fields_of(Profile) == set(DESTINATIONS)


def test_the_documentation_says_the_same() -> None:
    rows = re.findall(r"^\| `([^|]+)` \| ([^|]+) \|", DOCUMENTATION.read_text(), re.MULTILINE)
    documented = {
        name: destination
        for names, destination in rows
        for name in names.split("`, `")
        if destination in {each.value for each in Destination}
    }
    stated = {
        re.sub(r"^steps\.(data|report|training|evaluation)\.", "steps.KIND.", name): each.value
        for name, each in DESTINATIONS.items()
    }
    assert documented == stated


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
@pytest.mark.parametrize("benchmark", benchmark_names())
def test_every_step_is_where_its_profile_says(benchmark: str, file: Path, tmp_path: Path) -> None:
    profile = read_profile(file)
    found = parsed(profile, tmp_path, benchmark)
    all_tasks = tasks(found)

    assert found[Destination.IR]["defaultPipelineRoot"] == profile.storage.pipeline_root
    steps = executors(found)
    assert set(steps) <= set(KINDS)
    assert len(steps) >= 7
    for name, (container, kubernetes) in steps.items():
        placement: Placement = getattr(profile.steps, KINDS[name])
        check_container(container, profile, placement)
        check_kubernetes(kubernetes, profile, placement)
        retry = all_tasks[name]["retryPolicy"]
        assert (retry["maxRetryCount"], retry["backoffDuration"]) == (placement.retries, "60s")


def check_container(container: dict, profile: Profile, placement: Placement) -> None:
    assert container["image"] in (profile.images.data, profile.images.trainer)
    requests = placement.requests or placement.limits
    resources = container["resources"]
    assert resources["resourceCpuLimit"] == placement.limits.cpu
    assert resources["resourceMemoryLimit"] == placement.limits.memory
    assert resources["resourceCpuRequest"] == requests.cpu
    assert resources["resourceMemoryRequest"] == requests.memory
    gpu = getattr(placement, "gpu", None)
    expected = gpu and {"resourceType": gpu.type, "resourceCount": str(gpu.count)}
    found = resources.get("accelerator")
    assert (found and {key: found[key] for key in expected or found}) == expected
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["FRHEAD_CHECKPOINT_ROOT"] == profile.storage.checkpoint_root
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & set(environment)
    assert ("FRHEAD_PROCESSES" in environment) == isinstance(placement, Training)


def check_kubernetes(kubernetes: dict, profile: Profile, placement: Placement) -> None:
    assert kubernetes["securityContext"] == {"runAsNonRoot": True}
    assert kubernetes["activeDeadlineSeconds"] == str(seconds_of(placement.timeout))
    assert kubernetes["imagePullPolicy"] == profile.images.pull_policy
    pull = [each["secretName"] for each in kubernetes.get("imagePullSecret", [])]
    assert pull == list(profile.images.pull_secrets)
    assert kubernetes.get("nodeSelector", {}).get("labels", {}) == placement.node_selector
    tolerated = [(each["key"], each["operator"]) for each in kubernetes.get("tolerations", [])]
    assert tolerated == [(each.key, each.operator) for each in placement.tolerations]
    labels = kubernetes.get("podMetadata", {}).get("labels", {})
    assert labels == ({"kueue.x-k8s.io/queue-name": placement.queue} if placement.queue else {})
    (secret,) = kubernetes["secretAsEnv"]
    assert secret["secretName"] == profile.storage.secret.name
    assert {each["envVar"] for each in secret["keyToEnv"]} == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }
    (configuration,) = kubernetes["configMapAsEnv"]
    assert configuration["configMapName"] == "kfp-launcher"
    assert {each["envVar"] for each in configuration["keyToEnv"]} == {"S3_ENDPOINT", "AWS_REGION"}
    scratch, *shared = kubernetes["emptyDirMounts"]
    bucket = profile.storage.pipeline_root.split("/")[2]
    assert scratch["mountPath"] == f"/s3/{bucket}"
    assert scratch["sizeLimit"] == placement.scratch
    if isinstance(placement, Training):
        assert [each["mountPath"] for each in shared] == ["/dev/shm"]
        assert shared[0] == {
            "medium": "Memory",
            "mountPath": "/dev/shm",
            "sizeLimit": placement.shared_memory,
            "volumeName": "dshm",
        }
    else:
        assert not shared


def test_gpus_have_a_process_each_and_share_the_cores(tmp_path: Path) -> None:
    container, _ = executors(parsed(with_value(tmp_path, "images.data", "a/b:1"), tmp_path))[
        "train-modality"
    ]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["FRHEAD_PROCESSES"] == "4"
    assert environment["FRHEAD_THREADS"] == "4"


def test_threads_are_those_of_the_limit_and_not_of_the_node(tmp_path: Path) -> None:
    profile = read_profile(PROFILES / "external-s3.yaml")
    container, _ = executors(parsed(profile, tmp_path))["train-modality"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["FRHEAD_THREADS"] == profile.steps.training.limits.cpu == "4"


def test_a_step_without_retries_has_no_policy(tmp_path: Path) -> None:
    found = tasks(parsed(with_value(tmp_path, "steps.report.retries", 0), tmp_path))
    assert "retryPolicy" not in found["ensemble-modalities"]
    assert "retryPolicy" in found["train-modality"]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_launcher_is_told_the_object_store(file: Path, tmp_path: Path) -> None:
    profile = read_profile(file)
    configuration = parsed(profile, tmp_path)[Destination.LAUNCHER]

    assert configuration["metadata"] == {"name": "kfp-launcher"}
    data = configuration["data"]
    assert data["s3Endpoint"] == profile.storage.endpoint
    provider = yaml.safe_load(data["providers"])["s3"]["default"]
    assert profile.storage.endpoint == (
        f"{'http' if provider['disableSSL'] else 'https'}://{provider['endpoint']}"
    )
    assert data["s3Region"] == provider["region"] == profile.storage.region
    assert provider["credentials"]["secretRef"]["secretName"] == profile.storage.secret.name


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_everything_is_the_same_bytes_each_time(file: Path, tmp_path: Path) -> None:
    written = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        names = ["pipeline.yaml", "manifests.yaml", "launcher.yaml"]
        command = ["compile", "nw-ucla", "--profile", str(file)]
        options = ["--output", "--kubernetes-manifests", "--launcher-config"]
        for option, name in zip(options, names, strict=True):
            command += [option, str(folder / name)]
        assert exit_code_of(command) == 0
        written.append([(folder / name).read_bytes() for name in names])
        assert sorted(each.name for each in folder.iterdir()) == sorted(names)
    assert written[0] == written[1]


def test_secrets_that_are_set_where_it_is_compiled_stay_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("the-token")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
    monkeypatch.setenv("KFP_TOKEN", "the-token")
    profile = with_value(tmp_path, "kubeflow.login.token_file", str(tmp_path / "token"))
    text = "".join(texts(profile, tmp_path).values())
    assert "the-secret" not in text and "the-token" not in text


def test_kubernetes_manifests_hold_the_same_pipeline(tmp_path: Path) -> None:
    def compiled(file: str, *more: str) -> tuple[list[dict], list[dict]]:
        output, manifests = tmp_path / "pipeline.yaml", tmp_path / "manifests.yaml"
        command = ["compile", "nw-ucla", "--profile", str(PROFILES / file), *more]
        command += ["--output", str(output), "--kubernetes-manifests", str(manifests)]
        assert exit_code_of(command) == 0
        read = [list(yaml.safe_load_all(each.read_text())) for each in (output, manifests)]
        return read[0], read[1]

    (spec, platform), (pipeline, version) = compiled("gpu-cluster.yaml")
    assert (pipeline["kind"], version["kind"]) == ("Pipeline", "PipelineVersion")
    for one in (pipeline, version):
        assert one["apiVersion"] == "pipelines.kubeflow.org/v2beta1"
        assert one["metadata"]["namespace"] == "frhead"
    assert version["spec"]["pipelineName"] == pipeline["metadata"]["name"]
    assert version["spec"]["pipelineSpec"] == spec
    assert version["spec"]["platformSpec"] == platform

    _, (_, again) = compiled("gpu-cluster.yaml")
    _, (_, other) = compiled("gpu-cluster.yaml", "--epochs", "2")
    assert again["metadata"] == version["metadata"]
    assert other["metadata"]["name"] != version["metadata"]["name"]


def test_a_batch_that_the_gpus_cannot_share_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = ["--profile", str(PROFILES / "gpu-cluster.yaml")]
    command = ["compile", "nw-ucla", "--set", "training.batch_size=6", *profile]
    assert exit_code_of([*command, "--output", str(tmp_path / "pipeline.yaml")]) == 2
    assert "6" in capsys.readouterr().err
    assert not (tmp_path / "pipeline.yaml").exists()


def test_manifests_need_a_profile(tmp_path: Path) -> None:
    command = ["compile", "nw-ucla", "--output", str(tmp_path / "pipeline.yaml")]
    assert exit_code_of([*command, "--launcher-config", str(tmp_path / "launcher.yaml")]) == 2
