"""Mailboxes: small texts that the processes of a sweep leave for each other.

A tracked sweep keeps them in the store, where every machine can read them
(`mlflow/sweep_runs.py`); an untracked one keeps them in its folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from digit_exp.atomic import write_text


class Mailbox(Protocol):
    """Texts by name. Each name is written once, by one process."""

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
