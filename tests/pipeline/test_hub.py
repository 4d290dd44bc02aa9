"""Models to and from the Hugging Face Hub, with a stand-in for it on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, metadata_load

from frhead_core.config import load_recipe, override
from frhead_core.training.artifact import MODEL_FILES, ModelArtifact
from pipeline import hub
from pipeline.cli import exit_code_of
from tests.pipeline.stand_in_hub import StandInHub, serving
from tests.untrained import write_untrained

REPOSITORY = "someone/frhead-joint"
FIGURES = {"epoch": 7, "evaluated_part": "test", "samples": 464, "top1": 81.034, "top5": 99.5}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    recipe = override(load_recipe("nw-ucla"), ["model.base_channels=8"])
    metrics = {"last": FIGURES, "best_on_test": FIGURES | {"top1": 82.5}}
    directory = write_untrained(tmp_path / "model", recipe, metrics=metrics)
    (directory / "tensorboard").mkdir()
    (directory / "tensorboard" / "events.out.tfevents.1.name-of-the-machine").write_text("")
    (directory / "notes.txt").write_text("mine")
    return directory


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    stand_in = StandInHub(REPOSITORY)
    with serving(stand_in):
        monkeypatch.setenv("HF_ENDPOINT", stand_in.endpoint)
        monkeypatch.setenv("HF_TOKEN", "the-token")
        yield stand_in


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert exit_code_of(["hub", *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("error: ") and "Traceback" not in error
    return error


def test_a_model_goes_to_the_hub_and_comes_back(
    model: Path, stand_in: StandInHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(["hub", "upload", str(model), REPOSITORY]) == 0
    assert f"uploaded: {stand_in.endpoint}/{REPOSITORY}/commit/" in capsys.readouterr().out

    assert stand_in.files is not None and stand_in.private
    ours = {"last.safetensors", "recipe.yaml", "metadata.json", "history.jsonl", "README.md"}
    assert set(stand_in.files) == ours | {".gitattributes"}
    for name in ours:
        assert stand_in.files[name] == (model / name).read_bytes()
    assert stand_in.tokens == {"Bearer the-token"}

    output = tmp_path / "downloaded"
    assert exit_code_of(["hub", "download", REPOSITORY, "--output", str(output)]) == 0
    assert {path.name for path in output.iterdir()} == ours
    opened, original = ModelArtifact.open(output), ModelArtifact.open(model)
    assert opened.content_digest() == original.content_digest()


def test_a_second_upload_leaves_nothing_of_the_first(model: Path, stand_in: StandInHub) -> None:
    stand_in.files = {"best_on_test.safetensors": b"old", "docs.md": b"theirs"}

    assert exit_code_of(["hub", "upload", str(model), REPOSITORY, "--public"]) == 0

    assert "best_on_test.safetensors" not in stand_in.files
    assert stand_in.files["docs.md"] == b"theirs"
    assert stand_in.private is False


def test_a_licence_is_written_into_the_uploaded_card_alone(
    model: Path, stand_in: StandInHub, tmp_path: Path
) -> None:
    before = (model / "README.md").read_bytes()
    arguments = ["upload", str(model), REPOSITORY, "--license", "cc-by-nc-4.0"]
    assert exit_code_of(["hub", *arguments]) == 0

    assert stand_in.files is not None
    (tmp_path / "card.md").write_bytes(stand_in.files["README.md"])
    metadata = metadata_load(tmp_path / "card.md")
    assert metadata["license"] == "cc-by-nc-4.0" and "license_name" not in metadata
    assert metadata["model-index"] == metadata_load(model / "README.md")["model-index"]
    assert stand_in.files["README.md"].decode().partition("\n# ")[2] in before.decode()
    assert (model / "README.md").read_bytes() == before


@pytest.mark.parametrize("name", ["pytorch_model.bin", "old/weights.PT", "scores.pkl", "x.npy"])
def test_what_may_be_a_pickle_is_refused_and_nothing_is_fetched(
    name: str,
    model: Path,
    stand_in: StandInHub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in.files = {path.name: path.read_bytes() for path in model.iterdir() if path.is_file()}
    stand_in.files[name] = b"\x80\x04."

    error = refused(capsys, "download", REPOSITORY, "--output", tmp_path / "out")

    assert f"{REPOSITORY}: holds files that may be pickles" in error and name in error
    assert stand_in.fetched == [] and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("last.safetensors", b"\x80\x04.", "last.safetensors: does not hold the weights"),
        ("metadata.json", b"{}", "metadata.json: is not the description of a model"),
        ("recipe.yaml", b"!!python/object/apply:os.getcwd []", "recipe.yaml"),
        ("history.jsonl", b"{", "history.jsonl: is not one JSON object a line"),
        ("recipe.yaml", None, "is no model of this program"),
    ],
)
def test_what_is_not_a_whole_model_is_refused(
    name: str,
    content: bytes | None,
    message: str,
    model: Path,
    stand_in: StandInHub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = {path.name: path.read_bytes() for path in model.iterdir() if path.is_file()}
    stand_in.files = {
        key: value for key, value in (files | {name: content}).items() if value is not None
    }

    error = refused(capsys, "download", REPOSITORY, "--output", tmp_path / "out")

    assert f"error: {REPOSITORY}" in error and message in error
    assert not (tmp_path / "out").exists()


def test_other_files_of_a_repository_are_not_fetched(
    model: Path, stand_in: StandInHub, tmp_path: Path
) -> None:
    files = {path.name: path.read_bytes() for path in model.iterdir() if path.is_file()}
    stand_in.files = files | {"run.py": b"", "sub/more.safetensors": b"", "../up.safetensors": b""}

    assert exit_code_of(["hub", "download", REPOSITORY, "--output", str(tmp_path / "out")]) == 0

    # history.jsonl is empty, so that there is nothing to fetch of it.
    assert set(stand_in.fetched) == set(files) - {"notes.txt", "history.jsonl"}


def test_only_the_token_of_the_environment_is_used(
    model: Path,
    stand_in: StandInHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "token").write_text("stored-token")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN")
    assert "HF_TOKEN is not set" in refused(capsys, "upload", model, REPOSITORY)
    assert stand_in.tokens == set()
    stand_in.files = {path.name: path.read_bytes() for path in model.iterdir() if path.is_file()}

    assert exit_code_of(["hub", "download", REPOSITORY, "--output", str(tmp_path / "out")]) == 0

    assert stand_in.tokens == {None}


def test_what_the_hub_refuses_is_one_message_without_the_token(
    model: Path, stand_in: StandInHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(capsys, "download", "someone/else", "--output", tmp_path / "out")
    assert "someone/else: cannot download from the Hub: " in error and "404" in error
    error += refused(capsys, "upload", model, "no repository/name")
    assert "cannot upload to the Hub" in error
    assert "the-token" not in error


def test_no_network_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    error = refused(capsys, "download", REPOSITORY, "--output", tmp_path / "out")
    assert f"{REPOSITORY}: cannot download from the Hub: " in error


def test_a_damaged_model_is_not_uploaded(
    model: Path, stand_in: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    card = (model / "README.md").read_text()
    (model / "README.md").write_text(card.replace("license: other", "license: [other"))
    assert "README.md: is no model card" in refused(capsys, "upload", model, REPOSITORY)
    (model / "last.safetensors").write_bytes(b"")
    assert "does not hold the weights" in refused(capsys, "upload", model, REPOSITORY)
    assert stand_in.files is None


def test_the_hub_reads_the_measured_results_out_of_the_card(model: Path) -> None:
    card = ModelCard.load(model / "README.md")

    assert card.data.license == "other"
    assert card.data.library_name == "frhead-pipeline"
    assert card.data.datasets == ["nw-ucla"] and card.data.metrics == ["accuracy"]
    assert {"fr-head", "ctrgcn", "nw-ucla", "joint"} <= set(card.data.tags)
    results = {result.metric_name: result for result in card.data.eval_results}
    assert len(results) == 4
    last = results["Top-1 accuracy in percent, last epoch, measured with frhead-pipeline"]
    assert (last.metric_type, last.metric_value) == ("accuracy", 81.03)
    assert (last.dataset_type, last.dataset_split) == ("nw-ucla", "test")
    assert any("chosen on the test set" in name for name in results)


def test_a_model_without_measurements_claims_none(tmp_path: Path) -> None:
    recipe = override(load_recipe("nw-ucla"), ["model.base_channels=8", "head.enabled=false"])
    card = ModelCard.load(write_untrained(tmp_path / "m", recipe, "bone_motion") / "README.md")

    assert card.data.eval_results is None and card.data.metrics is None
    assert "bone-motion" in card.data.tags and "fr-head" not in card.data.tags
    assert "Nothing was measured" in card.text


def test_every_file_of_a_model_is_known_to_the_hub(model: Path) -> None:
    written = {path.name for path in model.iterdir() if path.is_file()} - {"notes.txt"}

    assert {name for name in written if hub._is_ours(name)} == written
    assert hub._is_ours("best_on_validation.safetensors") and len(MODEL_FILES) == 6
