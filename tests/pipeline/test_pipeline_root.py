"""What steps make goes to a real S3 server and comes back, or is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.object_storage.client import ObjectStore
from components.object_storage.errors import MissingBucketError, ObjectStorageError
from components.object_storage.location import Location
from frhead_core.errors import InputError
from pipeline.pipeline_root import (
    PipelineRoot,
    StoredArtifact,
    StoredStep,
    UnusableResultError,
    stored_files,
    usable_root,
)
from tests.s3_fixtures import SECRET_KEY
from tests.s3_proxy import FaultyProxy

s3 = pytest.mark.s3
FILES = {"model/weights": b"w" * 3_000_000, "model/deep/history": b"h", "report": b"text"}


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Path]:
    """A folder, a file and an empty folder, as steps make them."""
    for name, content in FILES.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "made" / "nothing").mkdir()
    return {name: tmp_path / "made" / name for name in ("model", "report", "nothing")}


@pytest.fixture
def step(made: dict[str, Path]) -> StoredStep:
    artifacts = {
        name: StoredArtifact("system.Model", name, {"epochs": 2}, stored_files(place))
        for name, place in made.items()
    }
    return StoredStep({"mark": "m"}, artifacts)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def object_of(bucket: Location, step: StoredStep, output: str) -> Location:
    return bucket / f"root/files/{step.artifacts[output].files[-1].sha256}"


@s3
def test_a_step_goes_there_and_back(
    store: ObjectStore, bucket: Location, made: dict[str, Path], step: StoredStep, tmp_path: Path
) -> None:
    root = PipelineRoot(bucket / "root", store)
    assert root.find("key") is None
    assert not root.holds("key")

    root.send("key", step, made)

    assert root.holds("key")
    assert root.find("key") == step
    places = root.fetch(step, tmp_path / "fetched")
    assert contents(tmp_path / "fetched") == FILES
    assert {name: place.is_dir() for name, place in places.items()} == {
        "model": True,
        "report": False,
        "nothing": True,
    }


@s3
def test_what_was_sent_in_part_is_not_taken_for_whole_and_is_gone_on_with(
    faulty_store: ObjectStore,
    proxy: FaultyProxy,
    bucket: Location,
    made: dict[str, Path],
    step: StoredStep,
) -> None:
    root = PipelineRoot(bucket / "root", faulty_store)
    proxy.plan("status", "PUT", step.artifacts["report"].files[0].sha256, times=1000)
    with pytest.raises(ObjectStorageError, match="out of order"):
        root.send("key", step, made)
    assert root.find("key") is None
    proxy.faults.clear()
    proxy.requests.clear()

    root.send("key", step, made)

    assert proxy.count("PUT") == 2  # the report and the list
    assert root.find("key") == step


@s3
def test_what_was_fetched_in_part_is_gone_on_with(
    faulty_store: ObjectStore,
    proxy: FaultyProxy,
    bucket: Location,
    made: dict[str, Path],
    step: StoredStep,
    tmp_path: Path,
) -> None:
    root = PipelineRoot(bucket / "root", faulty_store)
    root.send("key", step, made)
    report = step.artifacts["report"].files[0].sha256
    proxy.plan("status", "GET", report, times=1000)
    with pytest.raises(ObjectStorageError, match="out of order"):
        root.fetch(step, tmp_path / "fetched")
    proxy.faults.clear()
    proxy.requests.clear()

    root.fetch(step, tmp_path / "fetched")

    assert proxy.count("GET") == proxy.count("GET", report) == 1
    assert contents(tmp_path / "fetched") == FILES


@s3
def test_a_damaged_file_is_noticed_and_replaced_when_its_content_comes_again(
    store: ObjectStore, bucket: Location, made: dict[str, Path], step: StoredStep, tmp_path: Path
) -> None:
    root = PipelineRoot(bucket / "root", store)
    root.send("key", step, made)
    damaged = object_of(bucket, step, "report")
    store.put(damaged, b"tixt", damaged.name)  # the recorded checksum is that of the content

    with pytest.raises(UnusableResultError, match=f"{damaged}: is damaged"):
        root.fetch(step, tmp_path / "fetched")
    root.send("key", step, made)

    root.fetch(step, tmp_path / "fetched")
    assert contents(tmp_path / "fetched") == FILES


@s3
def test_what_is_damaged_on_its_way_only_is_fetched_again(
    faulty_store: ObjectStore,
    proxy: FaultyProxy,
    bucket: Location,
    made: dict[str, Path],
    step: StoredStep,
    tmp_path: Path,
) -> None:
    root = PipelineRoot(bucket / "root", faulty_store)
    root.send("key", step, made)
    proxy.plan("damaged_answer", "GET", step.artifacts["report"].files[0].sha256)

    root.fetch(step, tmp_path / "fetched")

    assert proxy.faults[0].times == 0
    assert contents(tmp_path / "fetched") == FILES


@s3
def test_a_missing_file_and_a_damaged_list_are_named(
    store: ObjectStore, bucket: Location, made: dict[str, Path], step: StoredStep, tmp_path: Path
) -> None:
    root = PipelineRoot(bucket / "root", store)
    root.send("key", step, made)
    missing = object_of(bucket, step, "report")
    store.remove(missing)
    with pytest.raises(UnusableResultError, match=f"{missing}: is missing"):
        root.fetch(step, tmp_path / "fetched")

    content = step.to_json()
    store.put(bucket / "root/steps/key.json", content.replace(b'"m"', b'"n"'), step.digest)
    with pytest.raises(UnusableResultError, match=r"steps/key.json: is not the list .*checksum"):
        root.find("key")


@s3
def test_a_file_that_changed_after_its_step_is_not_stored_under_the_old_name(
    store: ObjectStore, bucket: Location, made: dict[str, Path], step: StoredStep
) -> None:
    root = PipelineRoot(bucket / "root", store)
    made["report"].write_bytes(b"other")

    with pytest.raises(InputError, match="report: has changed since"):
        root.send("key", step, made)

    assert store.find(object_of(bucket, step, "report")) is None
    assert not root.holds("key")


@s3
def test_a_root_that_cannot_be_used_is_refused_at_once(
    bucket: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = usable_root(f"{bucket}/root")
    assert str(root) == f"{bucket}/root"
    assert usable_root("") is None
    with pytest.raises(MissingBucketError, match="s3://no-such-bucket: the bucket does not exist"):
        usable_root("s3://no-such-bucket/root")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", wrong := SECRET_KEY + "-wrong")
    with pytest.raises(ObjectStorageError, match="secret key is wrong") as caught:
        usable_root(f"{bucket}/root")
    assert wrong not in str(caught.value)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match="there are no credentials"):
        usable_root(f"{bucket}/root")


VALID = {
    "format_version": 1,
    "parameters": {},
    "artifacts": {
        "model": {
            "type": "system.Model",
            "name": "model",
            "metadata": {},
            "files": [{"name": "a/b", "size": 3, "sha256": "0" * 64}],
        }
    },
}


def changed(file: dict[str, object], output: str = "model", version: int = 1) -> bytes:
    values = json.loads(json.dumps(VALID)) | {"format_version": version}
    artifact = values["artifacts"].pop("model")
    artifact["files"][0] |= file
    values["artifacts"][output] = artifact
    return json.dumps(values).encode()


def test_a_valid_list_is_read() -> None:
    (file,) = StoredStep.from_json(changed({})).artifacts["model"].files
    assert (file.name, file.size) == ("a/b", 3)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        changed({}, version=2),
        changed({}, output="../model"),
        changed({}, output=""),
        changed({}, output="/model"),
        changed({"name": "../outside"}),
        changed({"name": "/outside"}),
        changed({"name": "a//b"}),
        changed({"name": "a\0b"}),
        changed({"name": 3}),
        changed({"size": "3"}),
        changed({"size": True}),
        changed({"sha256": "../../other"}),
        changed({"more": 1}),
    ],
)
def test_a_list_that_is_none_or_leads_elsewhere_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        StoredStep.from_json(content)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(
                    ["format_version", "artifacts", "parameters", "files", "metadata", "a"]
                ),
                x,
            )
        ),
    )
)
def test_any_other_json_is_refused_in_the_same_way(values: object) -> None:
    with pytest.raises(ValueError):
        StoredStep.from_json(json.dumps(values).encode())
