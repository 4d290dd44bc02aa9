"""The Kubeflow Pipelines API: where it is, how to log in, and what its errors mean.

The client that KFP generates from its own definition is used as it is; ``kfp.Client`` around it has
neither retries nor logs, and reads settings from the home directory.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import kfp_server_api as api
import urllib3

from frhead_core.errors import InputError
from pipeline.run_engine import NotThereError, UnavailableError

_Result = TypeVar("_Result")

_SECONDS = (10, 60)  # to connect, and between two parts of an answer
_LONGEST_WAIT = 60  # seconds, also where the API asks for more
_PAGE = 100
_LONGEST_MESSAGE = 300
_UNAVAILABLE = (429, 502, 503, 504)
_MEANINGS = {
    400: ("refused what it was asked", None),
    401: ("does not accept the login", "Is the token there, and has it expired?"),
    403: ("does not allow it", "Ask for the rights, or look at --namespace"),
    404: ("has no such thing", None),
    409: ("has it already", None),
}


@dataclass(frozen=True)
class Endpoint:
    """A Kubeflow Pipelines API.

    Attributes:
        url: Without the path of the API.
        namespace: Of the runs, where several users share it; empty where it has one user.
        token_file: Holds the token to log in with, read again for every request as a cluster
            replaces it.
        token_variable: Variable of the environment that holds the token instead.
        ca_file: Certificates that its own is checked by; None for the usual ones.
        tries: How often a request is sent while it is not available.
        seconds_between: The first wait between two tries, which then doubles.
    """

    url: str
    namespace: str = ""
    token_file: Path | None = None
    token_variable: str = ""
    ca_file: Path | None = None
    tries: int = 5
    seconds_between: float = 0.5

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                "is no address of an API",
                field="endpoint",
                found=self.url.rpartition("@")[2],
                expected="http://... or https://...",
            )
        if parts.username or parts.password:
            raise InputError(
                "a login does not belong into an address",
                field="endpoint",
                hint="Put a token into a file, and name it with --token-file",
            )

    def token(self) -> str:
        """The token; empty if there is none.

        Raises:
            InputError: If its file cannot be read or is empty.
        """
        if self.token_variable:
            return os.environ.get(self.token_variable, "")
        if self.token_file is None:
            return ""
        try:
            token = self.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is no token"
            raise InputError(f"cannot be read ({reason})", file=self.token_file) from None
        if not token or any(character.isspace() for character in token):
            raise InputError("does not hold one token", file=self.token_file)
        return token


class KubeflowApi:
    """Calls the API, with retries, pages, and errors as one line each.

    Attributes:
        endpoint: Where it is.
        runs: KFP's own client of the runs, and so on for the others.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        configuration = api.Configuration(host=endpoint.url.rstrip("/"))
        configuration.retries = _retries(endpoint)
        self._log_in(configuration)  # without a key at first, the client never asks for one
        configuration.refresh_api_key_hook = self._log_in
        if endpoint.ca_file is not None:
            configuration.ssl_ca_cert = str(endpoint.ca_file)
        self._client = api.ApiClient(configuration)
        self.runs = api.RunServiceApi(self._client)
        self.recurring_runs = api.RecurringRunServiceApi(self._client)
        self.experiments = api.ExperimentServiceApi(self._client)
        self.pipelines = api.PipelineServiceApi(self._client)
        self.uploads = api.PipelineUploadServiceApi(self._client)

    @property
    def namespace(self) -> dict[str, str]:
        """The namespace as an argument, where there is one."""
        return {"namespace": self.endpoint.namespace} if self.endpoint.namespace else {}

    def call(self, function: Callable[..., _Result], *arguments: Any, **more: Any) -> _Result:
        """Call a function of KFP's client.

        Raises:
            InputError: If the API cannot be reached, is not available or refuses; the message has
                neither headers nor the token.
        """
        try:
            return function(*arguments, **more, _request_timeout=_SECONDS)
        except api.ApiException as error:
            raise self._refusal(error) from None
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(
                f"cannot be reached ({_cause(error)})",
                file=self.endpoint.url,
                hint="Is it the address of the Kubeflow Pipelines API, and is it up?",
            ) from None

    def found(
        self, function: Callable[..., _Result], *arguments: Any, **more: Any
    ) -> _Result | None:
        """As :meth:`call`, with None for what is not there."""
        try:
            return self.call(function, *arguments, **more)
        except NotThereError:
            return None

    def pages(self, function: Callable[..., Any], field: str, **more: Any) -> Iterator[Any]:
        """Every entry of a list, page by page.

        Args:
            function: Lists something.
            field: Of the answer, with the entries.
            more: Further arguments.
        """
        token = ""
        while True:
            page = {"page_token": token} if token else {}
            answer = self.call(function, page_size=_PAGE, **page, **more)
            yield from getattr(answer, field) or ()
            token = answer.next_page_token
            if not token:
                return

    def log(self, run_id: str, node: str) -> str:
        """What a pod has written; KFP's definition leaves this path out."""
        response = self.call(
            self._client.call_api,
            "/apis/v1alpha1/runs/{run_id}/nodes/{node_id}/log",
            "GET",
            path_params={"run_id": run_id, "node_id": node},
            auth_settings=["Bearer"],
            _preload_content=False,
        )
        return str(response.data.decode("utf-8", errors="replace"))

    def _log_in(self, configuration: Any) -> None:
        token = self.endpoint.token()
        if token:
            configuration.api_key["authorization"] = token
            configuration.api_key_prefix["authorization"] = "Bearer"

    def _refusal(self, error: api.ApiException) -> InputError:
        meaning, hint = _MEANINGS.get(error.status, ("failed", None))
        kind = NotThereError if error.status == 404 else InputError
        if error.status in _UNAVAILABLE:
            meaning = f"is not available, after {self.endpoint.tries} tries"
            kind, hint = UnavailableError, "Try again later"
        said = _message(error.body)
        if token := self.endpoint.token():
            said = said.replace(token, "***")
        return kind(
            f"{meaning} ({error.status} {error.reason})",
            file=self.endpoint.url,
            found=said or None,
            hint=hint,
        )


def equals(key: str, value: str) -> str:
    """A filter of a list: only entries with this value."""
    predicate = {"operation": "EQUALS", "key": key, "string_value": value}
    return json.dumps({"predicates": [predicate]})


def _retries(endpoint: Endpoint) -> urllib3.Retry:
    """Try again where nothing can happen twice: no connection was made, or something was asked."""
    return urllib3.Retry(
        total=endpoint.tries - 1,
        allowed_methods={"GET"},
        status_forcelist=_UNAVAILABLE,
        backoff_factor=endpoint.seconds_between,
        retry_after_max=_LONGEST_WAIT,
        raise_on_status=False,
    )


def _cause(error: urllib3.exceptions.HTTPError) -> str:
    """The innermost reason, without the addresses of objects."""
    reason: BaseException = error
    while isinstance(inner := getattr(reason, "reason", None), BaseException):
        reason = inner
    text = re.sub(r"<[^>]*>:? ?|HTTPS?Connection\([^)]*\):? ?", "", str(reason))
    return " ".join(text.split())[:_LONGEST_MESSAGE]


def _message(body: str | None) -> str:
    """What the API said, as one short line."""
    try:
        answer = json.loads(body or "")
        text = str(answer.get("message") or answer.get("error_message") or answer.get("error", ""))
    except (ValueError, AttributeError):
        text = re.sub(r"<[^>]+>", " ", body or "")
    return " ".join(text.split())[:_LONGEST_MESSAGE]
