"""A stand-in for the Kubeflow Pipelines API: a small server on loopback, not the real thing.

The real API needs a cluster. What the stand-in knows of it is KFP's own definition, as the client
that is generated from it (``kfp_server_api``) states it: every path and method, which query
parameters each has, and the models of bodies and answers. A request that is not in the definition,
or has a parameter or a field that is not, is refused with 400, and each is remembered. What it
answers is checked by the same models. Of what a real server does with a request it only plays what
the tests need; it runs nothing.
"""

from __future__ import annotations

import ast
import datetime
import inspect
import json
import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml
from kfp_server_api import api as api_package
from kfp_server_api import models

TOKEN = "eyJhbGciOi.stand-in.secret"
LOG_PATH = re.compile(r"/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log")
_NATIVE = {"str": str, "bool": bool, "int": int, "float": (int, float)}


class DefinitionError(Exception):
    """Something is not as KFP's definition says."""


@dataclass(frozen=True)
class Operation:
    """One path and method of the definition."""

    name: str
    method: str
    path: str
    query: frozenset[str]
    body: str | None
    answer: str | None
    uploads: bool

    def match(self, method: str, path: str) -> dict[str, str] | None:
        pattern = re.sub(r"\\\{([\w.]+)\\\}", lambda m: f"(?P<{m[1].replace('.', '_')}>[^/:]+)",
                         re.escape(self.path))  # fmt: skip
        found = re.fullmatch(pattern, path) if method == self.method else None
        return None if found is None else {k: unquote(v) for k, v in found.groupdict().items()}


@cache
def operations() -> tuple[Operation, ...]:
    """The definition, read from the source of the generated client."""
    found = []
    for module in vars(api_package).values():
        if inspect.ismodule(module) and module.__name__.startswith(api_package.__name__ + "."):
            for node in ast.walk(ast.parse(inspect.getsource(module))):
                if isinstance(node, ast.FunctionDef) and node.name.endswith("_with_http_info"):
                    found.append(_operation(node))
    assert len(found) > 30
    return tuple(found)


def _operation(function: ast.FunctionDef) -> Operation:
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    (call,) = [each for each in calls if _called(each) == "call_api"]
    path, method = (argument.value for argument in call.args[:2])  # type: ignore[attr-defined]
    answer = next(each.value for each in call.keywords if each.arg == "response_type")
    query = {
        each.args[0].elts[0].value  # type: ignore[attr-defined]
        for each in calls
        if _called(each) == "append" and each.func.value.id == "query_params"  # type: ignore
    }
    body = [
        node.value.slice.value  # type: ignore[attr-defined]
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and getattr(node.targets[0], "id", "") == "body_params"
        and isinstance(node.value, ast.Subscript)
    ]
    text = ast.get_docstring(function) or ""
    kind = re.search(rf":type {body[0]}: (\S+)", text) if body else None
    return Operation(
        name=function.name.removesuffix("_with_http_info"),
        method=method,
        path=path,
        query=frozenset(query),
        body=kind.group(1) if kind else None,
        answer=getattr(answer, "value", None),
        uploads="multipart/form-data" in ast.unparse(function),
    )


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def check(value: Any, kind: str, place: str = "body") -> None:
    """Refuse whatever the definition does not have.

    Raises:
        DefinitionError: With the place.
    """
    if value is None or kind == "object":
        return
    if kind.startswith("list["):
        _expect(isinstance(value, list), place, "a list", value)
        for number, each in enumerate(value):
            check(each, kind[5:-1], f"{place}[{number}]")
    elif kind.startswith("dict("):
        _expect(isinstance(value, dict), place, "an object", value)
        for key, each in value.items():
            check(each, kind.partition(", ")[2][:-1], f"{place}.{key}")
    elif kind == "datetime":
        _expect(isinstance(value, str), place, "a time", value)
        datetime.datetime.fromisoformat(value)
    elif kind in _NATIVE:
        right = isinstance(value, _NATIVE[kind]) and (kind == "bool") == isinstance(value, bool)
        _expect(right, place, kind, value)
    else:
        _check_model(value, getattr(models, kind), place)


def _check_model(value: Any, model: type[Any], place: str) -> None:
    allowed = getattr(model, "allowable_values", None)
    if allowed is not None:
        _expect(value in allowed, place, " or ".join(allowed), value)
        return
    _expect(isinstance(value, dict), place, model.__name__, value)
    kinds = {key: model.openapi_types[name] for name, key in model.attribute_map.items()}
    for key, each in value.items():
        _expect(key in kinds, f"{place}.{key}", f"a field of {model.__name__}", key)
        check(each, kinds[key], f"{place}.{key}")


def _expect(holds: bool, place: str, expected: str, found: Any) -> None:
    if not holds:
        raise DefinitionError(f"{place}: {found!r} is not {expected}")


