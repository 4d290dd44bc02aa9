"""Which server to talk to, and as whom: from the environment or a mounted secret, nothing else.

==========================  =====================================================================
``S3_ENDPOINT``             also ``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``: ``http://host:9000``,
                            or ``host:9000`` for https; without any it is Amazon S3
``AWS_REGION``              also ``AWS_DEFAULT_REGION``
``AWS_ACCESS_KEY_ID``       with ``AWS_SECRET_ACCESS_KEY`` and, where there is one,
                            ``AWS_SESSION_TOKEN``
``S3_SECRET_DIRECTORY``     a folder with a file for each of the names above; a mounted Kubernetes
                            secret with ``accesskey`` and ``secretkey`` is understood as well
==========================  =====================================================================

A variable wins over a file. Files are read again when a request is signed, so that a secret may be
changed while a long training runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from minio.credentials.credentials import Credentials
from minio.credentials.providers import Provider

from frhead_core.errors import InputError

SECRET_DIRECTORY = "S3_SECRET_DIRECTORY"
ENDPOINT = ("S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
ACCESS_KEY = ("AWS_ACCESS_KEY_ID", "accesskey")
SECRET_KEY = ("AWS_SECRET_ACCESS_KEY", "secretkey")
SESSION_TOKEN = ("AWS_SESSION_TOKEN",)
_AMAZON = "s3.amazonaws.com"


@dataclass(frozen=True)
class Settings(Provider):
    """Where settings come from; what it holds is not shown when it is printed.

    Attributes:
        environment: The variables of the process.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def value(self, names: tuple[str, ...]) -> str:
        """The first of several names that is set, as a variable or else as a file; or empty."""
        directory = self.environment.get(SECRET_DIRECTORY)
        for name in names:
            if self.environment.get(name):
                return self.environment[name]
        files = [Path(directory) / name for name in names] if directory else []
        for file in files:
            if file.is_file():
                return _text(file)
        return ""

    def retrieve(self) -> Credentials:
        """The credentials of now.

        Raises:
            InputError: If there are none.
        """
        access, secret = self.value(ACCESS_KEY), self.value(SECRET_KEY)
        for name, found in ((ACCESS_KEY[0], access), (SECRET_KEY[0], secret)):
            if not found:
                raise InputError(
                    "there are no credentials for object storage",
                    field=name,
                    found="nothing in the environment"
                    + f" or in the folder that {SECRET_DIRECTORY} names",
                    hint="docs/object-storage.md says where they are looked for",
                )
        return Credentials(access, secret, self.value(SESSION_TOKEN) or None)

    @property
    def endpoint(self) -> tuple[str, bool]:
        """Host with port, and whether to speak https.

        Raises:
            InputError: If the endpoint is no address.
        """
        text = self.value(ENDPOINT) or f"https://{_AMAZON}"
        parts = urlsplit(text if "://" in text else f"https://{text}")
        more = parts.path.strip("/") or parts.query or parts.username or parts.password
        if parts.scheme not in ("http", "https") or not parts.hostname or more:
            raise InputError(  # the address itself is not repeated: it may hold a password
                "the address of the object storage cannot be used",
                field=" or ".join(ENDPOINT),
                expected="like https://host:9000, without a path or a password",
            )
        return parts.netloc, parts.scheme == "https"

    @property
    def region(self) -> str | None:
        """The region; None to ask Amazon for the bucket's."""
        amazon = self.endpoint[0].endswith("amazonaws.com")
        return self.value(REGION) or (None if amazon else "us-east-1")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot be read as text", file=file) from error
