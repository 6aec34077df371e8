"""The contracts: what a run's folder holds, a tracker that mirrors it, the mailbox of a sweep."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from digit_exp.arrays import Metrics
from digit_exp.atomic import write_text


class TrackingError(RuntimeError):
    """The store of runs cannot be used; the message says why and what to do."""


class Status(StrEnum):
    """The status of a run, as in MLflow."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(frozen=True)
class Epoch:
    """The metrics of an epoch, and its time in milliseconds since 1970."""

    number: int
    time: int
    metrics: Metrics


@dataclass(frozen=True)
class RunContents:
    """The contents of a run's folder at one moment."""

    folder: Path
    run_id: str | None = None
    """In the store where the run was opened."""
    name: str | None = None
    status: str = Status.RUNNING
    started: int | None = None
    """In milliseconds since 1970, as `ended`."""
    ended: int | None = None
    owner: Mapping[str, str] = field(default_factory=dict)
    """The tags of the process that works on it, or did last: `ownership.claim`."""
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)
    """The configuration: dotted keys, numbers as numbers."""
    epochs: Sequence[Epoch] = ()
    samples: Sequence[Epoch] = ()
    """What the machine did, by the second since the start: `system/disk_usage_percentage`, ..."""
    summary: Metrics = field(default_factory=dict)
    """The final metrics: `best_val_acc`, `test_acc`, ..."""
    dataset: Mapping[str, Any] | None = None
    """Name and digest of the data set, and the shapes of its images: `train`, `test`."""
    files: Sequence[str] = ()
    """To be kept as artifacts, by their paths in `folder`."""
    network: Path | None = None
    """A file of `vision.classifier`, to be logged as a model that can be served."""

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, however it did."""
        return self.status != Status.RUNNING


class Tracker:
    """Mirrors a run's folder. This one mirrors nothing: it is `tracking=none`."""

    run_id: str | None = None

    def follow(self, contents: Callable[[], RunContents]) -> None:
        """Mirror what `contents` returns until `close`; it is called from another thread."""

    def changed(self) -> None:
        """Send soon what is new. Returns at once."""

    def check(self) -> None:
        """Raise TrackingError if another process has taken the run over."""

    def close(self, patience: float) -> bool:
        """Send what is left, and return whether all of it is sent.

        `patience`: give up after so many seconds without progress.
        """
        return True

    def where(self) -> list[str]:
        """Return how to open this run, as lines of text; nothing if it is not tracked.

        >>> Tracker().where()
        []
        """
        return []


class Mailbox(Protocol):
    """Small texts that the processes of a sweep leave for each other.

    Each name is written once, by one process. A tracked sweep has its mailbox in the store, where
    every machine can read it (`mlflow/sweep_runs.py`); an untracked one in its folder.
    """

    def put(self, name: str, text: str) -> None:
        """Store a text."""

    def names(self) -> list[str]:
        """Return the names of all texts."""

    def get(self, name: str) -> str:
        """Return a text; it may be incomplete while it is being written."""


@dataclass(frozen=True)
class FolderMailbox:
    """Texts as files in a folder."""

    folder: Path

    def put(self, name: str, text: str) -> None:
        write_text(self.folder / name, text)

    def names(self) -> list[str]:
        return [path.name for path in self.folder.glob("[!.]*")]

    def get(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")
