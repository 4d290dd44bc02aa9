"""A fixture: each recipe is compiled once in a process of tests, as that takes its seconds."""

from __future__ import annotations

import pytest

from frhead_core.config import Recipe, recipe_to_json
from pipeline import submission
from pipeline.profile import Profile

_COMPILED: dict[str, bytes] = {}


@pytest.fixture
def compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_pipeline(recipe: Recipe, profile: Profile | None) -> bytes:
        text = recipe_to_json(recipe) + repr(profile)
        if text not in _COMPILED:
            _COMPILED[text] = original(recipe, profile)
        return _COMPILED[text]

    original = submission._compile
    monkeypatch.setattr(submission, "_compile", compile_pipeline)
