"""Scores: the logits of named samples, with what is needed to judge and to combine them.

A score file is an uncompressed npz archive without pickled parts. Equal scores give equal bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from frhead_core.config import Modality, Recipe
from frhead_core.errors import InputError
from frhead_core.evaluation.author_pickles import AuthorScores, SampleList, read_author_scores
from frhead_core.evaluation.cost import COST
from frhead_core.files import write_atomically

Part = Literal["train", "validation", "test", "unknown"]

_TEST: Part = "test"

FORMAT_VERSION = 1
ACCURACIES = "accuracies.txt"
ACCURACIES_JSON = "accuracies.json"
CLASSES_CSV = "_classes.csv"
CONFUSION_CSV = "_confusion.csv"
_ZIP_MAGIC = b"PK\x03\x04"
_PICKLE_MAGIC = b"\x80"
_ARRAYS = ("names", "logits", "labels", "parts", "seen_in_training", "metadata")
_FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
# What zipfile, json and numpy raise on a damaged file: a bad archive, an encrypted member, text
# nested too deeply, a header that is no header.
_DAMAGE = (zipfile.BadZipFile, ValueError, LookupError, TypeError, AttributeError, RuntimeError)


@dataclass(frozen=True, eq=False)
class Scores:
    """Logits of n samples over K classes.

    Attributes:
        names: Sample names, each once.
        logits: (n, K) float32, not normalised.
        labels: (n,) int64, 0-based classes.
        parts: For each sample the part of the benchmark's split it belongs to.
        seen_in_training: (n,) bool, whether the model was trained on the sample.
        metadata: What is known of their origin: ``benchmark``, ``modality``, ``backbone``,
            ``which`` (of the epochs kept), ``epoch`` (1-based), ``classes`` (names by class),
            ``model`` (fingerprint), ``data_fingerprint``. JSON values only.

    Raises:
        InputError: If shapes disagree, a name occurs twice, a logit is not finite, or a label is
            no class.
    """

    names: tuple[str, ...]
    logits: np.ndarray
    labels: np.ndarray
    parts: tuple[Part, ...]
    seen_in_training: np.ndarray
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_names(self.names)
        _check_values(self)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class; the numbers of the classes where the origin does not name them."""
        names = self.metadata.get("classes") or range(self.logits.shape[1])
        return tuple(str(name) for name in names)

    def save(self, path: Path) -> None:
        """Write the scores as npz, atomically.

        Raises:
            InputError: If the file cannot be written.
        """
        metadata = json.dumps({"format_version": FORMAT_VERSION, **self.metadata}, sort_keys=True)
        arrays = (
            np.array(self.names, dtype=np.str_),
            self.logits,
            self.labels,
            np.array(self.parts, dtype=np.str_),
            self.seen_in_training,
            np.array(metadata),
        )
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name, array in zip(_ARRAYS, arrays, strict=True):
                # A fixed date keeps the bytes the same from run to run.
                member = zipfile.ZipInfo(f"{name}.npy", _FIRST_ZIP_DATE)
                archive.writestr(member, _npy_bytes(array))
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> Scores:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: If the file is missing, damaged, of another version, or not a score file.
        """
        return _parse_npz(_read_bytes(path), path)


def read_scores(
    path: Path,
    *,
    recipe: Recipe,
    modality: Modality | None = None,
    samples: SampleList | None = None,
) -> Scores:
    """Read a score file of ours, or a pickle as the authors published them.

    What the file is follows from its content, not from its name. A pickle is read as data, by
    :mod:`frhead_core.evaluation.author_pickles`; nothing in it runs.

    Args:
        path: The file.
        recipe: The benchmark that the scores must belong to.
        modality: The modality that the scores must be of, where they say so themselves.
        samples: Names and labels of the test samples in the order of the authors' test list;
            only their pickles for benchmarks other than NW-UCLA need it.

    Raises:
        InputError: If the file cannot be read, is not a score file, or is of another benchmark
            or modality.
    """
    content = _read_bytes(path)
    if content.startswith(_ZIP_MAGIC):
        scores = _parse_npz(content, path)
        _check_origin(scores, path, recipe, modality)
        return scores
    if content.startswith(_PICKLE_MAGIC):
        return _from_authors(read_author_scores(content, path, recipe, samples), recipe, modality)
    raise InputError(
        "is not a score file",
        file=path,
        found=f"a file that starts with {content[:4]!r}",
        expected="an npz file written by this program, or a pickle as the authors published them",
    )


def holds_scores(folder: Path) -> bool:
    """Whether everything in a folder is named as in a folder of score files."""
    suffixes = (".npz", CLASSES_CSV, CONFUSION_CSV, ACCURACIES, ACCURACIES_JSON, COST)
    return all(path.name.endswith(suffixes) for path in folder.iterdir())


def _from_authors(found: AuthorScores, recipe: Recipe, modality: Modality | None) -> Scores:
    count = len(found.samples.names)
    return Scores(
        names=found.samples.names,
        logits=found.logits,
        labels=np.array(found.samples.labels, dtype=np.int64),
        parts=count * (_TEST,),
        seen_in_training=np.zeros(count, dtype=bool),
        # The authors keep the scores of the epoch that is best on the test set.
        metadata={
            "benchmark": recipe.name,
            "modality": modality,
            "which": "best_on_test",
            "origin": "authors' pickle",
            "classes": list(found.samples.classes),
        },
    )


def _check_shapes(scores: Scores) -> None:
    n = len(scores.names)
    if scores.logits.ndim != 2 or scores.logits.dtype != np.float32:
        found = f"{scores.logits.dtype} {scores.logits.shape}"
        raise InputError("wrong array", field="logits", found=found, expected="float32 (n, K)")
    if n == 0 or scores.logits.shape[1] == 0:
        raise InputError("no scores", field="logits", found=scores.logits.shape)
    for name, dtype in (("labels", np.int64), ("seen_in_training", np.bool_)):
        array = getattr(scores, name)
        if array.dtype != dtype or array.shape != (n,):
            raise InputError(
                "wrong array",
                field=name,
                found=f"{array.dtype} {array.shape}",
                expected=f"{np.dtype(dtype)} ({n},)",
            )
    for name, length in (("logits", scores.logits.shape[0]), ("parts", len(scores.parts))):
        if length != n:
            raise InputError("wrong number of rows", field=name, found=length, expected=n)
    classes = scores.metadata.get("classes")
    if classes and len(classes) != scores.logits.shape[1]:
        raise InputError(
            "wrong number of class names",
            field="classes",
            found=len(classes),
            expected=scores.logits.shape[1],
        )


def _check_names(names: tuple[str, ...]) -> None:
    if "" in names:
        raise InputError("a sample has no name", field=f"names[{names.index('')}]")
    for name in names:
        if "\0" in name:  # NumPy drops it at the end of a text
            raise InputError("a sample's name holds a zero character", field=repr(name))
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise InputError("sample occurs more than once", field=name, found=count, expected=1)


def _check_values(scores: Scores) -> None:
    strange = np.flatnonzero(~np.isfinite(scores.logits).all(axis=1))
    if strange.size:
        row = int(strange[0])
        raise InputError(
            "logits are not finite",
            field=scores.names[row],
            found=f"{scores.logits[row].tolist()} ({strange.size} such samples)",
            expected="finite numbers",
        )
    classes = scores.logits.shape[1]
    strange = np.flatnonzero((scores.labels < 0) | (scores.labels >= classes))
    if strange.size:
        row = int(strange[0])
        raise InputError(
            "label is not a class",
            field=scores.names[row],
            found=int(scores.labels[row]),
            expected=f"0 to {classes - 1}",
        )
    unknown = sorted(set(scores.parts) - set(get_args(Part)))
    if unknown:
        raise InputError(
            "unknown part", field="parts", found=unknown[0], expected=" or ".join(get_args(Part))
        )


def _check_origin(scores: Scores, path: Path, recipe: Recipe, modality: Modality | None) -> None:
    expectations = {"benchmark": recipe.name, "modality": modality}
    for key, expected in expectations.items():
        found = scores.metadata.get(key)
        if None not in (found, expected) and found != expected:
            raise InputError(f"scores of another {key}", file=path, found=found, expected=expected)
    for part in sorted(set(scores.parts)):
        classes = len(recipe.scored_labels(part))
        if scores.logits.shape[1] != classes:
            raise InputError(
                "wrong number of classes",
                file=path,
                field="logits",
                found=scores.logits.shape[1],
                expected=classes,
            )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=path) from error


def _npy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(
        buffer, np.ascontiguousarray(array).reshape(array.shape), version=(1, 0), allow_pickle=False
    )
    return buffer.getvalue()


def _parse_npz(content: bytes, path: Path) -> Scores:
    try:
        arrays = _read_arrays(content)
        metadata = json.loads(str(arrays.pop("metadata")))
        version = metadata.pop("format_version")
    except _DAMAGE as error:
        raise InputError(
            f"is damaged, or not a score file ({error})",
            file=path,
            expected="an npz file with " + ", ".join(_ARRAYS),
        ) from error
    if version != FORMAT_VERSION:
        raise InputError(
            "score file of another version",
            file=path,
            field="format_version",
            found=version,
            expected=FORMAT_VERSION,
            hint="Evaluate the model again with this version",
        )
    names, parts = (tuple(np.atleast_1d(arrays.pop(key)).tolist()) for key in ("names", "parts"))
    try:
        return Scores(names=names, parts=parts, metadata=metadata, **arrays)
    except InputError as error:
        raise InputError(
            error.problem,
            file=path,
            field=error.field,
            found=error.found,
            expected=error.expected,
        ) from error


def _read_arrays(content: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: _read_member(archive, f"{name}.npy") for name in _ARRAYS}


def _read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """One array, read only if the archive holds as many bytes as the array's header declares.

    A small file can therefore not claim much memory: neither by compression nor by its header.
    """
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    stream = io.BytesIO(archive.read(member))
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} has an unknown npy version")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    values = stream.read()
    size = dtype.itemsize
    for length in shape:
        size *= length
    if dtype.kind not in "fibU" or fortran_order or size != len(values):
        raise ValueError(f"{name} does not hold the {dtype} {shape} that it declares")
    return np.frombuffer(values, dtype=dtype).reshape(shape)
