"""Who keeps a checkpoint beyond the directory that training writes it to, if anybody does.

Training always reads and writes a directory. A keeper fills that directory before training looks at
it, and takes every complete state from there to where it outlives the machine.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from frhead_core.progress import Reporter


class HeldCheckpoint(Protocol):
    """A checkpoint that this process alone writes."""

    def saved(self) -> None:
        """Be told that the directory holds another complete state; training does not wait.

        Raises:
            CheckpointError: If another process writes this checkpoint now.
        """

    def finish(self) -> None:
        """Wait until the last state is kept.

        Raises:
            CheckpointError: If that is impossible; it stays in the directory.
        """


class CheckpointKeeper(Protocol):
    """Keeps checkpoints; it is passed on to other processes, so it has to be picklable."""

    def hold(self, directory: Path, reporter: Reporter) -> AbstractContextManager[HeldCheckpoint]:
        """Be the only writer of a checkpoint, whose newest state is in the directory then.

        Args:
            directory: Of one model; its name says which. Nobody else on this machine writes to it.
            reporter: Told of what is fetched, and of what could not be kept yet; also from other
                threads.

        Raises:
            CheckpointError: If there is another writer, or no state can be gone on from.
        """


class DirectoryAlone:
    """Keeps nothing elsewhere: the directory itself outlives the process."""

    def hold(self, directory: Path, reporter: Reporter) -> AbstractContextManager[HeldCheckpoint]:
        return nullcontext(self)

    def saved(self) -> None:
        pass

    def finish(self) -> None:
        pass


DIRECTORY_ALONE = DirectoryAlone()
