"""A run's own note in its folder, `run.json`: who it is, whether it goes on, what came of it.

It makes a run findable without MLflow (`runs/reuse/lookup.py`), and resumable.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from textwrap import shorten
from typing import Any

from digit_exp.atomic import write_text
from digit_exp.tracking import ownership

log = logging.getLogger(__name__)

FILE = "run.json"
OVER = ("diverged", "pruned")
"""Why a run that did not finish is not to be resumed either."""
STOP_REASON = "digit_exp.stop_reason"
"""The tag that says why training ended before its last epoch."""
DATA_DIGEST = "data.digest"
"""The tag that says on which data set a run was trained and tested."""
ERROR = "digit_exp.error"
"""The tag that says why a run has FAILED; the whole traceback is in a file."""
ERROR_LENGTH = 500
CONFIG = "config.yaml"
CHECKPOINT = Path("checkpoints") / "last.npz"
PREDICTIONS = "test_predictions.npz"
VAL_PREDICTIONS = "val_predictions.npz"
"""By these networks are compared; the test set has no part in a choice."""
LOG = "digit_exp.log"
NETWORK, DIFF, TRACEBACK = "network.txt", "git_diff.patch", "traceback.txt"
SERVED = "model.npz"
"""The network as it is served."""


@dataclass
class RunRecord:
    """What a run says about itself."""

    run_id: str | None
    status: str = "RUNNING"
    """RUNNING, FINISHED, FAILED or KILLED, as in MLflow."""
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    host: str = field(default_factory=platform.node)
    pid: int = field(default_factory=os.getpid)
    summary: dict[str, float] = field(default_factory=dict)
    """The numbers that it came to."""
    reason: str | None = None
    """Why it ended before its last epoch, or failed."""
    name: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    """With what it was made, and of which sweep it is: as MLflow would have them."""
    ended: str | None = None
    taken_up: str | None = None
    """When its process took it up, if it has been interrupted; else that was when it started."""
    dataset: dict[str, Any] | None = None
    """Name and digest of the data set, and the shapes of its images: `train`, `test`."""

    @classmethod
    def read(cls, folder: Path) -> RunRecord:
        """Read the note of the run in `folder`."""
        return cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))

    def write(self, folder: Path) -> None:
        """Write the note, whole or not at all."""
        write_text(folder / FILE, json.dumps(asdict(self), indent=2))

    @property
    def is_over(self) -> bool:
        """Whether nothing more would come of it: it finished, has diverged or was pruned."""
        return self.status == "FINISHED" or self.reason in OVER

    @property
    def is_alive(self) -> bool:
        """Whether another process of this host is still at it."""
        return self.status == "RUNNING" and ownership.is_another(self.owner)

    @property
    def is_dead(self) -> bool:
        """Whether it says that it goes on, and its process on this host is gone."""
        return self.status == "RUNNING" and ownership.is_gone(self.owner)

    @property
    def owner(self) -> dict[str, str]:
        """The tags that say which process works on it, or did so last."""
        since = datetime.fromisoformat(self.taken_up or self.started).timestamp()
        return {
            ownership.PID: str(self.pid),
            ownership.HOST: self.host,
            ownership.SINCE: f"{since:.0f}",
        }

    def fail(self, error: BaseException) -> None:
        """Say that the run ended by an exception."""
        self.status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        self.reason = str(error) or type(error).__name__
        if self.status == "FAILED":
            self.tags |= {ERROR: shorten(self.reason, ERROR_LENGTH) or type(error).__name__}


@contextmanager
def recorded(folder: Path, record: RunRecord) -> Iterator[RunRecord]:
    """Keep the note in `folder` true while the `with` block runs, and when it has ended.

    The block sets `record.status`; an exception makes it KILLED or FAILED.
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
            log.warning("%s still says RUNNING: %s", folder / FILE, error.strerror)


def mark_dead(outputs: Path) -> None:
    """Call those runs KILLED in their notes whose process on this machine is gone.

    Looks where runs are put by default, below a day or a sweep.
    """
    for note in [*outputs.glob(f"*/*/{FILE}"), *outputs.glob(f"sweeps/*/*/{FILE}")]:
        with suppress(OSError, ValueError, TypeError):  # not ours, or going away this moment
            if '"RUNNING"' not in note.read_text(encoding="utf-8"):
                continue
            record = RunRecord.read(note.parent)
            if record.is_dead:
                record.status, record.reason = "KILLED", "its process was killed"
                record.write(note.parent)


def runs(outputs: Path) -> Iterator[tuple[Path, RunRecord]]:
    """Yield the folder and note of every run below `outputs`, the latest first."""
    found = [(note.parent, RunRecord.read(note.parent)) for note in outputs.rglob(FILE)]
    yield from sorted(found, key=lambda run: run[1].started, reverse=True)


def from_here(path: Path) -> Path:
    """Return a path as a person would type it where the command was started."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def ended(status: str, reason: str | None) -> str:
    """Return how a job ended, in the words of a report."""
    return reason.upper() if reason in OVER else status
