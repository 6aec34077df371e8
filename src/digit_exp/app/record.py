"""A run's own note in its folder, `run.json`: who it is, whether it goes on, what came of it.

It makes a run findable without MLflow: `resume=latest` and `resume=RUN_ID` read these notes.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

FILE = "run.json"
CHECKPOINT = Path("checkpoints") / "last.npz"


@dataclass
class RunRecord:
    """What a run says about itself."""

    run_id: str | None
    status: str = "RUNNING"
    """RUNNING, FINISHED, FAILED or KILLED, as in MLflow."""
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)

    @classmethod
    def read(cls, folder: Path) -> RunRecord:
        """Read the note of the run in `folder`."""
        return cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))

    def write(self, folder: Path) -> None:
        """Write the note, whole or not at all."""
        draft = folder / f".{FILE}.{os.getpid()}"
        draft.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        draft.replace(folder / FILE)

    @property
    def is_alive(self) -> bool:
        """Whether the process that runs it is still there, as far as this host can tell."""
        if self.status != "RUNNING" or self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


@contextmanager
def recorded(folder: Path, record: RunRecord) -> Iterator[RunRecord]:
    """Keep the note in `folder` true while the `with` block runs, and when it has ended.

    The block sets `record.status`; an exception makes it KILLED or FAILED.
    """
    record.write(folder)
    try:
        yield record
    except BaseException as error:
        record.status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        raise
    finally:
        record.write(folder)


def runs(outputs: Path) -> Iterator[tuple[Path, RunRecord]]:
    """Yield the folder and note of every run below `outputs`, the latest first."""
    found = [(note.parent, RunRecord.read(note.parent)) for note in outputs.rglob(FILE)]
    yield from sorted(found, key=lambda run: run[1].started, reverse=True)
