"""The manifests, as kustomize builds them: valid, narrow in rights, and free of secrets."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipeline.compiling import write_launcher_config
from pipeline.launcher_config import LAUNCHER_CONFIG, VARIABLES
from pipeline.profile import read_profile
from pipeline.quantities import bytes_of
from tests.kustomize import build

MANIFESTS = Path(__file__).parents[1] / "manifests"
DOCUMENTATION = Path(__file__).parents[1] / "docs" / "cluster.md"
OVERLAYS = sorted(path.parent for path in MANIFESTS.glob("overlays/*/kustomization.yaml"))
BUILT = [*OVERLAYS, MANIFESTS / "console"]
KUBERNETES = ("1.31", "1.34")
CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "Secret"}
Object = dict[str, Any]


def by_name(path: Path) -> str:
    return path.relative_to(MANIFESTS).as_posix()


@pytest.fixture(scope="session")
def built() -> dict[Path, list[Object]]:
    return {folder: build(folder) for folder in BUILT}


@pytest.fixture(params=BUILT, ids=by_name)
def folder(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(params=OVERLAYS, ids=by_name)
def overlay(request: pytest.FixtureRequest) -> Path:
    return request.param


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


def pod_of(one: Object) -> Object | None:
    """The specification of the pods that an object makes."""
    if one["kind"] == "Pod":
        return one["spec"]
    return one.get("spec", {}).get("template", {}).get("spec")


def pod_problems(pod: Object) -> Iterator[str]:
    """What a pod has against the baseline level, and against the rules of this project."""
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield key
    for volume in pod.get("volumes", []):
        if "hostPath" in volume:
            yield "hostPath"
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield "an emptyDir without a limit"
    general = pod.get("securityContext", {})
    if pod.get("automountServiceAccountToken") is not False:
        yield "a token that it does not need"
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        yield from container_problems(container, general)


def container_problems(container: Object, general: Object) -> Iterator[str]:
    own = container.get("securityContext", {})
    context = general | own
    if not context.get("runAsNonRoot") or context.get("runAsUser") == 0:
        yield "root"
    if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
        yield "privileged"
    if own.get("capabilities", {}) != {"drop": ["ALL"]}:
        yield "capabilities"
    if not own.get("readOnlyRootFilesystem"):
        yield "a root file system that can be written"
    if context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccomp"
    for amounts in ("requests", "limits"):
        if set(container.get("resources", {}).get(amounts, {})) < {
            "cpu", "memory", "ephemeral-storage",
        }:  # fmt: skip
            yield f"no {amounts}"
    if not re.fullmatch(r".+(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})", container["image"]):
        yield "a floating tag"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "hostPort"
    for variable in container.get("env", []):
        secret = re.search("TOKEN|KEY|SECRET|PASSWORD", variable["name"])
        if secret and "value" in variable:
            yield "the value of a secret"


def test_there_is_something_to_check(built: dict[Path, list[Object]]) -> None:
    assert {path.name for path in OVERLAYS} == {"single-node", "gpu-cluster", "external-s3"}
    assert all(built.values())


@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_is_valid(built: dict[Path, list[Object]], folder: Path, version: str) -> None:
    for one in built[folder]:
        kubernetes_validate.validate(one, version, strict=True)


def test_a_misspelt_field_would_be_found(built: dict[Path, list[Object]]) -> None:
    (deployment,) = of_kind(built[MANIFESTS / "console"], "Deployment")
    wrong = copy.deepcopy(deployment)
    wrong["spec"]["template"]["spec"]["containers"][0]["redinessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES[0], strict=True)


def test_every_file_is_a_part_of_something() -> None:
    used = {MANIFESTS / "profiles" / f"{path.name}.yaml" for path in OVERLAYS}
    for file in MANIFESTS.rglob("kustomization.yaml"):
        kustomization = yaml.safe_load(file.read_text(encoding="utf-8"))
        named = kustomization["resources"] + [
            patch["path"] for patch in kustomization.get("patches", [])
        ]
        used |= {file, *((file.parent / name).resolve() for name in named)}
    assert set(MANIFESTS.rglob("*.yaml")) <= used


def test_nothing_reaches_beyond_its_namespace(
    built: dict[Path, list[Object]], folder: Path
) -> None:
    kinds = {one["kind"] for one in built[folder]}
    assert not kinds & CLUSTER_WIDE, "no rights everywhere, and no secrets"
    spaces = {one["metadata"].get("namespace") for one in built[folder]}
    assert len(spaces - {None}) == 1
    for one in built[folder]:
        assert ("namespace" in one["metadata"]) == (one["kind"] != "Namespace")


def test_pods_stay_within_the_baseline(built: dict[Path, list[Object]]) -> None:
    pods = [pod for objects in built.values() for one in objects if (pod := pod_of(one))]
    assert pods
    assert [problem for pod in pods for problem in pod_problems(pod)] == []
    for objects in built.values():
        for space in of_kind(objects, "Namespace"):
            level = space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
            assert level in ("baseline", "restricted")


@pytest.mark.parametrize(
    "key, value, problem",
    [
        ("hostNetwork", True, "hostNetwork"),
        ("automountServiceAccountToken", True, "a token that it does not need"),
        ("volumes", [{"name": "a", "hostPath": {"path": "/"}}], "hostPath"),
        ("volumes", [{"name": "a", "emptyDir": {}}], "an emptyDir without a limit"),
        ("securityContext", {"runAsUser": 0}, "root"),
        ("containers.0.image", "frhead-pipeline/console", "a floating tag"),
        ("containers.0.image", "frhead-pipeline/console:latest", "a floating tag"),
        ("containers.0.resources", {"limits": {"cpu": 1}}, "no limits"),
        ("containers.0.securityContext", {"privileged": True}, "privileged"),
        ("containers.0.securityContext.capabilities", {"add": ["SYS_ADMIN"]}, "capabilities"),
        ("containers.0.securityContext.readOnlyRootFilesystem", False, "a root file system"),
        ("containers.0.env", [{"name": "TOKEN", "value": "x"}], "the value of a secret"),
    ],
)
def test_the_checks_of_pods_find_what_they_look_for(
    built: dict[Path, list[Object]], key: str, value: Any, problem: str
) -> None:
    (deployment,) = of_kind(built[MANIFESTS / "console"], "Deployment")
    pod = copy.deepcopy(deployment["spec"]["template"]["spec"])
    *sections, last = key.split(".")
    node: Any = pod
    for name in sections:
        node = node[int(name) if name.isdigit() else name]
    node[last] = value
    assert any(found.startswith(problem) for found in pod_problems(pod))


def test_rights_are_listed_one_by_one(built: dict[Path, list[Object]], overlay: Path) -> None:
    (role,) = of_kind(built[overlay], "Role")
    for rule in role["rules"]:
        for key in ("apiGroups", "resources", "verbs"):
            assert rule[key] and "*" not in rule[key]
        if {"secrets", "configmaps"} & set(rule["resources"]):
            assert rule["resourceNames"], "only by name"
            assert rule["verbs"] == ["get"]


def test_the_account_is_bound_to_the_role(built: dict[Path, list[Object]], overlay: Path) -> None:
    (role,) = of_kind(built[overlay], "Role")
    (account,) = of_kind(built[overlay], "ServiceAccount")
    (binding,) = of_kind(built[overlay], "RoleBinding")
    assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == (
        "Role",
        role["metadata"]["name"],
    )
    (subject,) = binding["subjects"]
    assert subject["name"] == account["metadata"]["name"]
    assert subject["namespace"] == account["metadata"]["namespace"]


def test_an_overlay_fits_its_profile(
    built: dict[Path, list[Object]], overlay: Path, tmp_path: Path
) -> None:
    profile = read_profile(MANIFESTS / "profiles" / f"{overlay.name}.yaml")
    (account,) = of_kind(built[overlay], "ServiceAccount")
    assert account["metadata"]["name"] == profile.kubeflow.service_account
    assert account["metadata"]["namespace"] == profile.kubeflow.namespace

    write_launcher_config(profile, tmp_path / "launcher-config.yaml")
    written = (overlay / "launcher-config.yaml").read_bytes()
    assert written == (tmp_path / "launcher-config.yaml").read_bytes(), (
        "write it again: frhead compile --launcher-config"
    )
    (configuration,) = of_kind(built[overlay], "ConfigMap")
    assert configuration["metadata"]["name"] == LAUNCHER_CONFIG
    assert set(VARIABLES) <= set(configuration["data"])


def test_the_launcher_may_read_its_secret_and_no_other(
    built: dict[Path, list[Object]], overlay: Path
) -> None:
    (role,) = of_kind(built[overlay], "Role")
    (configuration,) = of_kind(built[overlay], "ConfigMap")
    credentials = yaml.safe_load(configuration["data"]["providers"])["s3"]["default"]["credentials"]
    allowed = [rule["resourceNames"] for rule in role["rules"] if "secrets" in rule["resources"]]
    assert allowed == [[credentials["secretRef"]["secretName"]]]


def test_the_limit_of_ephemeral_storage_holds_every_scratch(
    built: dict[Path, list[Object]],
) -> None:
    for overlay in OVERLAYS:
        steps = read_profile(MANIFESTS / "profiles" / f"{overlay.name}.yaml").steps
        needed = max(
            bytes_of(each.scratch)
            for each in (steps.data, steps.training, steps.evaluation, steps.report)
        )
        for one in of_kind(built[overlay], "LimitRange"):
            (limit,) = one["spec"]["limits"]
            assert bytes_of(limit["default"]["ephemeral-storage"]) > needed


def test_the_console_is_what_its_service_and_policy_choose(
    built: dict[Path, list[Object]],
) -> None:
    objects = built[MANIFESTS / "console"]
    (deployment,) = of_kind(objects, "Deployment")
    (service,) = of_kind(objects, "Service")
    (policy,) = of_kind(objects, "NetworkPolicy")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert policy["spec"]["ingress"][0]["ports"] == [{"port": port["containerPort"]}]


def test_the_console_starts_with_options_that_it_has(
    built: dict[Path, list[Object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.commands import console  # noqa: PLC0415

    (deployment,) = of_kind(built[MANIFESTS / "console"], "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    program, name, *arguments = container["command"]
    assert (program, name) == ("frhead", console.command.name)
    parsed = console.command.make_context("console", arguments).params
    assert parsed["port"] == container["ports"][0]["containerPort"]
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert str(parsed["work_directory"]) in mounts
    assert console.TOKEN in [variable["name"] for variable in container["env"]]
    assert parsed["only_cluster"], "its image can train nothing"
    values = {each["name"]: each.get("value") for each in container["env"]}
    assert Path(values["FRHEAD_PROFILE"]).parent.as_posix() in mounts
    assert values["FRHEAD_KFP_ENDPOINT"].startswith("http://ml-pipeline.kubeflow")


def test_the_console_finds_its_token_where_a_profile_says_that_it_is(
    built: dict[Path, list[Object]],
) -> None:
    profile = read_profile(MANIFESTS / "profiles" / "gpu-cluster.yaml")
    assert profile.kubeflow.login and profile.kubeflow.login.token_file
    (deployment,) = of_kind(built[MANIFESTS / "console"], "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (volume,) = [each for each in pod["volumes"] if "projected" in each]
    (mount,) = [
        each for each in pod["containers"][0]["volumeMounts"] if each["name"] == volume["name"]
    ]
    (source,) = volume["projected"]["sources"]
    path = f"{mount['mountPath']}/{source['serviceAccountToken']['path']}"
    assert path == str(profile.kubeflow.login.token_file)


def test_the_rights_of_the_console_are_those_of_its_account_and_listed(
    built: dict[Path, list[Object]],
) -> None:
    objects = built[MANIFESTS / "console"]
    (deployment,) = of_kind(objects, "Deployment")
    (account,) = of_kind(objects, "ServiceAccount")
    (binding,) = of_kind(objects, "RoleBinding")
    (role,) = of_kind(objects, "Role")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == (
        account["metadata"]["name"],
        account["metadata"]["namespace"],
    )
    for rule in role["rules"]:
        assert rule["apiGroups"] == ["pipelines.kubeflow.org"]
        assert "*" not in rule["resources"] + rule["verbs"]


def test_the_documentation_walks_through_what_is_there() -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    for path in re.findall(r"(?<![\w/])manifests/[\w/.-]+", text):
        assert (MANIFESTS.parent / path.rstrip(".")).exists(), path
    for overlay in OVERLAYS:
        assert f"manifests/overlays/{overlay.name}" in text
