"""Which jobs of a sweep have ended since its command began, and how.

Each job leaves an entry where all the others, and the command that started them, can read it: with
the parent in the store, or in the sweep's folder if nothing is tracked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from digit_exp.sweeps.context import Ticket
from digit_exp.tracking.mailbox import FolderShelf, Shelf
from digit_exp.tracking.mlflow.sweep_runs import Sweep

FOLDER = "jobs"


@dataclass(frozen=True)
class Entry:
    """How a job has ended."""

    number: int
    name: str
    word: str
    """Done, failed, pruned, was done before, ..."""
    value: float | None = None
    """Its objective, if it came to one."""
    reason: str | None = None
    """Why it failed, if it did."""


class Ledger:
    """The entries of one command."""

    def __init__(self, ticket: Ticket, sweep: Sweep | None) -> None:
        folder = f"{FOLDER}/{ticket.command}"
        self._shelf: Shelf = (
            FolderShelf(Path(ticket.folder) / folder) if sweep is None else sweep.shelf(folder)
        )

    def enter(self, entry: Entry) -> None:
        """Write down that a job has ended."""
        self._shelf.put(f"{entry.number}.json", json.dumps(asdict(entry)))

    def entries(self, known: Collection[int] = ()) -> Iterator[Entry]:
        """Yield what was written, except of jobs whose number is known."""
        stems = (Path(name).stem for name in self._shelf.names())
        numbers = sorted(int(stem) for stem in stems if stem.isdecimal())
        for number in numbers:
            if number not in known:
                try:
                    yield Entry(**json.loads(self._shelf.get(f"{number}.json")))
                except ValueError:
                    continue  # it is just being written

    def failures(self) -> list[Entry]:
        """Return the jobs that failed."""
        return [entry for entry in self.entries() if entry.reason is not None]
