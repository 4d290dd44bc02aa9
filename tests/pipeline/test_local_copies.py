"""``s3://`` where a model or a file is read: fetched once, checked, and never half."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from components.object_storage.client import ObjectStore
from components.object_storage.directories import push
from components.object_storage.errors import MissingObjectError, ObjectStorageError
from components.object_storage.location import Location
from frhead_core.config import Recipe, load_recipe, override
from frhead_core.errors import InputError
from frhead_core.evaluation.predict import evaluate_model
from frhead_core.evaluation.scores import read_scores
from frhead_core.progress import SILENT
from frhead_core.training.artifact import ModelArtifact
from pipeline.cli import exit_code_of
from pipeline.local_copies import local_copy
from tests.frhead_core.training.test_import_weights import state_of
from tests.s3_proxy import FaultyProxy
from tests.untrained import write_untrained

pytestmark = pytest.mark.s3


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path / "cache"


@pytest.fixture
def recipe() -> Recipe:
    return override(load_recipe("demo-nw-ucla"), ["model.base_channels=8"])


@pytest.fixture
def model(recipe: Recipe, tmp_path: Path) -> Path:
    return write_untrained(tmp_path / "joint", recipe, "joint")


def test_a_path_is_itself(tmp_path: Path) -> None:
    assert local_copy(tmp_path / "x") == tmp_path / "x"
    assert local_copy("relative/x") == Path("relative/x")
    with pytest.raises(InputError, match="is not in object storage"):
        local_copy("gs://bucket/x")


def test_a_folder_is_fetched_once_and_follows_its_original(
    bucket: Location, proxy: FaultyProxy, store: ObjectStore, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in "ab":
        (folder / name).write_text(name)
    push(folder, bucket / "folder", store)

    copy = local_copy(str(bucket / "folder"), SILENT)
    assert {path.name: path.read_text() for path in copy.iterdir()} == {"a": "a", "b": "b"}

    proxy.requests.clear()
    assert local_copy(str(bucket / "folder"), SILENT) == copy
    assert proxy.count("GET", "/folder/") == 0  # only asked about

    store.remove(bucket / "folder/a")
    store.put(bucket / "folder/b", b"other")
    local_copy(str(bucket / "folder"), SILENT)
    assert {path.name: path.read_text() for path in copy.iterdir()} == {"b": "other"}


def test_what_is_damaged_or_not_there_is_told(
    bucket: Location, proxy: FaultyProxy, store: ObjectStore
) -> None:
    store.put(bucket / "file.pt", b"content", "0" * 64)
    with pytest.raises(ObjectStorageError, match="has another checksum"):
        local_copy(str(bucket / "file.pt"), SILENT)
    with pytest.raises(MissingObjectError, match="does not exist"):
        local_copy(str(bucket / "none"), SILENT)


def test_a_model_and_a_store_there_are_evaluated(
    bucket: Location, store: ObjectStore, model: Path, synthetic_store: Path, tmp_path: Path
) -> None:
    push(model, bucket / "joint", store)
    push(synthetic_store, bucket / "store", store)
    there = ["--model", str(bucket / "joint"), "--data", str(bucket / "store")]
    assert exit_code_of(["evaluate", *there, "--output", str(tmp_path / "scores")]) == 0
    expected = evaluate_model(model, synthetic_store, part="test", device="cpu")
    found = read_scores(tmp_path / "scores" / "last.npz", recipe=load_recipe("demo-nw-ucla"))
    assert np.array_equal(found.logits, expected.logits)


def test_weights_there_are_imported(
    bucket: Location, store: ObjectStore, golden_folder: Path, tmp_path: Path
) -> None:
    torch.save(state_of("ctrgcn", golden_folder), tmp_path / "weights.pt")
    push(tmp_path / "weights.pt", bucket / "weights.pt", store)
    options = ["--benchmark", "demo-nw-ucla", "--output"]
    for place, output in ((tmp_path, "here"), (bucket, "there")):
        file = str(place / "weights.pt")
        assert exit_code_of(["import-weights", file, *options, str(tmp_path / output)]) == 0
    here, there = (ModelArtifact.open(tmp_path / name) for name in ("here", "there"))
    assert there.metadata == here.metadata
    assert there.kept_weights() == here.kept_weights()


def test_an_output_there_is_refused_with_what_to_do(
    synthetic_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "demo-nw-ucla", "--modality", "joint", "--data", str(synthetic_store)]
    assert exit_code_of([*command, "--output", "s3://bucket/model"]) == 2
    assert "`frhead data push`" in capsys.readouterr().err
