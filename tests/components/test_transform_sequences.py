from __future__ import annotations

from pathlib import Path

import pytest
from kfp import dsl

from components.sections import preparation_to_json, splits_to_json
from components.transform_sequences.component import transform_sequences
from frhead_core.config import Split
from frhead_core.data.store import SequenceStore


def test_the_store_knows_the_split(prepared) -> None:
    store = SequenceStore.open(Path(prepared.sequences.path))

    assert len(store.rows("demo-nw-ucla", "train")) == 40
    assert len(store.rows("demo-nw-ucla", "test")) == 20
    assert prepared.sequences.metadata["kind"] == "sequence store"
    assert "| demo-nw-ucla test | 20 |" in Path(prepared.reports["transform"].path).read_text()


def test_a_recording_in_no_part_ends_the_step_with_2(
    prepared, tiny, make, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        transform_sequences.python_func(
            denoised=prepared.denoised,
            dataset="nw-ucla",
            splits=splits_to_json({"demo-nw-ucla": Split(column="camera", train=(1,), test=(3,))}),
            preparation=preparation_to_json(tiny.preparation),
            code_version="t",
            sequences=make(dsl.Dataset, "sequences"),
            report=make(dsl.Markdown, "report"),
        )

    assert caught.value.code == 2
    assert "camera 2" in capsys.readouterr().out
