"""What MLflow has of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digit_exp.tracking.base import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EVERY_EPOCH = "train_loss"
"""A metric of every epoch: an epoch that has it has all its metrics, as they come in one call."""


@dataclass
class StoredRun:
    """What MLflow has of a run, as far as is known here; kept up to date by who sends."""

    status: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    """The latest value of each."""
    epochs: set[int]
    datasets: set[tuple[str, str]]
    """Name and digest of each."""
    files: dict[str, int | None]
    """The size of each artifact, if it is known."""
    has_model: bool


def look(client: MlflowClient, run_id: str, folders: Iterable[str]) -> StoredRun:
    """Ask MLflow what it has of a run, and of the files in these folders of its artifacts."""
    run = active(client, run_id)
    history = client.get_metric_history(run_id, EVERY_EPOCH)
    artifacts = [
        item for folder in folders for item in client.list_artifacts(run_id, folder or None)
    ]
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return StoredRun(
        status=run.info.status,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        metrics=dict(run.data.metrics),
        epochs={point.step for point in history},
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
