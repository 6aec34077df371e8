"""What a store has not got yet, in memory and in a file that outlives the process.

The file exists while something is unsent. Every line is an entry, or says which entry was sent:
it is appended to, so that a process killed at any moment leaves all whole lines.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from digit_exp.atomic import write_text

logger = logging.getLogger(__name__)

UNSENT = "unsent.jsonl"
"""The file, in a run's folder."""

Entry = Mapping[str, Any]
"""One thing to tell the store, as JSON can hold it."""


class Spool:
    """A queue of entries. `file` is its shadow on the disk; without one it is in memory only.

    What the file holds when the spool is made, an earlier process left there.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._lock = Lock()
        self._entries: dict[int, Entry] = {}
        self._last = 0
        self._is_behind = False  # whether the file lacks something
        if file is not None and file.exists():
            self._entries = _read(file)
            self._last = max(self._entries, default=0)

    @property
    def is_kept(self) -> bool:
        """Whether all that is unsent outlives the process."""
        return self.file is not None and not self._is_behind

    def __len__(self) -> int:
        """Return how many entries are unsent."""
        return len(self._entries)

    def entries(self) -> dict[int, Entry]:
        """Return the unsent entries by their number, the oldest first."""
        with self._lock:
            return dict(self._entries)

    def append(self, entry: Entry) -> None:
        """Add an entry."""
        with self._lock:
            self._last += 1
            self._entries[self._last] = entry
            self._write({"number": self._last, "entry": entry})

    def remove(self, number: int) -> None:
        """Take out an entry that was sent."""
        with self._lock:
            del self._entries[number]
            if self._entries:
                self._write({"sent": number})
            elif self.file is not None:
                self.file.unlink(missing_ok=True)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self.file is None:
            return
        try:
            if self._is_behind:
                self._catch_up(self.file)
            else:
                with self.file.open("ab") as file:
                    # a line of its own, even behind half a line of a process that was killed
                    file.write(b"\n" + json.dumps(line).encode() + b"\n")
        except OSError as error:
            self._fall_behind(self.file, error)

    def _catch_up(self, path: Path) -> None:
        """Write all that is unsent anew, since some of it could not be written before."""
        lines = [{"number": number, "entry": entry} for number, entry in self._entries.items()]
        write_text(path, "\n".join(map(json.dumps, lines)) + "\n")
        self._is_behind = False

    def _fall_behind(self, path: Path, error: OSError) -> None:
        if not self._is_behind:
            logger.warning(
                "%s cannot be written (%s): unless that changes, what MLflow does not get while"
                " this process lives is lost to it",
                path,
                error.strerror,
            )
        self._is_behind = True
        if path.is_file() and not path.stat().st_size:  # it would say that something is unsent
            path.unlink()


def _read(file: Path) -> dict[int, Entry]:
    entries: dict[int, Entry] = {}
    for text in file.read_bytes().split(b"\n"):
        try:
            line = json.loads(text)
        except ValueError:  # empty, or cut off
            continue
        if "sent" in line:
            entries.pop(line["sent"], None)
        else:
            entries[line["number"]] = line["entry"]
    return entries
