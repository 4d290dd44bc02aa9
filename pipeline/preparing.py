"""The data steps without a pipeline: one after the other into one folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from components.object_storage.ranged_file import opened_archive
from components.runtime import input_hash
from components.sections import preparation_to_json, skeleton_to_json, splits_to_json
from frhead_core.config import Recipe
from frhead_core.data import datasets
from frhead_core.data.raw_files import Place
from frhead_core.data.step_report import StepReport
from frhead_core.files import write_atomically
from frhead_core.progress import Reporter
from pipeline.arguments import splits_of_store
from pipeline.code_version import code_version

_PROGRESS = ".progress"
_COMPLETE = "complete.json"

Make = Callable[[Path, Path], StepReport]
"""Makes a directory, with a place for what an interruption leaves."""


@dataclass
class Prepared:
    """What has been prepared in a folder, by this or an earlier process.

    A step is skipped when its directory was made from equal inputs, and otherwise goes on where it
    was interrupted.

    Attributes:
        output: The folder.
        reporter: Told what is skipped.
        inputs: Hash of what the next step's result depends on.
    """

    output: Path
    reporter: Reporter
    inputs: str
    complete: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._record = self.output / _PROGRESS / _COMPLETE
        if self._record.is_file():
            self.complete = json.loads(self._record.read_text(encoding="utf-8"))

    def step(self, name: str, step: str, settings: str, make: Make) -> StepReport:
        """Make the directory ``name`` by a step, unless it is there.

        Args:
            name: Of the directory.
            step: Whose code makes it.
            settings: What it depends on beside the directory before it.
            make: Makes it.
        """
        self.inputs = input_hash(self.inputs, code_version(step), settings)
        directory = self.output / name
        if self.complete.get(name) == self.inputs and (directory / "metadata.json").is_file():
            self.reporter.message(f"{name}: complete")
            return StepReport.read(directory)
        if name in self.complete:
            self._note(name, None)  # from now on the directory may be of either inputs
        report = make(directory, self.output / _PROGRESS / f"{name}-{self.inputs}")
        self._note(name, self.inputs)
        return report

    def _note(self, name: str, inputs: str | None) -> None:
        self.complete[name] = inputs
        write_atomically(self._record, json.dumps(self.complete, indent=2).encode())


def prepare(recipe: Recipe, raw: Place, output: Path, reporter: Reporter) -> StepReport:
    """Make ``raw_bodies``, ``denoised`` and ``sequences``, the store, in a folder.

    Returns:
        The report of the last step.

    Raises:
        InputError: If the raw data or the folder cannot be used.
    """
    dataset, settings, splits = recipe.dataset, recipe.preparation, splits_of_store(recipe)
    mark = datasets.fingerprint(dataset, raw, opened_archive, reporter)
    prepared = Prepared(output, reporter, input_hash(dataset, mark))
    text = preparation_to_json(settings)

    def extract(directory: Path, progress: Path) -> StepReport:
        return datasets.extract_raw_skeletons(
            dataset,
            raw,
            directory,
            settings,
            mark,
            reporter,
            progress,
            recipe.skeleton,
            opened_archive,
        )

    def denoise(directory: Path, progress: Path) -> StepReport:
        return datasets.denoise_skeletons(
            dataset, output / "raw_bodies", directory, settings, reporter, progress
        )

    def transform(directory: Path, progress: Path) -> StepReport:
        return datasets.transform_sequences(
            dataset, output / "denoised", directory, splits, settings, reporter, progress
        )

    layout = skeleton_to_json(recipe.skeleton)
    prepared.step("raw_bodies", "extract_raw_skeletons", text + layout, extract)
    prepared.step("denoised", "denoise_skeletons", text, denoise)
    return prepared.step(
        "sequences", "transform_sequences", text + splits_to_json(splits), transform
    )
