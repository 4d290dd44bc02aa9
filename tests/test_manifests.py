"""The manifests: complete, narrow in rights, and free of secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

MANIFESTS = Path(__file__).parents[1] / "manifests"
FILES = sorted(path for path in MANIFESTS.rglob("*.yaml") if path.parent.name != "profiles")
KUSTOMIZATIONS = [path for path in FILES if path.name == "kustomization.yaml"]
CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding"}
FORBIDDEN_IN_A_POD = {
    "privileged": True,
    "allowPrivilegeEscalation": True,
    "hostNetwork": True,
    "hostPID": True,
    "hostIPC": True,
}


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def objects() -> list[tuple[Path, dict[str, Any]]]:
    return [(path, one) for path in FILES if path not in KUSTOMIZATIONS for one in documents(path)]


def entries(node: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key), value
            yield from entries(value)
    elif isinstance(node, list):
        for value in node:
            yield from entries(value)


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for _, one in objects() if one["kind"] == kind]


def by_name(path: Path) -> str:
    return path.relative_to(MANIFESTS).as_posix()


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_every_file_holds_kubernetes_objects(path):
    found = documents(path)
    assert found
    for one in found:
        assert one["apiVersion"] and one["kind"]
        if path not in KUSTOMIZATIONS:
            assert one["metadata"]["name"]


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=by_name)
def test_a_kustomization_names_what_exists(path):
    (kustomization,) = documents(path)
    named = [path.parent / name for name in kustomization["resources"]]
    named += [path.parent / patch["path"] for patch in kustomization.get("patches", [])]
    for target in named:
        assert target.is_file() or (target / "kustomization.yaml").is_file(), target


def test_every_file_is_named_by_a_kustomization():
    used = set(KUSTOMIZATIONS)
    for path in KUSTOMIZATIONS:
        (kustomization,) = documents(path)
        names = kustomization["resources"] + [
            patch["path"] for patch in kustomization.get("patches", [])
        ]
        used |= {(path.parent / name).resolve() for name in names}
    assert {path.resolve() for path in FILES} <= {path.resolve() for path in used}


def test_overlays_stay_in_a_namespace_of_their_own():
    for path in KUSTOMIZATIONS:
        if "overlays" in path.parts:
            (kustomization,) = documents(path)
            spaces = [one for file, one in objects() if file.parent == path.parent]
            names = [one["metadata"]["name"] for one in spaces if one["kind"] == "Namespace"]
            assert names == [kustomization["namespace"]]


def test_nothing_reaches_beyond_its_namespace():
    assert not {one["kind"] for _, one in objects()} & CLUSTER_WIDE


def test_rights_are_listed_one_by_one():
    roles = of_kind("Role")
    assert roles
    for role in roles:
        for rule in role["rules"]:
            for key in ("apiGroups", "resources", "verbs"):
                assert rule[key] and "*" not in rule[key]
            if {"secrets", "configmaps"} & set(rule["resources"]):
                assert rule["resourceNames"], "only by name"
                assert rule["verbs"] == ["get"]


def test_bindings_join_roles_and_accounts_that_exist():
    roles = {one["metadata"]["name"] for one in of_kind("Role")}
    accounts = {one["metadata"]["name"] for one in of_kind("ServiceAccount")}
    bindings = of_kind("RoleBinding")
    assert bindings
    for binding in bindings:
        assert binding["roleRef"]["kind"] == "Role"
        assert binding["roleRef"]["name"] in roles
        assert {subject["name"] for subject in binding["subjects"]} <= accounts


def test_no_pod_gets_more_than_it_needs():
    for path, one in objects():
        for key, value in entries(one):
            assert FORBIDDEN_IN_A_POD.get(key, object()) != value, f"{path}: {key}"
            assert key not in {"hostPath", "hostPort"}, path


def test_images_name_their_version():
    for path, one in objects():
        for key, value in entries(one):
            if key == "image":
                assert ":" in value or "@" in value, f"{path}: {value}"
                assert not value.endswith(":latest"), f"{path}: {value}"


def test_secrets_are_referred_to_and_never_held():
    assert not of_kind("Secret")
    for path in KUSTOMIZATIONS:
        (kustomization,) = documents(path)
        assert "secretGenerator" not in kustomization


def test_launcher_reads_the_secret_that_the_role_allows():
    configurations = [
        one for one in of_kind("ConfigMap") if one["metadata"]["name"] == "kfp-launcher"
    ]
    allowed = {
        name
        for role in of_kind("Role")
        for rule in role["rules"]
        if "secrets" in rule["resources"]
        for name in rule["resourceNames"]
    }
    (providers,) = [
        one["data"]["providers"] for one in configurations if "providers" in one["data"]
    ]
    credentials = yaml.safe_load(providers)["s3"]["default"]["credentials"]
    assert credentials["fromEnv"] is False
    assert set(credentials) == {"fromEnv", "secretRef"}
    assert credentials["secretRef"]["secretName"] in allowed
    assert all(one["data"]["defaultPipelineRoot"].startswith("s3://") for one in configurations)
