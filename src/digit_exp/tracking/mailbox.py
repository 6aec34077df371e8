"""A place for small texts that the processes of a sweep leave for each other.

In the store, beside the parent, any machine that reaches the server finds them. A sweep that is not
tracked has a folder for them.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from digit_exp.atomic import write_text
from digit_exp.tracking.mlflow.connect import explained
from digit_exp.tracking.mlflow.uri import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Shelf(Protocol):
    """Texts by name. A name is written once, by one process."""

    def put(self, name: str, text: str) -> None:
        """Leave a text."""

    def names(self) -> list[str]:
        """Return the names of all texts."""

    def get(self, name: str) -> str:
        """Return a text, which may not be whole yet while it is put there."""


@dataclass(frozen=True)
class FolderShelf:
    """Texts as files of a folder."""

    folder: Path

    def put(self, name: str, text: str) -> None:
        write_text(self.folder / name, text)

    def names(self) -> list[str]:
        return [path.name for path in self.folder.glob("[!.]*")]

    def get(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class RunShelf:
    """Texts as artifacts of a run, in one folder."""

    client: MlflowClient
    store: Store
    run_id: str
    folder: str

    def put(self, name: str, text: str) -> None:
        with explained(self.store):
            self.client.log_text(self.run_id, text, f"{self.folder}/{name}")

    def names(self) -> list[str]:
        with explained(self.store):
            files = self.client.list_artifacts(self.run_id, self.folder)
        return [Path(file.path).name for file in files]

    def get(self, name: str) -> str:
        with explained(self.store), tempfile.TemporaryDirectory() as folder:
            path = self.client.download_artifacts(self.run_id, f"{self.folder}/{name}", folder)
            return Path(path).read_text(encoding="utf-8")
