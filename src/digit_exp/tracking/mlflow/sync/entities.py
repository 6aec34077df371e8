"""What a run's folder holds, as MLflow keeps it: parameters, tags, metrics, inputs.

Also which names MLflow takes for tags, so that a wrong one is refused before a run.
"""

from __future__ import annotations

import hashlib
import json
import math
import posixpath
import re
import time
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from digit_exp.arrays import Metrics
from digit_exp.tracking.base import RunContents

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric

PARAM_LENGTH = 6000  # MLflow's limits
TAG_LENGTH = 5000
LONGEST = 250
"""Characters of a key."""
ALLOWED = "letters, digits, spaces and _ - . : /"
PREFIX = "tracking.tags."
"""A tag of the configuration is also a parameter, under this name and its own."""
DIGEST_LENGTH = 12  # MLflow allows 36; its tables show about as many as this


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


def points(metrics: Metrics, step: int, at: int | None) -> list[Metric]:
    """Return metrics as points, measured at `at` or just now."""
    from mlflow.entities import Metric

    at = time.time_ns() // 1_000_000 if at is None else at
    return [Metric(name, finite(value), at, step) for name, value in metrics.items()]


def finite(value: float) -> float:
    """Return NaN for an infinite value: MLflow would store 1.8e308, which flattens a chart."""
    return float(value) if math.isfinite(value) else math.nan


def dataset_keys(dataset: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return name and digest of the training and of the test set of `RunContents.dataset`."""
    digest = dataset["digest"][:DIGEST_LENGTH]
    return {context: (f"{dataset['name']}-{context}", digest) for context in ("train", "test")}


def dataset_inputs(dataset: Mapping[str, Any]) -> list[DatasetInput]:
    """Return the training and the test set as inputs of an MLflow run."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.numpy_dataset import from_numpy
    from mlflow.entities import Dataset, DatasetInput, InputTag

    found = []
    for context, (name, digest) in dataset_keys(dataset).items():
        shape = tuple(dataset[context])
        # MLflow only wants shape and type: all elements share one byte
        made = from_numpy(
            np.broadcast_to(np.zeros((), np.uint8), shape),
            source=CodeDatasetSource(tags={"mlflow.source.name": "digit_exp"}),
            targets=np.broadcast_to(np.zeros((), np.intp), shape[:1]),
            name=name,
            digest=digest,
        )
        tags = {"mlflow.data.context": context, "digest": dataset["digest"]}
        tag_list = [InputTag(key, value) for key, value in tags.items()]
        found.append(DatasetInput(Dataset(**made.to_dict()), tag_list))
    return found


def refusal(tag: str) -> str | None:
    """Return why MLflow would refuse a tag of the configuration, if it would.

    >>> refusal("paper.figure")
    >>> refusal("who@where")
    "may have letters, digits, spaces and _ - . : /, got 'who@where'"
    """
    if re.fullmatch(r"[/\w.\- :]+", tag) is None:
        return f"may have {ALLOWED}, got {tag!r}"
    norm = posixpath.normpath(tag)
    if norm != tag or norm.startswith(("/", "..")) or norm == ".":
        return f"must not read as another path, such as ./a, a//b or a/, got {tag!r}"
    if len(PREFIX + tag) > LONGEST:
        return f"must have at most {LONGEST - len(PREFIX)} characters, got {len(tag)}"
    return None
