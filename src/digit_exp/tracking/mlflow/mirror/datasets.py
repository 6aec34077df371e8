"""A data set as inputs of an MLflow run: its training and its test set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

DIGEST_LENGTH = 12  # MLflow allows 36; its tables show about as many as this


CONTEXTS = ("train", "test")


def keys(dataset: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return name and digest of each input."""
    return {_key(dataset, context) for context in CONTEXTS}


def inputs(dataset: Mapping[str, Any]) -> list[DatasetInput]:
    """Return what MLflow keeps of `RunContents.dataset`."""
    return [_input(dataset, context) for context in CONTEXTS]


def _key(dataset: Mapping[str, Any], context: str) -> tuple[str, str]:
    return f"{dataset['name']}-{context}", dataset["digest"][:DIGEST_LENGTH]


def _input(dataset: Mapping[str, Any], context: str) -> DatasetInput:
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.numpy_dataset import from_numpy
    from mlflow.entities import Dataset, DatasetInput, InputTag

    shape = tuple(dataset[context])
    name, digest = _key(dataset, context)
    # MLflow only wants shape and type: all elements share one byte
    made = from_numpy(
        np.broadcast_to(np.zeros((), np.uint8), shape),
        source=CodeDatasetSource(tags={"mlflow.source.name": "digit_exp"}),
        targets=np.broadcast_to(np.zeros((), np.intp), shape[:1]),
        name=name,
        digest=digest,
    )
    tags = {"mlflow.data.context": context, "digest": dataset["digest"]}
    return DatasetInput(
        Dataset(**made.to_dict()), [InputTag(key, value) for key, value in tags.items()]
    )
