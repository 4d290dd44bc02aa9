"""Who reads the raw files of each dataset."""

from __future__ import annotations

from frhead_core.config import Preparation
from frhead_core.data import own_names
from frhead_core.data.ntu_names import NTU60, NTU120
from frhead_core.data.ntu_source import NTUSource
from frhead_core.data.nw_ucla import NWUCLASource
from frhead_core.data.own import OwnSource
from frhead_core.data.raw_files import Place, RawFiles
from frhead_core.data.recordings import RecordedBodies, RecordingSource
from frhead_core.data.tracked_bodies import TrackedRecording
from frhead_core.skeletons import Skeleton

Source = RecordingSource[RecordedBodies] | RecordingSource[TrackedRecording]

_NTU = {facts.name: facts for facts in (NTU60, NTU120)}


def open_source(
    dataset: str, files: RawFiles, raw: Place, preparation: Preparation, layout: Skeleton
) -> Source:
    """The recordings in the raw files of a dataset.

    Args:
        dataset: Name of a known dataset.
        files: Its files.
        raw: Where they are, for messages.
        preparation: The recipe's settings.
        layout: The joints of its bodies.

    Raises:
        InputError: If recordings that must be there are missing, or a table that lists them.
    """
    if dataset == own_names.NAME:
        return OwnSource(files, raw, layout)
    if dataset in _NTU:
        return NTUSource(files, raw, _NTU[dataset], official_list=preparation.official_list)
    return NWUCLASource(files, raw, official_list=preparation.official_list)
