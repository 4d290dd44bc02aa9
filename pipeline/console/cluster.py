"""The Kubeflow Pipelines endpoint behind the console: its runs and its schedules."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from frhead_core.config import Recipe
from frhead_core.errors import RecipeError
from pipeline.console.step_log import MOST_BYTES, LogPart, log_piece
from pipeline.kubeflow_api import KubeflowApi
from pipeline.kubeflow_runs import RECURRING_RUN, KubeflowRuns
from pipeline.profile import Profile
from pipeline.run_engine import RunEngine, RunRecord
from pipeline.schedule_file import ScheduleFile, read_schedules
from pipeline.schedule_records import ScheduleRecord, schedule_record
from pipeline.schedules import Applied, Schedules

FILE_NAME = "schedules.yaml"
RUNS_SEARCHED = 200
_MOST_ALIASES, _DEEPEST = 20, 20
_TRIES = 2  # somebody waits for the page


@dataclass(frozen=True)
class Cluster:
    """A Kubeflow Pipelines endpoint.

    Attributes:
        api: How it is asked.
        profile: What is known of the cluster; None leaves all to its own defaults.
        zone: Of its scheduler, in which cron expressions hold.
    """

    api: KubeflowApi
    profile: Profile | None
    zone: ZoneInfo
    _applying: threading.Lock = field(default_factory=threading.Lock, compare=False)

    @classmethod
    def of(cls, api: KubeflowApi, profile: Profile | None, zone: ZoneInfo) -> Cluster:
        """The same endpoint, asked with less patience than by a command."""
        endpoint = dataclasses.replace(api.endpoint, tries=_TRIES)
        return cls(KubeflowApi(endpoint), profile, zone)

    @property
    def runs(self) -> RunEngine:
        """Its runs."""
        return KubeflowRuns(self.api)

    @property
    def schedules(self) -> Schedules:
        """Its recurring runs, to change them."""
        return Schedules(self.api, self.profile)

    def schedule_records(self) -> list[ScheduleRecord]:
        """What there is to say of each recurring run, in the order of their names."""
        found = [schedule_record(run, self.zone) for run in self.schedules.all()]
        return sorted(found, key=lambda each: each.name)

    def newest_runs(self) -> Mapping[str, list[RunRecord]]:
        """Of the newest runs those that a schedule started, by its id, newest first."""
        found: dict[str, list[RunRecord]] = {}
        for run in self.runs.runs(RUNS_SEARCHED):
            if RECURRING_RUN in run.details:
                found.setdefault(run.details[RECURRING_RUN], []).append(run)
        return found

    def apply(self, text: str, *, prune: bool, dry: bool) -> Iterator[Applied]:
        """Bring the cluster to what the text of a file declares, as ``frhead schedule apply`` does.

        Yields:
            What became of each schedule, as soon as it is known.

        Raises:
            RecipeError: If the text is no valid file of schedules.
            InputError: If the endpoint refuses, or cannot be asked.
        """
        declared, recipes = schedules_of(text)
        with self._applying:  # two at once would both find that there is none, and create it
            yield from self.schedules.apply(declared, recipes, prune=prune, dry=dry)

    def log_part(self, run: str, step: str, offset: int | None) -> LogPart:
        """A piece of a step's log, which the API only gives as a whole.

        Args:
            run: Id of the run.
            step: The step.
            offset: Where to begin, in bytes; None for the end of what there is.
        """
        content = self.runs.log(run, step).encode()
        begin = max(0, len(content) - MOST_BYTES) if offset is None else min(offset, len(content))
        return log_piece(content[begin : begin + MOST_BYTES], begin)


def schedules_of(text: str) -> tuple[ScheduleFile, Mapping[str, Recipe]]:
    """The schedules in the text of a file, completely checked.

    Raises:
        RecipeError: If something in it is not valid, or it names files of this machine.
    """
    with tempfile.TemporaryDirectory(prefix="frhead-schedules-") as folder:
        file = Path(folder) / FILE_NAME
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            _refuse_what_is_boundless(text)
            return read_schedules(file, others_too=False)
        except RecipeError as error:
            raise RecipeError(
                error.problem,
                file=FILE_NAME if error.file == str(file) else error.file,
                line=error.line,
                field=error.field,
                found=error.found,
                expected=error.expected,
                hint=error.hint,
            ) from None
        except ValueError as error:  # a day 32
            raise RecipeError(f"is not valid YAML ({error})", file=FILE_NAME) from None


def _refuse_what_is_boundless(text: str) -> None:
    """A few lines of aliases of aliases, or of brackets, can keep a reader busy for hours."""
    aliases = depth = 0
    with contextlib.suppress(yaml.YAMLError):  # is told with its place by what reads the file
        for event in yaml.parse(text):
            aliases += isinstance(event, yaml.AliasEvent)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if aliases > _MOST_ALIASES or depth > _DEEPEST:
                raise RecipeError(
                    "has more aliases, or more brackets in brackets, than are allowed here",
                    file=FILE_NAME,
                    line=event.start_mark.line + 1 if event.start_mark else None,
                    expected=f"at most {_MOST_ALIASES} aliases, and {_DEEPEST} levels",
                )
