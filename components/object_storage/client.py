"""Single requests to an S3 server, each repeated while there is hope, and answered in our terms.

The client library's public methods cannot go on with an upload that was interrupted, nor create an
object only if it is absent. So this module, and no other, uses the requests beneath them.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import certifi
import urllib3
from minio import Minio
from minio.datatypes import ListMultipartUploadsResult, Part
from minio.error import S3Error
from urllib3.util import Retry, Timeout

from components.object_storage.connection import Settings
from components.object_storage.errors import (
    DAMAGED_ON_THE_WAY,
    ChangedObjectError,
    MissingBucketError,
    MissingObjectError,
    ObjectStorageError,
    asking,
)
from components.object_storage.location import Location

SHA256 = "x-amz-meta-sha256"
_TIMES_DAMAGED = 4


@dataclass(frozen=True)
class Patience:
    """How long to try.

    Attributes:
        attempts: Repetitions of a request that failed on the way or was put off (429, 5xx).
        backoff: Seconds before the second repetition; doubled before every further one.
        longest_wait: Seconds between two at most, also when a server asks for more (Retry-After).
        connect_timeout: Seconds to reach the server.
        read_timeout: Seconds to wait for the next bytes of an answer.
        settling: Seconds after which no request is under way any more that was begun before.
    """

    attempts: int = 7
    backoff: float = 0.5
    longest_wait: float = 60.0
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    settling: float = 1.0

    def pool(self) -> urllib3.PoolManager:
        """Connections with this patience."""
        return urllib3.PoolManager(
            maxsize=16,
            timeout=Timeout(connect=self.connect_timeout, read=self.read_timeout),
            cert_reqs="CERT_REQUIRED",
            ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
            retries=Retry(
                total=self.attempts,
                backoff_factor=self.backoff,
                backoff_max=self.longest_wait,
                backoff_jitter=self.backoff / 2,
                retry_after_max=int(self.longest_wait),
                status_forcelist=(429, 500, 502, 503, 504),
                allowed_methods=None,  # all requests made here may be repeated
                raise_on_status=False,
            ),
        )


@dataclass(frozen=True)
class ObjectFacts:
    """What a server says of an object.

    Attributes:
        location: Where it is.
        size: Bytes.
        etag: Changes when its content changes.
        modified: When it was written, by the server's clock.
        sha256: Of its content, as hex, where whoever wrote it said so (not from listings).
        asked: When the server was asked, by its own clock; as ``modified`` from listings.
    """

    location: Location
    size: int
    etag: str
    modified: datetime
    sha256: str | None = None
    asked: datetime | None = None


class ObjectStore:
    """An S3 server.

    Args:
        settings: Which, and as whom.
        patience: How long to try.
    """

    def __init__(self, settings: Settings | None = None, patience: Patience | None = None) -> None:
        settings = settings or Settings()
        host, secure = settings.endpoint
        self._patience = patience or Patience()
        self._client = Minio(
            host,
            secure=secure,
            region=settings.region,
            credentials=settings,
            http_client=self._patience.pool(),
        )

    def head(self, location: Location) -> ObjectFacts:
        """Facts about an object.

        Raises:
            MissingObjectError: If there is none, or no bucket.
            ObjectStorageError: If the server refuses or cannot be reached.
        """
        try:
            with asking(location):
                found = self._client.stat_object(location.bucket, location.key)
        except MissingObjectError:
            self._refuse_missing_bucket(location)
            raise
        headers: Mapping[str, str] = found.metadata or {}
        date = headers.get("date")
        assert found.size is not None and found.etag is not None
        assert found.last_modified is not None
        return ObjectFacts(
            location,
            found.size,
            found.etag,
            found.last_modified,
            headers.get(SHA256),
            parsedate_to_datetime(date) if date else None,
        )

    def find(self, location: Location) -> ObjectFacts | None:
        """Facts about an object; None if there is none.

        Raises:
            ObjectStorageError: If there is no such bucket, or the server refuses.
        """
        try:
            return self.head(location)
        except MissingBucketError:
            raise
        except MissingObjectError:
            return None

    def check(self, location: Location) -> None:
        """See that there is such a bucket, and that its objects may be listed.

        Raises:
            ObjectStorageError: If not.
        """
        next(self.objects(location, recursive=False), None)

    def _refuse_missing_bucket(self, location: Location) -> None:
        """An answer to HEAD says only that something is missing."""
        with asking(location):
            if not self._client.bucket_exists(location.bucket):
                raise MissingBucketError(
                    "the bucket does not exist",
                    file=f"s3://{location.bucket}",
                    hint="Make it, or correct its name",
                )

    def read(
        self, location: Location, begin: int = 0, size: int | None = None, etag: str | None = None
    ) -> bytes:
        """The content of an object, or ``size`` bytes of it from ``begin`` on.

        Raises:
            ChangedObjectError: If it is not the one with this ``etag`` any more.
            ObjectStorageError: As above.
        """
        if size == 0:
            return b""
        headers: dict[str, Any] = (
            {} if size is None else {"Range": f"bytes={begin}-{begin + size - 1}"}
        )
        with asking(location):
            try:
                answer = self._client._execute(
                    "GET", location.bucket, location.key, headers=headers
                )
            except S3Error as error:
                if error.code == "InvalidRange":  # it has become shorter
                    raise _changed(location) from error
                raise
        content: bytes = answer.data
        if etag is not None and answer.headers.get("etag", "").strip('"') != etag:
            raise _changed(location)
        if size is not None and len(content) != size:
            raise ObjectStorageError(
                "object storage sent another range than was asked for",
                file=str(location),
                found=f"{len(content)} bytes",
                expected=size,
            )
        return content

    def put(self, location: Location, content: bytes, sha256: str | None = None) -> None:
        """Write an object whole, whatever was there; the server checks that it arrived whole."""
        headers = checked(content)
        if sha256 is not None:
            headers[SHA256] = sha256
        client = self._client
        _sent(
            location,
            lambda: client._put_object(location.bucket, location.key, content, dict(headers)),
        )

    def put_if_absent(self, location: Location, content: bytes) -> bool:
        """Create an object unless there is one; of several at the same time one succeeds.

        Amazon S3 decides that by itself. Others (OpenStack Swift) look first and write then, so
        that several may be told that they succeeded: after a moment all of them see who did.

        Args:
            location: The object.
            content: No other writer may have the same.

        Returns:
            Whether it was created. Where the answer was lost, what is there tells.
        """
        headers = {**checked(content), "If-None-Match": "*"}

        def create() -> None:
            try:
                self._client._put_object(location.bucket, location.key, content, dict(headers))
                time.sleep(self._patience.settling)
            except S3Error as error:
                if error.code not in ("PreconditionFailed", "ConditionalRequestConflict"):
                    raise

        _sent(location, create)
        return self.read(location) == content

    def objects(self, location: Location, *, recursive: bool = True) -> Iterator[ObjectFacts]:
        """The objects below a location in the order of their keys; their ``sha256`` is not told."""
        with asking(location):
            for each in self._client.list_objects(
                location.bucket, prefix=location.prefix, recursive=recursive
            ):
                if each.is_dir or each.object_name.endswith("/"):
                    continue
                place = Location(location.bucket, each.object_name)
                yield ObjectFacts(place, each.size, each.etag.strip('"'), each.last_modified)

    def remove(self, location: Location) -> None:
        """Remove an object; it is no error if there is none."""
        with asking(location):
            self._client.remove_object(location.bucket, location.key)

    def begin_upload(self, location: Location, sha256: str) -> str:
        """Begin to send an object in parts; the id of the upload."""
        with asking(location):
            return str(
                self._client._create_multipart_upload(
                    location.bucket, location.key, {SHA256: sha256}
                )
            )

    def uploads(self, location: Location) -> list[str]:
        """Ids of the uploads of an object that were begun and not finished."""
        found = self._unfinished(location, location.key)
        return [upload for place, upload in found if place == location]

    def uploads_below(self, location: Location) -> list[tuple[Location, str]]:
        """Unfinished uploads of objects below a location, a thousand at most: object and id."""
        return self._unfinished(location, location.prefix)

    def _unfinished(self, location: Location, prefix: str) -> list[tuple[Location, str]]:
        with asking(location):
            # The library's method sends an empty delimiter, which not all servers take for none.
            answer = self._client._execute(
                "GET", location.bucket, query_params={"uploads": "", "prefix": prefix}
            )
            found = ListMultipartUploadsResult(answer).uploads
        return [
            (Location(location.bucket, str(each.object_name)), str(each.upload_id))
            for each in found
        ]

    def parts(self, location: Location, upload: str) -> dict[int, tuple[str, int]]:
        """Parts that an upload has: ETag and size by number."""
        parts: dict[int, tuple[str, int]] = {}
        marker = None
        while True:
            with asking(location):
                found = self._client._list_parts(
                    location.bucket, location.key, upload, part_number_marker=marker
                )
            parts |= {p.part_number: (p.etag.strip('"'), p.size or 0) for p in found.parts}
            marker = found.next_part_number_marker
            if not found.is_truncated or not marker:
                return parts

    def send_part(self, location: Location, upload: str, number: int, content: bytes) -> str:
        """Send one part, numbered from 1; its ETag."""
        headers = checked(content)
        client = self._client
        etag: str = _sent(
            location,
            lambda: client._upload_part(
                location.bucket, location.key, content, dict(headers), upload, number
            ),
        )
        return etag

    def finish_upload(self, location: Location, upload: str, etags: Mapping[int, str]) -> None:
        """Make the object of its parts."""
        parts = [Part(number, etag) for number, etag in sorted(etags.items())]
        with asking(location):
            self._client._complete_multipart_upload(location.bucket, location.key, upload, parts)

    def drop_upload(self, location: Location, upload: str) -> None:
        """Forget an upload and its parts."""
        with asking(location):
            self._client._abort_multipart_upload(location.bucket, location.key, upload)


def _changed(location: Location) -> ChangedObjectError:
    return ChangedObjectError(
        "has been replaced while it was read",
        file=str(location),
        hint="Start again; nothing was made from two versions",
    )


def checked(content: bytes) -> dict[str, str]:
    """The header by which a server notices that a content was damaged on its way."""
    return {
        "Content-MD5": base64.b64encode(
            hashlib.md5(content, usedforsecurity=False).digest()
        ).decode()
    }


def _sent(location: Location, send: Callable[[], Any]) -> Any:
    """Send, and once more when the server says that it was damaged on the way."""
    with asking(location):
        for _ in range(_TIMES_DAMAGED - 1):
            try:
                return send()
            except S3Error as error:
                if error.code not in DAMAGED_ON_THE_WAY:
                    raise
        return send()
