"""What a store has got of a run: MLflow's answers, and a note of the files in the run's folder.

MLflow knows the size of an artifact and not its content. So the note, `.mirror.json`, has the
version of each file that was sent; without it, files are sent again. It also says whether all was
sent, so that `resume` need not ask a store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digit_exp.atomic import write_text
from digit_exp.tracking.base import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

NOTE = ".mirror.json"
OUTBOX = "unsent.jsonl"
"""A file of version 0.1; its content is in the other files of the folder too."""

Version = list[int]
"""Size and time of change: of a file that has neither changed, nothing has changed."""

EVERY_EPOCH = "train_loss"
"""A metric of every epoch: an epoch that has it has all its metrics, as they come in one call."""
EVERY_SAMPLE = "system/cpu_utilization_percentage"
"""The same of the samples of the machine."""


@dataclass
class StoredRun:
    """What MLflow has of a run, as far as is known here; kept up to date by who sends."""

    status: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    """The latest value of each."""
    epochs: set[int]
    samples: set[int]
    datasets: set[tuple[str, str]]
    """Name and digest of each."""
    files: dict[str, int | None]
    """The size of each artifact, if it is known."""
    has_model: bool


def look(client: MlflowClient, run_id: str, folders: Iterable[str]) -> StoredRun:
    """Ask MLflow what it has of a run, and of the files in these folders of its artifacts."""
    run = active(client, run_id)
    steps = {
        name: {point.step for point in client.get_metric_history(run_id, name)}
        for name in (EVERY_EPOCH, EVERY_SAMPLE)
        if name in run.data.metrics
    }
    artifacts = [
        item for folder in folders for item in client.list_artifacts(run_id, folder or None)
    ]
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return StoredRun(
        status=run.info.status,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        metrics=dict(run.data.metrics),
        epochs=steps.get(EVERY_EPOCH, set()),
        samples=steps.get(EVERY_SAMPLE, set()),
        datasets={(item.dataset.name, item.dataset.digest) for item in inputs},
        files={item.path: item.file_size for item in artifacts if not item.is_dir},
        has_model=bool(run.outputs and run.outputs.model_outputs),
    )


def active(client: MlflowClient, run_id: str) -> Run:
    """Return a run; raise TrackingError if it was deleted."""
    run = client.get_run(run_id)
    if run.info.lifecycle_stage == "deleted":
        raise TrackingError(f"the MLflow run {run_id} was deleted; restore it to go on with it")
    return run


class SentFiles:
    """What the run `run_id` of some store has got from `folder`."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self._file = folder / NOTE
        self._run_id = run_id
        self.versions: dict[str, Version] = _read(self._file).get(run_id, {}).get("files", {})
        """The version of each file that was sent."""
        self._saved = ""

    def save(self, *, is_all: bool) -> None:
        """Write the note. If the disk is full, files are sent again another time."""
        entry = {"is_all": is_all, "files": self.versions}
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
