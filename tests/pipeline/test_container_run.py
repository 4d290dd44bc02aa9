from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click
import pytest

from frhead_core.config import load_recipe
from frhead_core.errors import InputError
from pipeline import container_run, local_run
from pipeline.container_run import VARIABLES, RunPlaces, chosen_images, step_needs
from pipeline.local_run import LocalRun, _facts, local_run_of, threads_of
from pipeline.options import local_run_options
from pipeline.profile import read_profile
from pipeline.step_containers import StepNeeds
from pipeline.step_images import IMAGES
from pipeline.step_limits import limits_of

GPU_CLUSTER = Path(__file__).parents[2] / "manifests" / "profiles" / "gpu-cluster.yaml"
HERE = RunPlaces(raw=("/data/a.zip",), weights=("/models/joint",), checkpoints="/runs/checkpoints")


def test_every_step_has_its_needs_and_only_some_compute_on_gpus() -> None:
    needs = step_needs(HERE, 2**30, {})
    assert set(needs) == {step for image in IMAGES.values() for step in image.steps}
    assert {each.memory for each in needs.values()} == {2**30}
    on_gpus = {step for step, each in needs.items() if each.gpus}
    assert on_gpus == {"train_modality", "evaluate_modality", "promote_model"}
    assert needs["denoise_skeletons"] == StepNeeds(memory=2**30)


def test_a_profile_limits_each_kind_of_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_run.os, "cpu_count", lambda: 24)
    limits = limits_of(read_profile(GPU_CLUSTER))
    needs = step_needs(HERE, None, limits)

    gibibytes = {step: (each.memory or 0) / 2**30 for step, each in needs.items()}
    assert gibibytes == {
        **dict.fromkeys(IMAGES["data"].steps, 16),
        **{"train_modality": 64, "evaluate_modality": 32},
        **{"ensemble_modalities": 16, "promote_model": 16},
    }
    assert needs["train_modality"].shared_memory == 8 * 2**30
    assert needs["extract_raw_skeletons"].shared_memory == StepNeeds().shared_memory
    cores = {step: each.cpus for step, each in needs.items()}
    assert cores["train_modality"] == 24, "an engine refuses more than there are"
    assert (cores["extract_raw_skeletons"], cores["promote_model"]) == (16, 4)

    needs = step_needs(HERE, 2**30, limits)
    assert {each.memory for each in needs.values()} == {2**30}
    assert needs["promote_model"].cpus == 4


def test_limits_are_of_containers_decide_the_threads_and_stay_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_run.os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    recipe = load_recipe("demo")
    with pytest.raises(InputError, match=r"--profile: limits are for containers.*--engine docker"):
        LocalRun(recipe, ("joint",), tmp_path, tmp_path, profile=GPU_CLUSTER)
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read"):
        LocalRun(recipe, ("joint",), tmp_path, tmp_path, engine="docker", profile=Path("none.yaml"))

    run = LocalRun(
        *(recipe, ("joint",), tmp_path, tmp_path),
        engine="docker",
        processes=4,
        profile=GPU_CLUSTER,
    )
    assert threads_of(run) == 8  # of 32 cores
    assert threads_of(dataclasses.replace(run, profile=None)) == 16
    assert threads_of(dataclasses.replace(run, threads=3)) == 3
    facts = json.loads(json.dumps(_facts(run)))
    assert local_run_of(facts, tmp_path).limits == run.limits
    assert run.limits["promote_model"].cpus == 4


@pytest.mark.parametrize(
    ("place", "connected"),
    [
        ({}, set()),
        ({"raw": ("/data/a.zip", "s3://b/a.zip")}, {"fingerprint_data", "extract_raw_skeletons"}),
        ({"weights": ("s3://b/joint",)}, {"train_modality"}),
        ({"champions": "s3://b/champions"}, {"promote_model"}),
        ({"checkpoints": "s3://b/checkpoints"}, {"train_modality"}),
    ],
)
def test_only_steps_that_reach_beyond_this_machine_have_network_and_credentials(
    place: dict[str, object], connected: set[str]
) -> None:
    fields = {"raw": HERE.raw, "weights": HERE.weights, "checkpoints": HERE.checkpoints} | place
    needs = step_needs(RunPlaces(**fields), None, {})  # type: ignore[arg-type]
    assert {step for step, each in needs.items() if each.network} == connected
    assert {step for step, each in needs.items() if each.variables} == connected
    assert {"AWS_SECRET_ACCESS_KEY", "S3_ENDPOINT"} < set(VARIABLES)


def test_without_a_checkout_images_have_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_run, "package_root", lambda: tmp_path)
    with pytest.raises(InputError, match="--image: images are named by a checkout") as caught:
        chosen_images({"data": "registry/data:1"})
    assert "found data=registry/data:1; expected trainer=NAME" in str(caught.value)


@click.command
@local_run_options
def show(**given: object) -> None:
    click.echo(f"{given['engine']} {given['memory']} {given['images']}")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ((), "process None {}"),
        (("--engine", "docker", "--memory", "8Gi"), f"docker {8 * 2**30} {{}}"),
        (("--memory", "8G"), f"process {8 * 10**9} {{}}"),
        (("--memory", "1073741824"), f"process {2**30} {{}}"),
        (("--memory", "1.5Gi"), f"process {3 * 2**29} {{}}"),
        (
            ("--image", "data=a/b:1", "--image", "trainer=c:2"),
            "process None {'data': 'a/b:1', 'trainer': 'c:2'}",
        ),
    ],
)
def test_options_of_containers(
    arguments: tuple[str, ...], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show.main(["--raw", "a.zip", *arguments], standalone_mode=False)
    assert capsys.readouterr().out.strip() == shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--memory", "much"), '\'much\' is not a size like "16Gi" or "500Mi"$'),
        (("--memory", "0Gi"), "'0Gi' is not a size"),
        (("--memory", "0"), "'0' is not a size"),
        (("--memory", "8g"), "'8g' is not a size like .*; 8Gi, perhaps?"),
        (
            ("--memory", "512m"),
            "'512m' is not .*; 512Mi, perhaps?",
        ),  # Kubernetes' m is a thousandth
        (("--memory", "1.5 GiB"), "'1.5 GiB' is not .*; 1.5Gi, perhaps?"),
        (("--memory", "0g"), "'0g' is not a size"),
        (("--image", "date=a:1"), "'date=a:1' is not one of data=NAME, trainer=NAME"),
        (("--image", "data="), "'data=' is not one of"),
        (("--engine", "podman"), "'podman' is not one of 'process', 'docker'"),
    ],
)
def test_wrong_options_of_containers_are_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(click.BadParameter, match=message):
        show.main(["--raw", "a.zip", *arguments], standalone_mode=False)
