"""The folder of a run: the names of its files, and `run.json` with its id, status and results.

`run.json` makes a run findable (`runs/saved/lookup.py`) and resumable without MLflow.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from textwrap import shorten
from typing import Any

from digit_exp.atomic import write_text
from digit_exp.runs import paths
from digit_exp.runs.errors import interruption_in
from digit_exp.tracking import ownership
from digit_exp.tracking.tags import Tag

log = logging.getLogger(__name__)

FINAL_REASONS = ("diverged", "pruned")
"""Stop reasons of runs that did not finish and cannot be resumed."""
LONGEST_TAG = 5000
"""Letters that MLflow keeps of a tag."""
ERROR_LENGTH = 500
TEST_METRIC = "test_acc"


REQUIRED = {"run_id", "status", "started"}
"""The keys that every record has, and a `run.json` of another program lacks."""


def class_tag(names: Sequence[str]) -> dict[str, str]:
    """Return the tag with the names of the classes; none if MLflow would cut it."""
    text = json.dumps(list(names), ensure_ascii=False)
    return {Tag.CLASSES: text} if names and len(text) <= LONGEST_TAG else {}


class RecordError(ValueError):
    """A folder without a complete record of a run; the message says what is wrong."""


@dataclass
class RunRecord:
    """The content of `run.json`."""

    run_id: str | None
    status: str = "RUNNING"
    """RUNNING, FINISHED, FAILED or KILLED, as in MLflow."""
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    host: str = field(default_factory=platform.node)
    pid: int = field(default_factory=os.getpid)
    summary: dict[str, float] = field(default_factory=dict)
    """The final metrics."""
    reason: str | None = None
    """Why it ended before its last epoch, or failed."""
    name: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    """The same tags as in MLflow: provenance, sweep, the user's own."""
    annotations: dict[str, str] = field(default_factory=dict)
    """Tags that a person gave it afterwards; in MLflow they are tags like the others."""
    ended: str | None = None
    taken_up: str | None = None
    """When its process took it up, if it has been interrupted; else that was when it started."""
    dataset: dict[str, Any] | None = None
    """Name and digest of the data set, and the shapes of its images: `train`, `test`."""

    @classmethod
    def read(cls, folder: Path) -> RunRecord:
        """Read the record of the run in `folder`; raise RecordError if there is none."""
        note = folder / paths.RECORD
        try:
            if not note.is_file():  # opening a pipe would block
                raise ValueError("it is not a file")
            values = json.loads(note.read_text(encoding="utf-8"))
            if not isinstance(values, dict) or not values.keys() >= REQUIRED:
                raise ValueError("another program wrote it")
            known = {item.name for item in fields(cls)}
            record = cls(**{name: value for name, value in values.items() if name in known})
            record.check()
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise RecordError(f"{note} is not the note of a run: {error}") from error
        return record

    def check(self) -> None:
        """Raise ValueError unless the values have the right types."""
        tags = self.all_tags
        texts = [self.status, self.started, self.host, *tags, *tags.values()]
        optional = [self.run_id, self.reason, self.name, self.ended, self.taken_up]
        numbers = [self.pid, *self.summary.values()]
        if not (
            all(isinstance(text, str) for text in texts)
            and all(text is None or isinstance(text, str) for text in optional)
            and all(isinstance(number, int | float) for number in numbers)
            and isinstance(self.dataset, dict | None)
            and datetime.fromisoformat(self.taken_up or self.started)
            and datetime.fromisoformat(self.started)
            and datetime.fromisoformat(self.ended or self.started)
        ):
            raise ValueError("a value in it is of another kind")

    def write(self, folder: Path) -> None:
        """Write the record atomically."""
        write_text(folder / paths.RECORD, json.dumps(asdict(self), indent=2))

    @property
    def all_tags(self) -> dict[str, str]:
        """The tags of the run, and those that it was given afterwards."""
        return {**self.tags, **self.annotations}

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to resume: the run finished, diverged or was pruned."""
        return is_complete(self.status, self.summary) or self.reason in FINAL_REASONS

    @property
    def is_alive(self) -> bool:
        """Whether another process on this host still works on the run."""
        return self.status == "RUNNING" and ownership.is_another(self.owner)

    @property
    def is_dead(self) -> bool:
        """Whether the status is RUNNING, but the process on this host is gone."""
        return self.status == "RUNNING" and ownership.is_gone(self.owner)

    @property
    def owner(self) -> dict[str, str]:
        """The tags that say which process works on it, or did so last."""
        since = datetime.fromisoformat(self.taken_up or self.started).timestamp()
        return {
            Tag.PID: str(self.pid),
            Tag.HOST: self.host,
            Tag.SINCE: f"{since:.0f}",
        }

    def fail(self, error: BaseException) -> None:
        """Record that the run ended by an exception."""
        self.status = "KILLED" if interruption_in(error) else "FAILED"
        self.reason = str(error) or type(error).__name__
        if self.status == "FAILED":
            self.tags |= {Tag.ERROR: shorten(self.reason, ERROR_LENGTH) or type(error).__name__}


@contextmanager
def keep_record(folder: Path, record: RunRecord) -> Iterator[RunRecord]:
    """Write the record when the `with` block starts and again when it ends.

    The block sets `record.status`; an exception sets it to KILLED or FAILED.
    """
    try:
        record.write(folder)
        yield record
    except BaseException as error:
        record.fail(error)
        raise
    finally:
        record.ended = datetime.now(UTC).isoformat()
        try:
            record.write(folder)
        except OSError as error:
            log.warning(
                "cannot write the final status to %s: %s", folder / paths.RECORD, error.strerror
            )


def mark_dead_runs(outputs: Path) -> None:
    """Set the status to KILLED for runs whose process on this machine is gone.

    Looks in the default places: below a day, and below a sweep.
    """
    for file in [*outputs.glob(f"*/*/{paths.RECORD}"), *outputs.glob(f"sweeps/*/*/{paths.RECORD}")]:
        with suppress(OSError, ValueError):  # of another user, or being deleted
            if '"RUNNING"' not in file.read_text(encoding="utf-8"):
                continue
            record = RunRecord.read(file.parent)
            if record.is_dead:
                record.status, record.reason = "KILLED", "its process was killed"
                record.write(file.parent)


def record_in(folder: Path) -> RunRecord | None:
    """Return the record in `folder`, or None; one that cannot be read is reported once."""
    try:
        return RunRecord.read(folder) if (folder / paths.RECORD).exists() else None
    except RecordError as error:
        _name_once(folder.absolute(), str(error))
        return None


def records_below(
    folder: Path, pattern: str = f"**/{paths.RECORD}"
) -> list[tuple[Path, RunRecord]]:
    """Return the folder and note of every run below `folder`, the latest first.

    Of a folder that was copied, one is a run: that of the shorter name.
    """
    places = sorted((note.parent for note in folder.glob(pattern)), key=lambda p: (len(str(p)), p))
    found: dict[tuple[object, ...], tuple[Path, RunRecord]] = {}
    for place in places:
        if (record := record_in(place)) is not None:
            identity = record.run_id, record.started, record.host, record.pid, record.name
            found.setdefault(identity, (place, record))
    return sorted(found.values(), key=lambda run: run[1].started, reverse=True)


@cache
def _name_once(folder: Path, problem: str) -> None:
    log.warning("%s; it is skipped", problem)


def relative_to_cwd(path: Path) -> Path:
    """Return a path relative to the working directory, if it is below that."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def is_complete(status: str, summary: Mapping[str, float]) -> bool:
    """Return whether a run was trained and tested. If the test set failed, resuming reads it."""
    return status == "FINISHED" and TEST_METRIC in summary


def display_status(status: str, reason: str | None) -> str:
    """Return the status as reports show it: DIVERGED or PRUNED instead of FAILED or KILLED."""
    return reason.upper() if reason in FINAL_REASONS else status
