"""Texts with a form: names in Kubernetes, addresses, places in an object store, images, amounts."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator

from pipeline.quantities import bytes_of, cores_of, seconds_of

_Text = TypeVar("_Text", bound=str)


def _like(pattern: str, what: str) -> AfterValidator:
    """Refuses a text that does not match, without repeating it: it might be a misplaced secret."""
    compiled = re.compile(pattern)

    def check(text: _Text) -> _Text:
        if compiled.fullmatch(text) is None:
            raise ValueError(f"is not {what}")
        return text

    return AfterValidator(check)


def _number_as_text(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_VALUE = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_SUBDOMAIN = rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*"
_PLACE = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s?#]*)?"
_HOST = r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?"

Namespace = Annotated[str, _like(_LABEL, "the name of a namespace")]
ObjectName = Annotated[str, _like(_SUBDOMAIN, "the name of a Kubernetes object")]
LabelKey = Annotated[str, _like(rf"({_SUBDOMAIN}/)?{_VALUE}", "the key of a label")]
LabelValue = Annotated[str, _like(rf"({_VALUE})?", "the value of a label")]
DataKey = Annotated[str, _like(r"[-._A-Za-z0-9]{1,253}", "a key of a secret")]
Variable = Annotated[str, _like(r"[A-Za-z_][A-Za-z0-9_]*", "the name of a variable")]
Address = Annotated[
    str,
    _like(rf"https?://{_HOST}(/[^?#@\s]*)?", "http[s]://HOST[:PORT][/PATH] without credentials"),
]
StorageAddress = Annotated[
    str, _like(rf"https?://{_HOST}/?", "http[s]://HOST[:PORT] without path and credentials")
]
StoragePlace = Annotated[str, _like(_PLACE, "s3://BUCKET[/PREFIX]")]
CheckpointPlace = Annotated[
    str,
    _like(
        rf"{_PLACE}|/\S+",
        "s3://BUCKET[/PREFIX] or the path of a folder that outlives its pod",
    ),
]
Image = Annotated[
    str,
    _like(
        r"(?!.*:latest$)[a-z0-9][^\s@]*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?"
        r"|@sha256:[0-9a-f]{64})",
        "an image with a fixed tag or digest: the cache depends on its name",
    ),
]
Cores = Annotated[str, BeforeValidator(_number_as_text), AfterValidator(cores_of.check)]
Size = Annotated[str, AfterValidator(bytes_of.check)]
Duration = Annotated[str, AfterValidator(seconds_of.check)]
