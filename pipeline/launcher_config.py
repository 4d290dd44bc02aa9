"""The ``kfp-launcher`` ConfigMap: where the object store of a namespace is.

The launcher, which copies artifacts into a pod and out of it, reads ``providers``. The steps read
the same settings as variables (:data:`VARIABLES`), so that they are in one place.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import yaml

from pipeline.profile import Profile, Storage

LAUNCHER_CONFIG = "kfp-launcher"
VARIABLES = {"s3Endpoint": "S3_ENDPOINT", "s3Region": "AWS_REGION"}
"""Keys of the ConfigMap, and the variables that they become."""


def launcher_config(profile: Profile) -> dict[str, Any]:
    """The ConfigMap as a Kubernetes object."""
    storage = profile.storage
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": LAUNCHER_CONFIG},
        "data": {
            "providers": yaml.safe_dump({"s3": {"default": _provider(storage)}}, sort_keys=True),
            "s3Endpoint": storage.endpoint,
            "s3Region": storage.region,
        },
    }


def _provider(storage: Storage) -> dict[str, Any]:
    endpoint = urlsplit(storage.endpoint)
    return {
        "endpoint": endpoint.netloc,
        "disableSSL": endpoint.scheme == "http",
        "region": storage.region,
        "forcePathStyle": storage.path_style,
        "credentials": {
            "fromEnv": False,
            "secretRef": {
                "secretName": storage.secret.name,
                "accessKeyKey": storage.secret.access_key,
                "secretKeyKey": storage.secret.secret_key,
            },
        },
    }
