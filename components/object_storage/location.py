"""Places in object storage: ``s3://bucket/key``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from frhead_core.errors import InputError

SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_KEY = 1024  # bytes of UTF-8, as in Amazon S3


@dataclass(frozen=True)
class Location:
    """An object, or all objects whose keys begin with ``key`` and a slash.

    Attributes:
        bucket: Name of the bucket.
        key: Without slashes at its ends; empty for the whole bucket.
    """

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> Location:
        """The location that a URI names.

        Raises:
            InputError: If it is no ``s3://bucket/key``, or such a name is not allowed.
        """
        if not is_uri(text):
            raise InputError("is not in object storage", file=text, expected="s3://bucket/key")
        bucket, _, key = text.removeprefix(SCHEME).partition("/")
        if not _BUCKET.fullmatch(bucket) or ".." in bucket:
            raise InputError(
                "is no name of a bucket",
                file=text,
                found=repr(bucket),
                expected="3 to 63 small letters, digits, hyphens and dots, as in s3://bucket/key",
            )
        key = key.strip("/")
        if any(part in ("", ".", "..") for part in key.split("/")) and key:
            raise InputError("has an empty or relative part in its key", file=text, found=key)
        if len(key.encode()) > _LONGEST_KEY or not key.isprintable():
            raise InputError(
                "has a key that is too long or not printable",
                file=text,
                expected=f"at most {_LONGEST_KEY} bytes",
            )
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}".rstrip("/")

    def __truediv__(self, name: str) -> Location:
        return Location(self.bucket, f"{self.key}/{name}".lstrip("/"))

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def prefix(self) -> str:
        """What the keys of the objects below begin with."""
        return f"{self.key}/" if self.key else ""


def is_uri(place: str | Path) -> bool:
    """Whether a place is in object storage, and not on this machine."""
    return str(place).startswith(SCHEME)