@dataclass
class Fault:
    """What is answered instead, some times, where method and path begin so; ``after`` a few."""

    start: str
    status: int
    times: int = 1
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    after: int = 0

    def strikes(self, asked: str) -> bool:
        """Whether this request is one of them; each that begins so counts."""
        if not asked.startswith(self.start) or not self.times:
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return True


@dataclass
class StandIn:
    """What the server holds, and what it was asked."""

    url: str = ""
    token: str | None = None
    namespaces: frozenset[str] = frozenset()
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    pipelines: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    recurring_runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: dict[tuple[str, str], str] = field(default_factory=dict)
    page: int = 2
    """Entries of a page at most, whatever was asked for: a client has to ask for all pages."""

    def asked(self, start: str) -> list[Any]:
        """Bodies of the requests whose method and path begin so."""
        return [
            body for method, path, body in self.requests if f"{method} {path}".startswith(start)
        ]

    def changes(self) -> list[str]:
        """Method and path of everything that was not only asked."""
        return [f"{method} {path}" for method, path, _ in self.requests if method != "GET"]

    def add_run(self, **values: Any) -> str:
        """A run that somebody else made."""
        run_id = str(uuid.uuid4())
        self.runs[run_id] = {"run_id": run_id, "display_name": "a run", "created_at": _now(),
                             "state": "RUNNING", **values}  # fmt: skip
        return run_id

    # What the operations do; each is called like the operation of the definition.

    def experiment_service_create_experiment(self, body: Any, **_: str) -> Any:
        return self._made(self.experiments, "experiment_id", body)

    def experiment_service_list_experiments(self, **query: str) -> Any:
        return self._listed("experiments", self.experiments, query)

    def pipeline_service_create_pipeline(self, body: Any, **_: str) -> Any:
        return self._made(self.pipelines, "pipeline_id", body)

    def pipeline_service_list_pipelines(self, **query: str) -> Any:
        return self._listed("pipelines", self.pipelines, query)

    def pipeline_service_list_pipeline_versions(self, pipeline_id: str, **query: str) -> Any:
        own = {k: v for k, v in self.versions.items() if v["pipeline_id"] == pipeline_id}
        return self._listed("pipeline_versions", own, query)

    def upload_pipeline_version(self, body: bytes, **query: str) -> Any:
        specification, *_ = yaml.safe_load_all(body)
        if "root" not in specification or query["pipelineid"] not in self.pipelines:
            raise DefinitionError("is not a compiled pipeline of a known one")
        made = {"name": query["name"], "display_name": query["name"],
                "pipeline_id": query["pipelineid"], "pipeline_spec": specification}  # fmt: skip
        return self._made(self.versions, "pipeline_version_id", made)

    def run_service_create_run(self, body: Any, **_: str) -> Any:
        self._check_reference(body)
        return self._made(self.runs, "run_id", {**body, "state": "PENDING",
                                                "finished_at": "1970-01-01T00:00:00Z"})  # fmt: skip

    def run_service_get_run(self, run_id: str, **_: str) -> Any:
        return self.runs[run_id]

    def run_service_list_runs(self, **query: str) -> Any:
        return self._listed("runs", self.runs, query)

    def run_service_terminate_run(self, run_id: str, **_: str) -> Any:
        self.runs[run_id]["state"] = "CANCELING"
        return {}

    def run_service_retry_run(self, run_id: str, **_: str) -> Any:
        self.runs[run_id]["state"] = "RUNNING"
        return {}

    def recurring_run_service_create_recurring_run(self, body: Any, **_: str) -> Any:
        self._check_reference(body)
        if not body.get("trigger") or not body.get("max_concurrency"):
            raise DefinitionError("a recurring run needs a trigger and max_concurrency")
        status = "ENABLED" if body.get("mode") == "ENABLE" else "DISABLED"
        return self._made(self.recurring_runs, "recurring_run_id", {**body, "status": status})

    def recurring_run_service_list_recurring_runs(self, **query: str) -> Any:
        return self._listed("recurringRuns", self.recurring_runs, query)

    def recurring_run_service_enable_recurring_run(self, recurring_run_id: str, **_: str) -> Any:
        self.recurring_runs[recurring_run_id]["status"] = "ENABLED"
        return {}

    def recurring_run_service_disable_recurring_run(self, recurring_run_id: str, **_: str) -> Any:
        self.recurring_runs[recurring_run_id]["status"] = "DISABLED"
        return {}

    def recurring_run_service_delete_recurring_run(self, recurring_run_id: str, **_: str) -> Any:
        del self.recurring_runs[recurring_run_id]
        return {}

    def _check_reference(self, body: Any) -> None:
        reference = body["pipeline_version_reference"]
        version = self.versions[reference["pipeline_version_id"]]
        if version["pipeline_id"] != reference["pipeline_id"]:
            raise DefinitionError("a version of another pipeline")
        if body["experiment_id"] not in self.experiments:
            raise DefinitionError("no such experiment")
        known = version["pipeline_spec"]["root"]["inputDefinitions"]["parameters"]
        strange = set(body["runtime_config"]["parameters"]) - set(known)
        if strange:
            raise DefinitionError(f"the pipeline has no parameters {sorted(strange)}")

    def _made(self, store: dict[str, Any], key: str, values: Mapping[str, Any]) -> dict[str, Any]:
        name = str(uuid.uuid4())
        store[name] = {**values, key: name, "created_at": _now()}
        return store[name]

    def _listed(self, field_name: str, store: Mapping[str, Any], query: Mapping[str, str]) -> Any:
        entries = list(store.values())
        if "namespace" in query:
            entries = [e for e in entries if e.get("namespace") in (None, query["namespace"])]
        if "filter" in query:
            entries = [entry for entry in entries if _passes(entry, json.loads(query["filter"]))]
        if query.get("sort_by") == "created_at desc":
            entries.reverse()
        start = int(query.get("page_token") or 0)
        page = entries[start : start + min(self.page, int(query.get("page_size") or self.page))]
        more = start + len(page) < len(entries)
        return {field_name: page, "total_size": len(entries),
                "next_page_token": str(start + len(page)) if more else ""}  # fmt: skip


