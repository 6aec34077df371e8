"""Which jobs of a sweep have ended since its command began, and how.

Each job leaves an entry where all the others, and the command that started them, can read it: with
the parent in the store, or in the sweep's folder if nothing is tracked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from digit_exp.sweeps.worker_settings import SweepContext
from digit_exp.tracking.base import FolderMailbox, Mailbox
from digit_exp.tracking.mlflow.sweep_runs import Sweep

FOLDER = "jobs"
FAILED = ".failed"
"""In the name of an entry of a job that failed."""
STOPPED = "stopped at the end of sweep.minutes"
"""The outcome of a job that the next command continues."""
ENTRY = re.compile(r"(\d+)(\.failed)?\.json")


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job."""

    number: int
    name: str
    word: str
    """Done, failed, pruned, was done before, ..."""
    value: float | None = None
    """Its objective, if it has one."""
    reason: str | None = None
    """Why it failed, if it did."""


class OutcomeLog:
    """The entries of one command."""

    def __init__(self, context: SweepContext, sweep: Sweep | None) -> None:
        folder = f"{FOLDER}/{context.command}"
        self._mailbox: Mailbox = (
            FolderMailbox(Path(context.folder) / folder) if sweep is None else sweep.mailbox(folder)
        )

    def add(self, entry: Outcome) -> None:
        """Write down that a job has ended."""
        failed = "" if entry.reason is None else FAILED
        self._mailbox.put(f"{entry.number}{failed}.json", json.dumps(asdict(entry)))

    def entries(self, known: Collection[int] = ()) -> Iterator[Outcome]:
        """Yield what was written, except of jobs whose number is known."""
        found = (ENTRY.fullmatch(name) for name in self._mailbox.names())
        names = {int(match[1]): match[0] for match in found if match}
        for number in sorted(names):
            if number not in known:
                try:
                    yield Outcome(**json.loads(self._mailbox.get(names[number])))
                except ValueError:
                    continue  # it is just being written

    def has_failures(self) -> bool:
        """Tell whether a job failed. Their names say so: no entry is read."""
        found = (ENTRY.fullmatch(name) for name in self._mailbox.names())
        return any(match and match[2] for match in found)
