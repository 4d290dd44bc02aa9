from __future__ import annotations

import os
import threading
import time

import pytest

from components.object_storage.client import ObjectStore, Patience
from components.object_storage.connection import Settings
from components.object_storage.errors import (
    ChangedObjectError,
    MissingObjectError,
    ObjectStorageError,
)
from components.object_storage.location import Location
from frhead_core.errors import InputError
from tests.s3_fixtures import ACCESS_KEY, QUICK, SECRET_KEY

pytestmark = pytest.mark.s3


def test_what_is_put_is_read_whole_and_by_ranges(store, bucket):
    place = bucket / "folder" / "object"
    store.put(place, b"0123456789", "ab" * 32)

    facts = store.head(place)
    assert (facts.size, facts.sha256) == (10, "ab" * 32)
    assert facts.asked is not None
    assert store.read(place) == b"0123456789"
    assert store.read(place, 3, 4, facts.etag) == b"3456"
    assert [each.location for each in store.objects(bucket)] == [place]
    store.remove(place)
    store.remove(place)
    with pytest.raises(MissingObjectError, match="does not exist"):
        store.head(place)


def test_an_object_that_is_replaced_is_noticed(store, bucket):
    store.put(bucket / "object", b"old")
    facts = store.head(bucket / "object")
    store.put(bucket / "object", b"new")

    with pytest.raises(ChangedObjectError, match="replaced while it was read"):
        store.read(facts.location, 0, 3, facts.etag)


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "reset_within", "truncated"])
def test_broken_connections_are_tried_again(kind, faulty_store, proxy, bucket):
    content = os.urandom(100_000)
    proxy.plan(kind, "PUT")
    faulty_store.put(bucket / "object", content)
    proxy.plan(kind, "GET", times=2)

    assert faulty_store.read(bucket / "object") == content
    assert not any(fault.times for fault in proxy.faults)


def test_a_server_out_of_order_is_asked_again(faulty_store, proxy, bucket):
    proxy.plan("status", "PUT", status=503, times=2)
    proxy.plan("status", "PUT", status=500)
    proxy.plan("status", "PUT", status=429)

    faulty_store.put(bucket / "object", b"content")

    assert proxy.count("PUT") == 5


def test_a_server_says_how_long_to_wait(faulty_store, proxy, bucket):
    waits = Patience(attempts=2, backoff=0.0, longest_wait=5.0)
    proxy.plan("status", "PUT", headers={"Retry-After": "1"})
    begin = time.monotonic()

    ObjectStore(patience=waits).put(bucket / "object", b"content")

    assert time.monotonic() - begin >= 1
    assert proxy.count("PUT") == 2


def test_a_long_wait_that_is_asked_for_is_cut_short(faulty_store, proxy, bucket):
    proxy.plan("status", "PUT", headers={"Retry-After": "86400"})

    faulty_store.put(bucket / "object", b"content")

    assert faulty_store.read(bucket / "object") == b"content"


def test_a_server_that_stays_out_of_order_is_told_of(faulty_store, proxy, bucket):
    proxy.plan("status", times=1000)

    with pytest.raises(ObjectStorageError, match=r"out of order \(HTTP status 503\)") as caught:
        faulty_store.put(bucket / "object", b"content")
    assert SECRET_KEY not in str(caught.value)
    assert str(bucket) in str(caught.value)


def test_slow_answers_are_waited_for_and_given_up_in_the_end(proxy, bucket):
    store = ObjectStore(patience=Patience(attempts=1, backoff=0.0, read_timeout=0.5))
    proxy.plan("slow", "PUT", seconds=0.2)
    store.put(bucket / "object", b"content")
    proxy.plan("slow", "PUT", seconds=1.0)
    store.put(bucket / "object", b"content")
    proxy.plan("slow", "PUT", seconds=1.0, times=2)
    with pytest.raises(ObjectStorageError, match="cannot be reached"):
        store.put(bucket / "object", b"content")


