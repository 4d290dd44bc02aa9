"""The recordings of NTU RGB+D, read and parsed by several threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from frhead_core.data.ntu_names import NTUFacts, not_found, recording
from frhead_core.data.ntu_raw import parse_skeletons
from frhead_core.data.ordered import ordered_map
from frhead_core.data.raw_files import DamagedFileError, Place, RawFiles
from frhead_core.data.recordings import Quarantined, Recording
from frhead_core.data.tracked_bodies import TrackedRecording
from frhead_core.errors import InputError

_HANDFUL = 8  # recordings; a thread reads one in less than half a millisecond


class NTUSource:
    """The recordings of one of the two datasets, one at a time in the order of their names.

    Those on the dataset's list of missing skeletons are left out, and so are, from NTU RGB+D 60,
    those of setups that only NTU RGB+D 120 has.

    Args:
        files: Its skeleton files.
        raw: Where they are, for messages.
        facts: Which of the datasets it is.
        official_list: Every listed recording must be there.

    Attributes:
        left_out: How many recordings were left out, by the reason.

    Raises:
        InputError: If recordings are missing.
    """

    def __init__(
        self, files: RawFiles, raw: Place, facts: NTUFacts, *, official_list: bool
    ) -> None:
        self.classes = facts.classes
        self.columns: dict[str, dict[str, str]] = {}
        self._files = files
        self._facts = facts
        self.left_out = Counter(
            {"recordings with missing skeletons": 0, "recordings of other setups": 0}
        )
        stems = ((PurePosixPath(name).stem, name) for name in files.names)
        self._names = sorted(pair for pair in stems if self._belongs(pair[0]))
        if official_list:
            self._refuse_incomplete(raw)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[TrackedRecording | Quarantined]:
        return self.starting_at(0)

    def starting_at(self, first: int) -> Iterator[TrackedRecording | Quarantined]:
        """The recordings from a place on, without reading those before it."""
        return ordered_map(self._read, range(first, len(self._names)), together=_HANDFUL)

    def _belongs(self, name: str) -> bool:
        """Whether a recording is wanted; strange names are, to be told of."""
        if name in self._facts.missing:
            self.left_out["recordings with missing skeletons"] += 1
            return False
        try:
            other = self._facts.setups < recording(name).setup <= 32
        except ValueError:
            return True
        self.left_out["recordings of other setups"] += other
        return not other

    def _read(self, place: int) -> TrackedRecording | Quarantined:
        name, file = self._names[place]
        try:
            if place and self._names[place - 1][0] == name:
                raise ValueError("the name occurs more than once")
            who = self._recording(name)
            content = parse_skeletons(self._files.read(file))
        except (ValueError, DamagedFileError) as error:
            return Quarantined(name, file, str(error))
        return TrackedRecording(who, content.frames, content.bodies, content.repeated)

    def _recording(self, name: str) -> Recording:
        who = recording(name)
        for field, most in (("setup", self._facts.setups), ("action", self._facts.actions)):
            number = getattr(who, field)
            if number > most:
                raise ValueError(f"unknown {field} {number}, expected 1 to {most}")
        return who

    def _refuse_incomplete(self, raw: Place) -> None:
        names = {name for name, _ in self._names if self._is_known(name)}
        listed = self._facts.listed
        if len(names) == listed:
            return
        hint = "Download it again, or set preparation.official_list to false"
        if len(names) > listed:
            problem = f"{len(names) - listed} more recordings than the dataset has"
            raise InputError(problem, file=raw, found=len(names), expected=listed, hint=hint)
        absent = not_found(self._facts, names)
        first = f", no {', '.join(absent[:5])}{', ...' if len(absent) > 5 else ''}" * bool(absent)
        raise InputError(
            f"{listed - len(names)} of the {listed} recordings of the dataset are missing",
            file=raw,
            found=f"{len(names)}{first}",
            expected="all of them",
            hint=hint,
        )

    def _is_known(self, name: str) -> bool:
        try:
            self._recording(name)
        except ValueError:
            return False
        return True
