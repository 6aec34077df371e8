"""A data set as an input of an MLflow run: plain values to be kept, and the entity made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from digit_exp.data.dataset import Dataset, Split

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

DIGEST_LENGTH = 12  # MLflow allows 36; its tables show about as many as this


def described(dataset: Dataset) -> list[dict[str, Any]]:
    """Return name, digest and shape of the training and the test set, as JSON can hold them."""
    return [
        _described(f"{dataset.name}-{context}", dataset.digest, split, context)
        for context, split in (("train", dataset.train), ("test", dataset.test))
    ]


def entity(described: Mapping[str, Any]) -> DatasetInput:
    """Return what MLflow wants to have for one of these."""
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import DatasetInput, InputTag

    tags = [InputTag(key, value) for key, value in described["tags"].items()]
    return DatasetInput(Entity(**described["dataset"]), tags)


def _described(name: str, digest: str, split: Split, context: str) -> dict[str, Any]:
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.numpy_dataset import from_numpy

    # MLflow only wants the shape, and the split has no array of its own
    images = np.broadcast_to(split.images[:1], (len(split), *split.images.shape[1:]))
    found = from_numpy(
        images,
        source=CodeDatasetSource(tags={"mlflow.source.name": "digit_exp"}),
        targets=split.labels,
        name=name,
        digest=digest[:DIGEST_LENGTH],
    )
    tags = {"mlflow.data.context": context, "digest": digest}
    return {"dataset": found.to_dict(), "tags": tags}
