"""Which files a store has got from a run's folder: a note in that folder, `.mirror.json`.

MLflow knows the size of an artifact and not its content. So a file that has changed since it was
sent is told by this note. Without it, files are sent again. It also says whether all was sent, so
that `resume` finds out without asking a store.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from digit_exp.atomic import write_text

NOTE = ".mirror.json"
OUTBOX = "unsent.jsonl"
"""What 0.1 left in a folder; what it says is in the other files of the folder too."""

Version = list[int]
"""Size and time of change: of a file that has neither changed, nothing has changed."""


class SentFiles:
    """What the run `run_id` of some store has got from `folder`."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self._file = folder / NOTE
        self._run_id = run_id
        self._files: dict[str, Version] = _read(self._file).get(run_id, {}).get("files", {})
        self._saved = ""

    def version(self, name: str) -> Version | None:
        """Return which version of a file was sent."""
        return self._files.get(name)

    def add(self, name: str, version: Version) -> None:
        """Remember that this version of a file was sent."""
        self._files[name] = version

    def save(self, *, is_all: bool) -> None:
        """Write the note. A disk that is full costs another sending, and nothing else."""
        entry = {"is_all": is_all, "files": self._files}
        if (text := json.dumps(_read(self._file) | {self._run_id: entry})) == self._saved:
            return
        with suppress(OSError):
            write_text(self._file, text)
            self._saved = text


def version_of(file: Path) -> Version:
    """Return what changes when a file does."""
    found = file.stat()
    return [found.st_size, found.st_mtime_ns]


def is_unsent(folder: Path, run_id: str) -> bool:
    """Tell whether the store of the run lacks something of a folder, by the note in it."""
    entry = _read(folder / NOTE).get(run_id)
    return (folder / OUTBOX).is_file() if entry is None else not entry["is_all"]


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
