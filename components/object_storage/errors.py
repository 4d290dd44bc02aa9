"""What a server or the way to it says, as one message without credentials.

A server's own text is not passed on: it may repeat what was sent to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, MaxRetryError, ResponseError

from components.object_storage.location import Location
from frhead_core.errors import InputError

_KEYS = "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the mounted secret"
_MEANINGS = {
    "NoSuchBucket": ("the bucket does not exist", "Make it, or correct its name"),
    "NoSuchKey": ("does not exist", None),
    "AccessDenied": ("access is denied", f"{_KEYS}, or ask for the right to use the bucket"),
    "SignatureDoesNotMatch": ("the access key or the secret key is wrong", _KEYS),
    "InvalidAccessKeyId": ("the access key is not known there", _KEYS),
    "ExpiredToken": ("the session token has expired", "Get a new one"),
    "InvalidToken": ("the session token is wrong", "Correct AWS_SESSION_TOKEN, or get a new one"),
    "RequestTimeTooSkewed": ("this machine's clock is wrong", "Set it"),
    "AuthorizationHeaderMalformed": ("the region is wrong", "Set AWS_REGION to the bucket's"),
    "PermanentRedirect": ("the bucket is elsewhere", "Set AWS_REGION or the endpoint"),
    "InvalidBucketName": ("is no name of a bucket", None),
    "QuotaExceeded": ("the storage is full", "Make room there"),
    "InsufficientStorage": ("the storage is full", "Make room there"),
}
# Damage on the way that the server noticed: sending it once more may help.
DAMAGED_ON_THE_WAY = {"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "InvalidDigest"}


class ObjectStorageError(InputError):
    """Object storage refuses, is out of reach, or holds something else than expected."""


class MissingObjectError(ObjectStorageError):
    """There is no such object, or no such bucket."""


class MissingBucketError(MissingObjectError):
    """There is no such bucket."""


class ChangedObjectError(ObjectStorageError):
    """An object was replaced while it was read."""


class DamagedObjectError(ObjectStorageError):
    """What arrived of an object does not have the expected checksum."""


@contextmanager
def asking(location: Location) -> Iterator[None]:
    """Turn what goes wrong within into one :class:`ObjectStorageError` about a location."""
    try:
        yield
    except S3Error as error:
        raise _refusal(error.code or "", location) from error
    except InvalidResponseError as error:
        raise _out_of_order(location, f"HTTP status {error._code}") from error
    except ServerError as error:
        raise _out_of_order(location, f"HTTP status {error.status_code}") from error
    except MaxRetryError as error:
        raise _out_of_reach(location, error.reason or error) from error
    except (HTTPError, MinioException, ValueError) as error:
        raise _out_of_reach(location, error) from error


def _refusal(code: str, location: Location) -> ObjectStorageError:
    problem, hint = _MEANINGS.get(code, (f"object storage refuses ({code})", None))
    if code == "NoSuchBucket":
        return MissingBucketError(problem, file=f"s3://{location.bucket}", hint=hint)
    kind = MissingObjectError if code.startswith("NoSuch") else ObjectStorageError
    return kind(problem, file=str(location), hint=hint)


def _out_of_order(location: Location, what: str) -> ObjectStorageError:
    return ObjectStorageError(
        f"object storage is out of order ({what})",
        file=str(location),
        hint="Try again later; what has arrived is kept",
    )


def _out_of_reach(location: Location, cause: Exception) -> ObjectStorageError:
    if isinstance(cause, ResponseError):
        return _out_of_order(location, str(cause))
    return ObjectStorageError(
        f"object storage cannot be reached ({type(cause).__name__})",
        file=str(location),
        hint="Check the endpoint and the network, and try again; what has arrived is kept",
    )
