"""Which runs are listed, as an address says it."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query

from pipeline.run_engine import RunState
from pipeline.run_list import Epoch, Order, RunQuery, SortKey

LAST_PAGE = 1_000_000
_Text = Annotated[str, Query(max_length=200)]


def _run_query(
    status: RunState | Literal[""] = "",
    benchmark: _Text = "",
    backbone: _Text = "",
    text: _Text = "",
    sort: SortKey = "started",
    order: Order = "desc",
    epoch: Epoch = "last",
    page: Annotated[int, Query(ge=1, le=LAST_PAGE)] = 1,
) -> RunQuery:
    return RunQuery(status, benchmark, backbone, text.strip(), sort, order, epoch, page)


Asked = Annotated[RunQuery, Depends(_run_query)]


def address(query: RunQuery, **changes: Any) -> str:
    """The query part of an address, with what differs from the usual; empty if nothing does."""
    values = dataclasses.asdict(dataclasses.replace(query, **changes))
    usual = dataclasses.asdict(RunQuery())
    said = {name: value for name, value in values.items() if value != usual[name]}
    return f"?{urlencode(said)}" if said else ""
