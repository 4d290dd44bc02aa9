"""Cluster profiles: what is refused, and how."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.errors import RecipeError
from pipeline.profile import Profile, read_profile
from pipeline.quantities import bytes_of, cores_of, seconds_of

PROFILES = Path(__file__).parents[2] / "manifests" / "profiles"
EXAMPLES = sorted(PROFILES.glob("*.yaml"))
GPU = PROFILES / "gpu-cluster.yaml"


def changed(tmp_path: Path, key: str, value: Any) -> Path:
    """The profile of a GPU cluster with another value at a key; None leaves the key out."""
    data = copy.deepcopy(yaml.safe_load(GPU.read_text(encoding="utf-8")))
    *sections, last = key.split(".")
    node = data
    for name in sections:
        node = node.setdefault(name, {})
    if value is None:
        del node[last]
    else:
        node[last] = value
    file = tmp_path / "profile.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return file


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_examples_are_profiles(file: Path) -> None:
    assert isinstance(read_profile(file), Profile)


def test_what_is_left_out_has_a_value(tmp_path: Path) -> None:
    profile = read_profile(changed(tmp_path, "steps.training.gpu", None))

    assert profile.steps.training.process_count() == 1
    assert profile.steps.report.node_selector == {}
    assert profile.storage.region == "us-east-1"


def test_each_gpu_has_a_process(tmp_path: Path) -> None:
    assert read_profile(GPU).steps.training.process_count() == 4
    without = read_profile(changed(tmp_path, "steps.training.gpu", None)).steps.training
    assert without.process_count() == 1


@pytest.mark.parametrize(
    "key, value, says",
    [
        ("kubflow", {}, "kubflow: unknown key. Did you mean kubeflow?"),
        ("steps.training.gpus", 4, "steps.training.gpus: unknown key. Did you mean gpu?"),
        ("steps.evaluation.limits.cpus", 4, "unknown key. Did you mean cpu?"),
        ("kubeflow.login.token", "secret-token", "unknown key. Did you mean token_file?"),
        ("storage.access_key", "AKIAEXAMPLE", "storage.access_key: unknown key"),
        ("steps.report", None, "steps.report: is missing"),
        ("steps.report.limits", None, "steps.report.limits: is missing"),
        ("kubeflow.login.token_variable", "TOKEN", "has either token_file or token_variable"),
        ("kubeflow.endpoint", "https://me:secret-token@host", "without credentials"),
        ("kubeflow.namespace", "Frhead", "kubeflow.namespace: is not the name of a namespace"),
        ("kubeflow.multi_user", "yes", "kubeflow.multi_user"),
        ("storage.endpoint", "seaweedfs:9000", "storage.endpoint: is not http[s]://HOST"),
        ("storage.pipeline_root", "minio://bucket/x", "is not s3://BUCKET[/PREFIX]"),
        ("storage.checkpoint_root", "checkpoints", "storage.checkpoint_root"),
        ("storage.checkpoint_root", "/checkpoints", "storage.checkpoint_root: a folder in a pod"),
        ("storage.checkpoint_claim", "claim", "storage.checkpoint_claim: checkpoint_root is no"),
        ("images.trainer", "registry:5000/frhead/trainer", "with a fixed tag or digest"),
        ("images.trainer", "registry/frhead/trainer:latest", "with a fixed tag or digest"),
        ("images.pull_policy", "Sometimes", "images.pull_policy"),
        ("steps.training.limits.memory", "64 GB", "'64 GB' is not a size"),
        ("steps.training.limits.memory", 64, "steps.training.limits.memory"),
        ("steps.training.limits.cpu", "0", "is not a number of cores"),
        ("steps.training.limits.cpu", True, "steps.training.limits.cpu"),
        ("steps.training.requests.memory", "65Gi", "65Gi is more than the limit, 64Gi"),
        ("steps.training.requests.cpu", "32001m", "32001m is more than the limit, 32"),
        ("steps.training.shared_memory", "64Gi", "steps.training.shared_memory"),
        ("steps.training.processes", 2, "each of the 4 GPUs has one process"),
        ("steps.training.timeout", "1.5d", "'1.5d' is not a time"),
        ("steps.training.retries", -1, "steps.training.retries"),
        ("steps.training.queue", "two words", "is not the value of a label"),
        ("steps.evaluation.gpu.count", 2, "steps.evaluation.gpu.count: an evaluation uses one"),
        ("steps.data.gpu", {"count": 1}, "steps.data.gpu: unknown key"),
        ("steps.data.node_selector", {"pool": True}, "steps.data.node_selector.pool"),
        ("steps.data.node_selector", {"-pool": "a"}, "is not the key of a label"),
        ("steps.data.tolerations", [{"key": "a", "vlaue": "b"}], "Did you mean value?"),
        (
            "steps.data.tolerations",
            [{"key": "a", "operator": "Exists", "value": "b"}],
            "steps.data.tolerations.0.value: an operator Exists has no value",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, key: str, value: Any, says: str
) -> None:
    file = changed(tmp_path, key, value)
    with pytest.raises(RecipeError) as caught:
        read_profile(file)

    text = str(caught.value)
    assert says in text
    assert text.startswith(f"{file}:"), text
    assert "secret-token" not in text and "AKIAEXAMPLE" not in text


def test_a_profile_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "profile.yaml"
    file.write_text("- images", encoding="utf-8")
    with pytest.raises(RecipeError, match="is not a cluster profile"):
        read_profile(file)
    with pytest.raises(RecipeError, match="cannot be read"):
        read_profile(tmp_path / "missing.yaml")


@given(number=st.integers(1, 10**6))
def test_amounts_are_what_kubernetes_takes_them_for(number: int) -> None:
    assert cores_of(f"{number}") == cores_of(f"{number * 1000}m") == number
    assert bytes_of(f"{number}Gi") == number * 2**30
    assert bytes_of(f"{number}M") == number * 10**6
    assert seconds_of(f"{number}h") == number * 3600
