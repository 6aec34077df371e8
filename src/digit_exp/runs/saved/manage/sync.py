"""Sends what a store lacks of a run's folder: to its own store, or to another as a copy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digit_exp.config.serialize import read_yaml
from digit_exp.runs import paths
from digit_exp.runs.active_run import read_contents
from digit_exp.runs.folder import RecordError, RunRecord, record_in
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.queries import RunStore
from digit_exp.tracking.mlflow.sync.start_run import PATIENCE, sync_run
from digit_exp.tracking.mlflow.sync.stored import is_unsent
from digit_exp.tracking.mlflow.uri import locate


@dataclass(frozen=True)
class Synced:
    """The result of `sync`."""

    run_id: str
    """In that store."""
    sent: list[str]
    """What it lacked, in words."""
    is_all: bool
    """Whether it has everything; if not, the log says what it lacks."""
    where: list[str]
    """How to open the run there, as lines of text."""

    def as_json(self) -> dict[str, Any]:
        """Return what `sync --json` prints of a run, besides the run itself."""
        return {
            "stored_as": self.run_id,
            "sent": self.sent,
            "complete": self.is_all,
            "page": self.where,
        }


def sync(folder: Path, to: str | None = None) -> Synced:
    """Make the run in a store equal to a folder: in the store at `to`, or in its own.

    A run that was not tracked, and goes to its own store, belongs to it from then on. Raises
    TrackingError if the store cannot be used, or if its run is newer than the folder.
    """
    try:
        record = RunRecord.read(folder)
    except RecordError as error:
        raise TrackingError(str(error)) from error
    if record.is_alive:
        raise TrackingError(f"the run in {folder} is still going on (process {record.pid})")
    settings = _tracking(folder)
    tracker = sync_run(
        read_contents(folder),
        uri=to or settings.get("uri"),
        experiment=settings.get("experiment", "digits"),
    )
    if record.run_id is None and to is None:
        record.run_id = tracker.run_id
        record.write(folder)
    is_all = tracker.close(PATIENCE)
    tracker.check()
    return Synced(tracker.run_id, tracker.sync.sent, is_all, tracker.where())


def store_of(folder: Path) -> RunStore:
    """Return the store in which the run of a folder was tracked."""
    return RunStore(locate(_tracking(folder).get("uri"), Path.cwd()))


def _tracking(folder: Path) -> dict[str, Any]:
    return dict(read_yaml(folder / paths.CONFIG).get("tracking", {}))


def unsent(folder: Path) -> bool:
    """Tell whether a run is over and its store lacks something of its folder."""
    record = record_in(folder)
    if record is None or record.run_id is None:
        return False
    return record.is_over and is_unsent(folder, record.run_id)
