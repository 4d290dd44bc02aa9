from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.object_storage.location import Location, is_uri
from frhead_core.errors import InputError

PART = st.text("abz019-_.=+ é", min_size=1, max_size=8).filter(lambda part: part not in (".", ".."))


@given(bucket=st.from_regex(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", fullmatch=True), key=st.lists(PART))
def test_a_location_is_read_from_its_own_text(bucket, key):
    location = Location(bucket, "/".join(key))

    assert Location.parse(str(location)) == location
    assert Location.parse(f"{location}/") == location


@pytest.mark.parametrize(
    "text",
    [
        *("", "bucket/key", "/folder", "s3:/bucket/key", "S3://bucket/key", "https://host/key"),
        *("s3://", "s3:///key", "s3://ab/key", "s3://Bucket/key", "s3://a..b/key"),
        *("s3://user:secret@host/key", "s3://bucket/a//b", "s3://bucket/../x", "s3://bucket/a\nb"),
        f"s3://bucket/{'x' * 1025}",
    ],
)
def test_other_texts_are_refused(text):
    with pytest.raises(InputError):
        Location.parse(text)


def test_parts_of_a_location():
    location = Location.parse("s3://bucket") / "models" / "joint"

    assert str(location) == "s3://bucket/models/joint"
    assert (location.name, location.prefix) == ("joint", "models/joint/")
    assert Location("bucket").prefix == ""
    assert is_uri("s3://bucket")
    assert not is_uri("folder/s3")
