"""Champions as text for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from components.champions import ChampionRecord
from pipeline.local_time import time_text
from pipeline.text_tables import columns


def champion_text(record: ChampionRecord, address: str) -> str:
    """Everything about one champion.

    Args:
        record: Of the champion.
        address: Where its contents lie.
    """
    weights = ", ".join(f"{name} {weight:g}" for name, weight in record.weights.items())
    rows = [
        ("accuracy", f"{_accuracy(record)} percent of {record.metrics['samples']:.0f} samples"),
        ("since", _since(record)),
        ("by", _origin(record)),
        ("reason", record.reason),
        ("run", record.run),
        ("weights", weights),
        ("contents", address),
    ]
    rows += [
        (str(check["name"]).replace("_", " "), f"{check['found']}, asked for {check['required']}")
        for check in record.decision.get("checks", ())
    ]
    return f"champion {record.number} of {record.benchmark}\n{columns(rows)}"


def history_text(records: Sequence[ChampionRecord]) -> str:
    """A row for each champion."""
    if not records:
        return "no champion yet"
    rows = [
        (str(each.number), _accuracy(each), _since(each), _origin(each), each.run, each.reason)
        for each in records
    ]
    return columns([("number", "accuracy", "since", "by", "run", "reason"), *rows])


def _accuracy(record: ChampionRecord) -> str:
    return f"{record.metrics['top1']:.2f}"


def _since(record: ChampionRecord) -> str:
    return time_text(datetime.fromisoformat(record.created))


def _origin(record: ChampionRecord) -> str:
    if record.refers_to is not None:
        return f"rollback to {record.refers_to}"
    return record.kind