def test_damage_on_the_way_is_noticed_by_the_server_and_sent_again(faulty_store, proxy, bucket):
    proxy.plan("damaged_request", "PUT", times=2)

    faulty_store.put(bucket / "object", b"content")

    assert faulty_store.read(bucket / "object") == b"content"
    assert proxy.count("PUT") == 3


def test_nobody_at_the_endpoint(bucket, monkeypatch):
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(ObjectStorageError, match="cannot be reached"):
        ObjectStore(patience=QUICK).head(bucket / "object")


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials(variable, bucket, monkeypatch):
    monkeypatch.setenv(variable, "wrong-and-private")
    store = ObjectStore(patience=QUICK)

    for ask in (lambda: store.head(bucket / "x"), lambda: store.put(bucket / "x", b"")):
        with pytest.raises(ObjectStorageError, match="AWS_SECRET_ACCESS_KEY") as caught:
            ask()
        for private in ("wrong-and-private", ACCESS_KEY, SECRET_KEY):
            assert private not in str(caught.value)


def test_a_missing_bucket_is_named(store):
    nowhere = Location("no-such-bucket-here", "object")

    for ask in (
        lambda: store.head(nowhere),
        lambda: store.read(nowhere),
        lambda: store.put(nowhere, b""),
        lambda: list(store.objects(nowhere)),
        lambda: store.begin_upload(nowhere, ""),
    ):
        with pytest.raises(MissingObjectError, match="no-such-bucket-here: the bucket"):
            ask()


def test_of_several_who_create_an_object_one_succeeds(store, bucket):
    place, won = bucket / "lock", []

    def create(number: int) -> None:
        if store.put_if_absent(place, f"writer {number}".encode()):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert store.read(place) == f"writer {won[0]}".encode()


def test_a_creation_whose_answer_was_lost_counts(faulty_store, proxy, bucket):
    proxy.plan("reset_after", "PUT")

    assert faulty_store.put_if_absent(bucket / "lock", b"mine")
    assert not faulty_store.put_if_absent(bucket / "lock", b"other")


def test_credentials_come_from_files_that_may_change(tmp_path):
    settings = Settings({"S3_SECRET_DIRECTORY": str(tmp_path)})
    with pytest.raises(InputError, match="AWS_ACCESS_KEY_ID: there are no credentials"):
        settings.retrieve()
    (tmp_path / "accesskey").write_text("key\n")
    (tmp_path / "secretkey").write_text("first\n")
    assert settings.retrieve().secret_key == "first"
    (tmp_path / "secretkey").write_text("second")
    (tmp_path / "AWS_SESSION_TOKEN").write_text("token")

    credentials = settings.retrieve()

    assert (credentials.access_key, credentials.secret_key) == ("key", "second")
    assert credentials.session_token == "token"
    assert "second" not in repr(settings)


def test_a_variable_wins_over_a_file(tmp_path):
    (tmp_path / "AWS_REGION").write_text("eu-north-1")
    directory = {"S3_SECRET_DIRECTORY": str(tmp_path)}

    assert Settings(directory).region == "eu-north-1"
    assert Settings({**directory, "AWS_REGION": "eu-west-1"}).region == "eu-west-1"
    assert Settings({}).region is None
    assert Settings({"S3_ENDPOINT": "http://localhost:1"}).region == "us-east-1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://host:9000", ("host:9000", False)),
        ("host:9000/", ("host:9000", True)),
        ("", ("s3.amazonaws.com", True)),
    ],
)
def test_endpoints(text, expected):
    assert Settings({"AWS_ENDPOINT_URL": text}).endpoint == expected


@pytest.mark.parametrize("text", ["ftp://host", "http://a:private@host", "http://host/path", "//"])
def test_strange_endpoints_are_refused_without_repeating_them(text):
    with pytest.raises(InputError, match="S3_ENDPOINT") as caught:
        _ = Settings({"S3_ENDPOINT": text}).endpoint
    assert "private" not in str(caught.value)
