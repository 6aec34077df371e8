"""A tracker that keeps a run in MLflow. It writes through a client, never through global state.

One call an epoch: a call costs some milliseconds, one metric more in it almost nothing.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from digit_exp.arrays import Metrics
from digit_exp.data.dataset import Dataset
from digit_exp.tracking import ownership
from digit_exp.tracking.base import Tracker, TrackingError
from digit_exp.tracking.mlflow import datasets, links
from digit_exp.tracking.mlflow.uri import Store
from digit_exp.tracking.model import log

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

ITEMS_PER_CALL = 100  # MLflow's limits
PARAM_LENGTH = 6000
TAG_LENGTH = 5000

T = TypeVar("T")


class MLflowTracker(Tracker):
    """Writes to one run, new or continued."""

    def __init__(
        self, client: MlflowClient, run_id: str, *, store: Store, experiment_id: str
    ) -> None:
        self._client = client
        self._run = self.run_id = run_id
        self._store = store
        self._experiment_id = experiment_id
        self.epochs: set[int] = set()  # those that the run holds
        self.latest: dict[str, float] = {}  # the last value of each metric
        self._params: dict[str, str] = {}

    def recall(self) -> None:
        """Look up what the run holds already, so that it can be continued."""
        history = self._client.get_metric_history(self._run, "train_loss")
        self.epochs = {metric.step for metric in history}
        data = self._client.get_run(self._run).data
        self._params = dict(data.params)
        self.latest = dict(data.metrics)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Write parameters. MLflow never changes one: a continued run tags what differs."""
        from mlflow.entities import Param

        texts = {key: text[:PARAM_LENGTH] for key, text in spelled(params).items()}
        new = [Param(key, text) for key, text in texts.items() if key not in self._params]
        for some in _groups(new):
            self._client.log_batch(self._run, params=some)
        changed = {k: text for k, text in texts.items() if self._params.get(k, text) != text}
        self.set_tags({f"resumed_with.{key}": text for key, text in changed.items()})
        self._params |= {param.key: param.value for param in new}

    def log_epoch(self, epoch: int, metrics: Metrics, at: int | None = None) -> None:
        """Write all metrics of the epoch in one call, unless the run has this epoch.

        `at`: when they were measured, in milliseconds since 1970, if that was not just now.
        """
        if epoch in self.epochs:
            return
        named = {name: value for name, value in metrics.items() if name != "epoch"}
        self._client.log_batch(self._run, metrics=_metrics(named, epoch, at))
        self.epochs.add(epoch)

    def log_summary(self, metrics: Metrics, at: int | None = None) -> None:
        """Write the numbers that stand for the whole run."""
        self._client.log_batch(self._run, metrics=_metrics(metrics, 0, at))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Write tags; a text too long for a tag becomes the artifact `tags/NAME.txt`."""
        from mlflow.entities import RunTag

        short = {}
        for name, text in tags.items():
            if len(text) > TAG_LENGTH:
                self.log_text(text, f"tags/{name}.txt")
                text = f"see the artifact tags/{name}.txt"
            short[name] = text
        for some in _groups([RunTag(name, text) for name, text in short.items()]):
            self._client.log_batch(self._run, tags=some)

    def log_note(self, markdown: str) -> None:
        """Write the description on the run's page."""
        self.set_tags({"mlflow.note.content": markdown})

    def log_dataset(self, dataset: Dataset) -> None:
        """Write name, digest and shape of the training and the test set as the run's inputs."""
        self.log_inputs(datasets.described(dataset))

    def log_inputs(self, described: Sequence[Mapping[str, Any]]) -> None:
        """Write inputs that were described before.

        Of two runs that are the first to describe a data set, at the same moment, MLflow lets one
        fail, because it looks and inserts without a lock; then the data set is known.
        """
        from mlflow.exceptions import MlflowException

        entities = [datasets.entity(one) for one in described]
        try:
            self._client.log_inputs(self._run, entities)
        except MlflowException as error:
            if "unique constraint" not in str(error).lower():
                raise
            self._client.log_inputs(self._run, entities)

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Copy a file into the run's artifacts."""
        self._client.log_artifact(self._run, str(path), folder)

    def log_text(self, text: str, file: str) -> None:
        """Write a text as the artifact `file`."""
        self._client.log_text(self._run, text, file)

    def log_model(self, network: Path) -> None:
        """Log a pyfunc model as the run's outcome, unless it has one."""
        log.log_model(self._client, self._run, self._experiment_id, network)

    def beat(self) -> None:
        """Write the heartbeat, unless another process took the silence of this one for death."""
        tags = self._client.get_run(self._run).data.tags
        if not ownership.is_this(tags):
            raise TrackingError(
                f"the MLflow run {self._run} was taken over by {ownership.described(tags)},"
                f" as nothing was heard of this process for {ownership.SILENCE_SECONDS} seconds"
            )
        self.set_tags(ownership.beat())

    def where(self) -> list[str]:
        """Return the command and the link that open this run in the MLflow UI."""
        return links.lines(self._store, self._experiment_id, self._run)

    def end(self, at: int | None = None) -> None:
        """Write how the run ended, `status`, and when."""
        self._client.set_terminated(self._run, str(self.status), at)


def spelled(params: Mapping[str, object]) -> dict[str, str]:
    """Return parameters as they are written."""
    return {key: _text(value) for key, value in params.items()}


def _text(value: object) -> str:
    """Spell a parameter as YAML would: numbers as numbers, lists in brackets, true, null.

    >>> [_text(value) for value in (0.01, "relu", [128, 64], True, None)]
    ['0.01', 'relu', '[128, 64]', 'true', 'null']
    """
    if isinstance(value, Enum):
        value = value.value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _metrics(metrics: Metrics, step: int, at: int | None) -> list[Metric]:
    """Make MLflow's points. It would store an infinite value as 1.8e308, which flattens a chart."""
    from mlflow.entities import Metric

    at = time.time_ns() // 1_000_000 if at is None else at
    return [
        Metric(name, float(value) if math.isfinite(value) else math.nan, at, step)
        for name, value in metrics.items()
    ]


def _groups(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), ITEMS_PER_CALL):
        yield items[start : start + ITEMS_PER_CALL]
