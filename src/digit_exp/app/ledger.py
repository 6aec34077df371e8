"""How far a sweep is: a line for each job that ends, on the console and in the sweep's folder.

Jobs may run in several processes. Each appends to one file, and reads there what the others did.
"""

from __future__ import annotations

import json
import math
import time

from filelock import FileLock

from digit_exp.app.ticket import Ticket
from digit_exp.sweep.objective import Objective

FILE = "jobs.jsonl"


class Ledger:
    """The jobs that have ended since the sweep's command began."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._file = ticket.path / FILE
        self._objective = Objective(ticket.objective)

    def enter(
        self, number: int, name: str, word: str, value: float, reason: str | None = None
    ) -> None:
        """Write down that a job has ended, and print how far the sweep is.

        `word` says how; a job that failed has a `reason` too.
        """
        entry = {
            "started": self._ticket.started,
            "job": number,
            "word": word,
            "value": value,
            "reason": reason,
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._file.with_suffix(".lock")):
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            print(self._line(number, name, word, value), flush=True)

    def failures(self) -> dict[int, str]:
        """Return the numbers of the jobs that failed in this command, and why."""
        if not self._file.is_file():
            return {}
        return {
            int(str(entry["job"])): str(entry["reason"])
            for entry in self._entries()
            if entry["reason"] is not None
        }

    def _entries(self) -> list[dict[str, object]]:
        lines = self._file.read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        return [entry for entry in entries if entry["started"] == self._ticket.started]

    def _line(self, number: int, name: str, word: str, value: float) -> str:
        entries = self._entries()
        width = len(str(self._ticket.jobs))
        parts = [f"[{len(entries):>{width}}/{self._ticket.jobs}] job {number} {word}: {name}"]
        if math.isfinite(value):
            parts.append(f"{self._objective.text(value)}{self._best(entries)}")
        if left := self._time_left(entries):
            parts.append(left)
        return " - ".join(parts)

    def _best(self, entries: list[dict[str, object]]) -> str:
        values = [float(str(entry["value"])) for entry in entries]
        finite = [value for value in values if math.isfinite(value)]
        best = min(finite, key=self._objective.loss)
        return f" (best {self._objective.text(best)})"

    def _time_left(self, entries: list[dict[str, object]]) -> str:
        """Return an estimate from the jobs that were really run in this command."""
        left = self._ticket.jobs - len(entries)
        run = sum(not str(entry["word"]).startswith("was done") for entry in entries)
        if not left or not run:
            return ""
        seconds = (time.time() - self._ticket.started) / run * left
        return (
            f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left"
        )
