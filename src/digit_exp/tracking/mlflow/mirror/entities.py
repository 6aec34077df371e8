"""What a run's folder holds, spelled as MLflow keeps it: parameters, tags and points of metrics."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING

from digit_exp.arrays import Metrics
from digit_exp.tracking.base import Epoch, RunContents

if TYPE_CHECKING:
    from mlflow.entities import Metric

PARAM_LENGTH = 6000  # MLflow's limits
TAG_LENGTH = 5000
NOTE = "mlflow.note.content"
"""The tag that MLflow shows as the description on a run's page."""


def parameters(contents: RunContents) -> dict[str, str]:
    """Return the configuration as MLflow keeps it."""
    return {key: spelled(value)[:PARAM_LENGTH] for key, value in contents.params.items()}


def spelled(value: object) -> str:
    """Spell a parameter as YAML would: numbers as numbers, lists in brackets, true, null.

    >>> [spelled(value) for value in (0.01, "relu", [128, 64], True, None)]
    ['0.01', 'relu', '[128, 64]', 'true', 'null']
    """
    if isinstance(value, Enum):
        value = value.value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def tags(contents: RunContents, known_params: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a run, at full length.

    MLflow never changes a parameter. One that differs from `known_params`, because the run went on
    with another value, becomes a tag.
    """
    changed = {
        f"resumed_with.{key}": text
        for key, text in parameters(contents).items()
        if known_params.get(key, text) != text
    }
    return {**contents.tags, **changed, **contents.owner}


def short(name: str, text: str) -> str:
    """Return a tag's text, or if it is too long for a tag, where it is to be found.

    The digest makes a tag whose text has changed another one.
    """
    if len(text) <= TAG_LENGTH:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"see the artifact {long_tag(name)} ({digest})"


def long_tag(name: str) -> str:
    """Return the artifact that holds a tag which is too long."""
    return f"tags/{name}.txt"


def epoch_points(epochs: Iterable[Epoch]) -> list[Metric]:
    """Return the points of some epochs, each at its step."""
    return [point for epoch in epochs for point in points(epoch.metrics, epoch.number, epoch.time)]


def points(metrics: Metrics, step: int, at: int | None) -> list[Metric]:
    """Return metrics as points, measured at `at` or just now."""
    from mlflow.entities import Metric

    at = time.time_ns() // 1_000_000 if at is None else at
    return [Metric(name, finite(value), at, step) for name, value in metrics.items()]


def finite(value: float) -> float:
    """Return NaN for an infinite value: MLflow would store 1.8e308, which flattens a chart."""
    return float(value) if math.isfinite(value) else math.nan
