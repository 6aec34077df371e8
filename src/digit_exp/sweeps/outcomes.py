"""Which jobs of a sweep have ended since its command began, and how.

Each job leaves an entry where all the others, and the command that started them, can read it: with
the parent in the store, or in the sweep's folder if nothing is tracked. The launcher blocks the
command until its jobs are over, and what they print may end up in files of another machine. So the
command itself reads the outcomes, in a thread, and prints a line for each.
"""

import json
import logging
import re
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from digit_exp.analysis.objective import Objective
from digit_exp.sweeps.worker_settings import SweepContext
from digit_exp.tracking.base import FolderMailbox, Mailbox, TrackingError
from digit_exp.tracking.mlflow.sweep_runs import Sweep

FOLDER = "jobs"
FAILED = ".failed"
"""In the name of an entry of a job that failed."""
STOPPED = "stopped at the end of sweep.minutes"
"""The outcome of a job that the next command continues."""
log = logging.getLogger(__name__)

MIN_SECONDS, MAX_SECONDS = 0.2, 2.0
"""Seconds between two looks."""

NOT_RUN = ("was done", "is running", "dropped")
"""The first words of outcomes that took no training time."""

SHARE = 50
"""Between these, looking takes one part in so many of a core."""

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


class ProgressPrinter:
    """Prints the jobs that end inside its `with` block, all of them before the block is left."""

    def __init__(self, context: SweepContext, outcomes: OutcomeLog) -> None:
        self._context = context
        self._outcomes = outcomes
        self._objective = Objective(context.objective)
        self._entries: dict[int, Outcome] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    @property
    def entries(self) -> list[Outcome]:
        """The jobs that have ended, in the order in which that was seen."""
        return list(self._entries.values())

    @property
    def failures(self) -> list[Outcome]:
        """Those of them that failed."""
        return [entry for entry in self.entries if entry.reason is not None]

    def _follow(self) -> None:
        pause = MIN_SECONDS
        while not self._over.wait(pause):
            began = time.thread_time()  # waiting for a server costs the jobs nothing
            self._look()
            pause = min(max(MIN_SECONDS, SHARE * (time.thread_time() - began)), MAX_SECONDS)

    def _look(self) -> None:
        try:
            for entry in self._outcomes.entries(known=self._entries.keys()):
                self._entries[entry.number] = entry
                print(self._line(entry), flush=True)
        except TrackingError as error:  # the jobs may continue
            log.warning("the progress of the jobs cannot be read: %s", error)

    def _line(self, entry: Outcome) -> str:
        width = len(str(self._context.jobs))
        place = f"[{len(self._entries):>{width}}/{self._context.jobs}]"
        parts = [f"{place} job {entry.number} {entry.word}: {entry.name}"]
        if entry.value is not None:
            values = [each.value for each in self.entries if each.value is not None]
            best = self._objective.text(min(values, key=self._objective.loss))
            parts.append(f"{self._objective.text(entry.value)} (best {best})")
        if entry.reason is not None:
            parts.append(entry.reason.splitlines()[0])
        if left := self._time_left():
            parts.append(left)
        return " - ".join(parts)

    def _time_left(self) -> str:
        """Return an estimate from the jobs that were really run in this command."""
        left = self._context.jobs - len(self._entries)
        run = sum(not entry.word.startswith(NOT_RUN) for entry in self.entries)
        if left <= 0 or not run:
            return ""
        seconds = (time.monotonic() - self._started) / run * left
        return (
            f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left"
        )
