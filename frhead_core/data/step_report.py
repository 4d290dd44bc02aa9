"""What a preparation step did, in numbers for programs and as a page for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from frhead_core.data.recordings import Quarantined
from frhead_core.errors import InputError


@dataclass(frozen=True)
class StepReport:
    """What one step did.

    Attributes:
        step: The step's title.
        dataset: The dataset it worked on.
        numbers: Named counts, in reading order.
        notes: Sentences worth knowing.
        quarantined: Recordings left out by this step or those before it.
    """

    step: str
    dataset: str
    numbers: Mapping[str, int]
    notes: tuple[str, ...] = ()
    quarantined: tuple[Quarantined, ...] = field(default=())

    def markdown(self) -> str:
        """The report as a page for people."""
        lines = [f"# {self.step}: {self.dataset}", "", "| | |", "| --- | ---: |"]
        lines += [f"| {name} | {count:,} |" for name, count in self.numbers.items()]
        for note in self.notes:
            lines += ["", note]
        if self.quarantined:
            lines += ["", "| left out | file | reason |", "| --- | --- | --- |"]
            for bad in self.quarantined:
                cells = (_cell(text) for text in (bad.name, bad.file, bad.reason))
                lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def write(self, directory: Path) -> None:
        """Write ``report.json`` and ``report.md`` into a directory."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        (directory / "report.json").write_text(text, encoding="utf-8")
        (directory / "report.md").write_text(self.markdown(), encoding="utf-8")

    @classmethod
    def read(cls, directory: Path) -> Self:
        """The report that a step wrote into its directory.

        Raises:
            InputError: If there is none or it cannot be understood.
        """
        path = directory / "report.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            quarantined = tuple(Quarantined(**entry) for entry in data.pop("quarantined"))
            return cls(**(data | {"notes": tuple(data["notes"]), "quarantined": quarantined}))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"is not the report of a step ({error})", file=path) from error


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
