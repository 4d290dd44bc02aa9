"""Champions: the models of a benchmark that passed the gate, numbered and never changed.

::

    <champion root>/<benchmark>/
      000001.json, 000002.json, ...   what became champion when, by which decision
      contents/<digest>/              models, scores, weights and recipe, named by their contents

The highest number is the champion. A record is created after all of its contents, and only if its
number is free: whoever comes second learns it, and has to compare with the new champion.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from components.champion_place import ChampionPlace
from frhead_core.errors import InputError
from frhead_core.files import write_atomically

FORMAT_VERSION = 1
_RECORD = re.compile(r"(\d{6,})\.json")


@dataclass(frozen=True)
class ChampionRecord:
    """One number of a benchmark's history.

    Attributes:
        number: From 1.
        benchmark: Whose champion it is.
        kind: By the gate, or by going back to an older champion.
        reason: One line.
        run: The run that made the candidate.
        created: When, ISO 8601 in UTC.
        mark: Drawn at random, so that no two writers write the same record.
        content: Digest that names its contents.
        files: SHA-256 of every file of the contents, by name.
        recipe: The whole recipe, as JSON values.
        weights: Of the modalities in the ensemble.
        judged: The score file by which it is compared.
        metrics: Accuracy in percent, and of how many samples.
        decision: How the gate decided, as JSON values; empty for a way back.
        refers_to: The older number whose contents these are; None for a promotion.
    """

    number: int
    benchmark: str
    kind: Literal["promotion", "rollback"]
    reason: str
    run: str
    created: str
    mark: str
    content: str
    files: Mapping[str, str]
    recipe: Mapping[str, Any]
    weights: Mapping[str, float]
    judged: str
    metrics: Mapping[str, float]
    decision: Mapping[str, Any] = field(default_factory=dict)
    refers_to: int | None = None

    def to_json(self) -> bytes:
        """The record as it is stored."""
        values = {"format_version": FORMAT_VERSION, **asdict(self)}
        return (json.dumps(values, indent=2, sort_keys=True) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes, place: str) -> ChampionRecord:
        """What :meth:`to_json` gave.

        Raises:
            InputError: If it is damaged or of another version; ``place`` says where it was.
        """
        try:
            values = json.loads(content)
            version = values.pop("format_version")
            if version == FORMAT_VERSION:
                return cls(**values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"is not the record of a champion ({error})", file=place) from error
        raise InputError(
            "a champion's record of another version",
            file=place,
            field="format_version",
            found=version,
            expected=FORMAT_VERSION,
        )


class Champions:
    """The champions of one benchmark.

    Args:
        place: The champion root.
        benchmark: Name of the benchmark.
    """

    def __init__(self, place: ChampionPlace, benchmark: str) -> None:
        self._place = place
        self.benchmark = benchmark

    def numbers(self) -> list[int]:
        """All numbers, ascending."""
        matches = map(_RECORD.fullmatch, self._place.names(self.benchmark))
        return sorted(int(match.group(1)) for match in matches if match)

    def history(self) -> Iterator[ChampionRecord]:
        """All records, newest first."""
        return map(self._read, reversed(self.numbers()))

    def current(self) -> ChampionRecord | None:
        """The champion: the record with the highest number."""
        return next(self.history(), None)

    def record(self, number: int) -> ChampionRecord:
        """One record.

        Raises:
            InputError: If there is no such number, or its record is damaged.
        """
        numbers = self.numbers()
        if number not in numbers:
            raise InputError(
                f"{self.benchmark} has no champion {number}",
                file=self._place.address(self.benchmark),
                expected=", ".join(map(str, numbers)) or "a promotion first",
            )
        return self._read(number)

    def _read(self, number: int) -> ChampionRecord:
        name = self._record_name(number)
        record = ChampionRecord.from_json(self._place.read(name), self._place.address(name))
        if (record.number, record.benchmark) != (number, self.benchmark):
            raise InputError(
                "the record of another champion",
                file=self._place.address(name),
                found=f"{record.benchmark} {record.number}",
                expected=f"{self.benchmark} {number}",
            )
        return record

    def file(self, record: ChampionRecord, name: str) -> bytes:
        """One file of a champion's contents, checked.

        Raises:
            InputError: If it cannot be read, or is not what the record says.
        """
        content = self._place.read(self._content_name(record.content, name))
        if hashlib.sha256(content).hexdigest() != record.files.get(name):
            raise InputError("is damaged", file=self.address(record, name))
        return content

    def fetch(self, record: ChampionRecord, folder: str, output: Path) -> Path:
        """Copy one folder of a champion's contents, every file checked.

        Returns:
            ``output``.
        """
        for name in record.files:
            if name.startswith(f"{folder}/"):
                write_atomically(output / name[len(folder) + 1 :], self.file(record, name))
        return output

    def address(self, record: ChampionRecord, name: str = "") -> str:
        """Where a champion's contents, or one file of them, lie."""
        return self._place.address(self._content_name(record.content, name).rstrip("/"))

    def add(self, record: ChampionRecord) -> bool:
        """Create a record; False if its number is taken."""
        return self._place.create(self._record_name(record.number), record.to_json())

    def store(self, files: Mapping[str, Path]) -> tuple[str, dict[str, str]]:
        """Store contents, unless they are there.

        Returns:
            Their digest, and the SHA-256 of every file.
        """
        sums = checksums(files)
        digest = content_digest(sums)
        for name, path in files.items():
            self._place.create(self._content_name(digest, name), path.read_bytes())
        return digest, sums

    def _record_name(self, number: int) -> str:
        return f"{self.benchmark}/{number:06d}.json"

    def _content_name(self, digest: str, name: str) -> str:
        return f"{self.benchmark}/contents/{digest}/{name}"


def roll_back(champions: Champions, number: int, reason: str) -> ChampionRecord:
    """Make an older champion's contents the champion again, under a new number.

    Raises:
        InputError: If there is no such number, it is the champion already, or another champion
            came in between.
    """
    older, current = champions.record(number), champions.current()
    assert current is not None
    if current.content == older.content:
        raise InputError(
            f"champion {current.number} is that model already", field="--to", found=number
        )
    record = replace(
        older,
        number=current.number + 1,
        kind="rollback",
        reason=reason,
        created=now(),
        mark=new_mark(),
        decision={},
        refers_to=number,
    )
    if not champions.add(record):
        raise InputError(
            f"there is a champion {record.number} meanwhile",
            hint="Look at the history, and decide again",
        )
    return record


def checksums(files: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of files, by name."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def content_digest(sums: Mapping[str, str]) -> str:
    """Names contents: 32 hex digits of a hash of names and checksums."""
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()[:32]


def new_mark() -> str:
    """A mark for a record."""
    return secrets.token_hex(8)


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