def _passes(entry: Mapping[str, Any], condition: Any) -> bool:
    check(condition, "V2beta1Filter", "filter")
    (predicate,) = condition["predicates"]
    if predicate["operation"] != "EQUALS" or predicate["key"] != "name":
        raise DefinitionError("the stand-in filters by equal names only")
    return predicate["string_value"] in (entry.get("name"), entry.get("display_name"))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = self._body(content)
        state = self.stand_in
        state.requests.append((self.command, parts.path, body))
        asked = f"{self.command} {parts.path}"
        fault = next((each for each in state.faults if each.strikes(asked)), None)
        try:
            if fault is not None:
                self._answer(fault.status, fault.body.encode(), fault.headers)
            elif state.token and self.headers.get("Authorization") != f"Bearer {state.token}":
                said = {"error": "Unauthenticated", "message": "Request header error: no user",
                        "code": 16}  # fmt: skip
                self._answer(401, json.dumps(said).encode())
            else:
                self._answer(200, self._respond(parts.path, dict(parse_qsl(parts.query)), body))
        except DefinitionError as error:
            state.violations.append(f"{asked}: {error}")
            self._refuse(400, str(error))
        except KeyError as error:
            self._refuse(404, f"not found: {error}")
        except PermissionError as error:
            self._refuse(403, str(error))

    do_GET = do_POST = do_DELETE = do_PATCH = _handle  # noqa: N815

    def _body(self, content: bytes) -> Any:
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/form-data"):
            head = f"Content-Type: {kind}\r\n\r\n".encode()
            message = BytesParser().parsebytes(head + content)
            return {_field_name(part): part.get_payload(decode=True)
                    for part in message.get_payload()}  # fmt: skip
        return json.loads(content) if content else None

    def _respond(self, path: str, query: dict[str, str], body: Any) -> bytes:
        log = LOG_PATH.fullmatch(path)
        if log and self.command == "GET":  # the one path that the definition leaves out
            return self.stand_in.logs[unquote(log[1]), unquote(log[2])].encode()
        matches = [(o, p) for o in operations() if (p := o.match(self.command, path)) is not None]
        if len(matches) != 1:
            raise DefinitionError(f"no operation {self.command} {path}")
        operation, places = matches[0]
        strange = set(query) - operation.query
        if strange:
            raise DefinitionError(f"no query parameters {sorted(strange)}")
        namespace = query.get("namespace") or (isinstance(body, dict) and body.get("namespace"))
        if namespace and namespace not in self.stand_in.namespaces:
            raise PermissionError(f"User is not authorized in namespace {namespace}")
        arguments: dict[str, Any] = {**places, **query}
        if operation.uploads:
            _expect(isinstance(body, dict) and set(body) == {"uploadfile"}, "form", "a file", body)
            arguments["body"] = body["uploadfile"]
        elif operation.body:
            check(body, operation.body)
            arguments["body"] = body
        elif body:
            raise DefinitionError("has no body")
        answer = getattr(self.stand_in, operation.name)(**arguments)
        if operation.answer:
            check(answer, operation.answer, "answer")
        return json.dumps(answer).encode()

    def _refuse(self, status: int, message: str) -> None:
        said = {"error": message, "message": message, "code": 0, "details": []}
        self._answer(status, json.dumps(said).encode())

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _field_name(part: Message) -> str:
    return str(part.get_param("name", header="content-disposition"))


@contextmanager
def serving(**values: Any) -> Iterator[StandIn]:
    """A stand-in on loopback, for as long as the body runs."""
    state = StandIn(**values)
    handler = type("Handler", (_Handler,), {"stand_in": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
