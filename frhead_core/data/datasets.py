"""The steps that turn the raw files of a dataset into a sequence store, all in one place.

Each step lies in a module of its own, so that what one imports (the parser, say, is compiled) is no
burden to the others, and a change of one is no reason to repeat them.
"""

from __future__ import annotations

from frhead_core.data.denoising import denoise_skeletons
from frhead_core.data.extraction import extract_raw_skeletons
from frhead_core.data.fingerprint import fingerprint
from frhead_core.data.packed import DenoisedSequences, RawBodies
from frhead_core.data.parts import assign_parts
from frhead_core.data.registry import DATASETS, find_dataset
from frhead_core.data.transformation import transform_sequences

__all__ = [
    "DATASETS",
    "DenoisedSequences",
    "RawBodies",
    "assign_parts",
    "denoise_skeletons",
    "extract_raw_skeletons",
    "find_dataset",
    "fingerprint",
    "transform_sequences",
]
