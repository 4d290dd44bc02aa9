"""All bodies that the sensor tracked in each recording, each with its own number of frames.

A packed directory whose rows are those bodies one after the other, in order of first appearance;
``bodies.csv`` says where each begins, ``frame_numbers.npy`` in which frame each row was seen,
``repeated.csv`` which appearances were left out because the id was there already in that frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from frhead_core.data.packed import PackedSequences, StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.recordings import Recording
from frhead_core.errors import InputError

KIND = "tracked bodies"
BODY_COLUMNS = ("recording", "body", "first_row", "frames", "start", "motion")
REPEATED_COLUMNS = ("recording", "body", "frame")


@dataclass(frozen=True)
class TrackedBody:
    """One tracked body of a recording; n is how often it appears.

    Frames without any body are left out, the others, the valid ones, are counted from 0.

    Attributes:
        id: The sensor's id, as the text that it is in the file.
        coordinates: (n, V, C) float32, in metres.
        start: The valid frame of the first appearance.
        frame_numbers: (n,) int32, the valid frame of every appearance, ascending.
        motion: Population variance of x, y and z over all joints and frames, added up, in square
            metres, computed in float32; None if the recording has no other body.
    """

    id: str
    coordinates: np.ndarray
    start: int
    frame_numbers: np.ndarray
    motion: float | None


@dataclass(frozen=True)
class TrackedRecording:
    """A recording and its bodies.

    Attributes:
        recording: Its identity.
        frames: How many frames are valid.
        bodies: In order of first appearance.
        repeated: Id and valid frame of every appearance that was left out, because a body with
            that id comes before it in the same frame.
    """

    recording: Recording
    frames: int
    bodies: tuple[TrackedBody, ...]
    repeated: tuple[tuple[str, int], ...] = ()


class TrackedBodies(PackedSequences):
    """A directory of tracked bodies, opened for reading."""

    kind = KIND

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open a directory, without reading the coordinates.

        Raises:
            InputError: If it is missing, of another kind or version, or damaged.
        """
        tracked = super().open(directory)
        tracked._open_bodies()
        return tracked

    def _place(self, row: int) -> tuple[int, int, int]:
        raise TypeError("tracked bodies differ in length: use tracked()")

    def tracked(self, row: int) -> TrackedRecording:
        """Everything of an index row, copied from the files."""
        return self.tracked_in(range(row, row + 1))[0]

    def tracked_in(self, rows: range) -> list[TrackedRecording]:
        """Everything of index rows that follow one another, copied from the files."""
        places = self._places[rows.start : rows.stop + 1]
        begin, last = self._first[places[0]], places[-1] - 1
        end = self._first[last] + self._frames[last]
        coordinates = self.read_rows(begin, end)
        frame_numbers = np.array(self._frame_numbers[begin:end])
        bodies = [
            self._body(number, begin, coordinates, frame_numbers)
            for number in range(places[0], places[-1])
        ]
        return [
            TrackedRecording(whose, frames, tuple(bodies[first - places[0] : last - places[0]]))
            for whose, frames, first, last in zip(
                self.recordings(rows), self.column("frames", rows), places, places[1:], strict=False
            )
        ]

    def _open_bodies(self) -> None:
        path = self.directory / "bodies.csv"
        try:
            text = {"recording": str, "body": str, "motion": str}
            table = pd.read_csv(path, keep_default_na=False, dtype=text)
            counts = self.index["bodies"].to_numpy(dtype=np.int64)
            self._places = [0, *np.cumsum(counts).tolist()]
            names = np.repeat(self.index["name"].to_numpy(dtype=object), counts)
            complete = bool(np.array_equal(table["recording"].to_numpy(dtype=object), names))
            self._ids: list[str] = table["body"].tolist()
            self._motions: list[str] = table["motion"].tolist()
            self._first: list[int] = table["first_row"].astype(np.int64).tolist()
            self._frames: list[int] = table["frames"].astype(np.int64).tolist()
            self._starts: list[int] = table["start"].astype(np.int64).tolist()
            self._frame_numbers = np.lib.format.open_memmap(
                self.directory / "frame_numbers.npy", mode="r"
            )
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"cannot be read ({error})", file=path, hint="Prepare the data again"
            ) from error
        rows = (sum(self._frames), len(self._frame_numbers))
        if not complete or rows != (len(self.coordinates),) * 2:
            raise InputError(
                "is damaged: it does not fit the index", file=path, hint="Prepare the data again"
            )

    def _row_count(self) -> int:
        return len(self.coordinates)

    def _body(
        self, number: int, begin: int, rows: np.ndarray, frame_numbers: np.ndarray
    ) -> TrackedBody:
        """A body from rows that start at row ``begin``."""
        first = self._first[number] - begin
        own = slice(first, first + self._frames[number])
        motion = self._motions[number]
        return TrackedBody(
            id=self._ids[number],
            coordinates=rows[own],
            start=self._starts[number],
            frame_numbers=frame_numbers[own],
            motion=float(np.float32(motion)) if motion else None,
        )


def tracked_bodies_writer(
    output: Path, metadata: StoreMetadata, *, joints: int, **options: Any
) -> PackedWriter:
    """A writer of tracked bodies; ``options`` are those of :class:`PackedWriter`."""
    return PackedWriter(
        output,
        metadata,
        joints=joints,
        tables={"bodies.csv": BODY_COLUMNS, "repeated.csv": REPEATED_COLUMNS},
        row_arrays={"frame_numbers.npy": np.int32},
        **options,
    )


def add_tracked(writer: PackedWriter, tracked: TrackedRecording) -> None:
    """Append one recording to a :func:`tracked_bodies_writer`."""
    first_row, bodies = writer.frames, tracked.bodies
    writer.add_rows(
        tracked.recording,
        tracked.frames,
        len(bodies),
        np.concatenate([body.coordinates for body in bodies]),
        frame_numbers=np.concatenate([body.frame_numbers for body in bodies]),
    )
    name = tracked.recording.name
    writer.add_to_table("bodies.csv", *_table_rows(name, bodies, first_row))
    if tracked.repeated:
        writer.add_to_table("repeated.csv", *((name, *repeated) for repeated in tracked.repeated))
    writer.counts["repeated bodies left out"] += len(tracked.repeated)


def _table_rows(name: str, bodies: Sequence[TrackedBody], first_row: int) -> list[tuple[Any, ...]]:
    rows = []
    for body in bodies:
        motion = "" if body.motion is None else str(np.float32(body.motion))
        rows.append((name, body.id, first_row, len(body.coordinates), body.start, motion))
        first_row += len(body.coordinates)
    return rows
