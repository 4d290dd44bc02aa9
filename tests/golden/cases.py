"""Models and published scores among the golden numbers, and why some cannot be checked."""

from __future__ import annotations

from typing import Any

from frhead_core.config import benchmark_names
from frhead_core.models.reference.weights import BACKBONE_RULES
from tests.golden.files import ENSEMBLE, MODELS, read_json

SCORES, FACTS = "_published_scores.npz", "_published_facts.json"

CASES: dict[str, dict[str, Any]] = read_json(MODELS / "meta.json").get("cases", {})


def why_unsupported(case: dict[str, Any]) -> str | None:
    """What stands in the way of checking a case; None if nothing does."""
    if case["backbone"] not in BACKBONE_RULES:
        return f"the backbone {case['backbone']} is not part of the product yet"
    for name in (case["file"], case["state_from"]):
        if not (MODELS / name).is_file():
            return f"its file {name} is not there"
    return None


UNSUPPORTED = {name: reason for name, case in CASES.items() if (reason := why_unsupported(case))}
SUPPORTED = CASES.keys() - UNSUPPORTED.keys()


def benchmark_of(prefix: str) -> str:
    """The benchmark that published scores belong to, by how their file's name begins."""
    return prefix.replace("_", "-")


PUBLISHED: dict[str, dict[str, Any]] = {
    prefix: read_json(ENSEMBLE / f"{prefix}{FACTS}")
    for prefix in (path.name.removesuffix(SCORES) for path in ENSEMBLE.glob(f"*{SCORES}"))
    if (ENSEMBLE / f"{prefix}{FACTS}").is_file() and benchmark_of(prefix) in benchmark_names()
}
"""The facts of the published scores that can be checked, by how the names of their files begin."""
