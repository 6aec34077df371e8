"""How long training will take: from the epochs of earlier runs, else from a model of an epoch.

The model is for one thread and knows neither augmentation nor the machine:

    seconds of an epoch = 6 W n / (100 GFLOP/s) + steps · (20 µs + 1 ns · W)

with n images, n / batch size steps and W multiply-adds of a forward pass, in dense layers the
number of weights: the matrix products of forward and backward pass, and what each step costs beside
them. docs/performance.md has the measurements; it is within a
third of them. Where earlier runs were recorded, it is scaled to this machine by them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal

from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import flat, flatten, read_yaml
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.active_run import read_epochs
from digit_exp.runs.folder import RunRecord, records_below
from digit_exp.tracking.base import Epoch

Basis = Literal["recorded", "scaled", "model"]
"""Epochs of the same network and batch size, the model scaled by other runs, the model alone."""

PRODUCTS_PER_SECOND = 1e11
SECONDS_PER_STEP = 20e-6
SECONDS_PER_WEIGHT = 1e-9

MOST_RUNS = 200
"""The number of latest runs that are read."""

SAME = ("data", "model", "augmentation")
"""The groups in which a run must agree with another one for its epochs to take as long."""


@dataclass(frozen=True)
class Work:
    """The size of an epoch: images, multiply-adds of one image, and batch size."""

    images: int
    multiply_adds: int
    batch_size: int

    @property
    def seconds(self) -> float:
        """The time of an epoch by the model."""
        steps = math.ceil(self.images / self.batch_size)
        products = 6 * self.multiply_adds * self.images / PRODUCTS_PER_SECOND
        return products + steps * (SECONDS_PER_STEP + SECONDS_PER_WEIGHT * self.multiply_adds)


@dataclass(frozen=True)
class EpochTime:
    """Seconds of an epoch, and where they are from."""

    seconds: float
    basis: Basis
    runs: int
    """The number of runs that were measured."""


@dataclass(frozen=True)
class RecordedEpochs:
    """The epochs of the runs below a folder."""

    outputs: Path

    def time_of(self, config: RunConfig, work: Work) -> EpochTime:
        """Return how long an epoch of a run takes."""
        kind = _kind(flatten(config))
        if same := [seconds for other, seconds, _ in self._runs if other == kind]:
            return EpochTime(median(same), "recorded", len(same))
        if ratios := [seconds / modelled.seconds for _, seconds, modelled in self._runs]:
            return EpochTime(work.seconds * median(ratios), "scaled", len(ratios))
        return EpochTime(work.seconds, "model", 0)

    @cached_property
    def _runs(self) -> list[tuple[str, float, Work]]:
        """The kind of each run, the seconds of its epochs, and what the model goes by."""
        found = []
        for folder, record in records_below(self.outputs)[:MOST_RUNS]:
            try:
                values = flat(read_yaml(folder / paths.CONFIG))
                work = _work(values, record, epochs := read_epochs(folder))
            except (ConfigError, KeyError, TypeError, ValueError, IndexError):
                continue  # killed before its first epoch, or of an earlier version
            _, *measured = [epoch.metrics["epoch_seconds"] for epoch in epochs]
            if measured:  # the first epoch holds loading and compiling, and may be the only one
                found.append((_kind(values), median(measured), work))
        return found


def _work(values: Mapping[str, Any], record: RunRecord, epochs: Sequence[Epoch]) -> Work:
    """Return what an epoch of a run was; ten classes are assumed.

    Raises ValueError for a convolutional network, whose work is not in its values.
    """
    if "model.filters" in values:
        raise ValueError(values["model.filters"])
    metrics = epochs[-1].metrics
    images = round(metrics["images_per_second"] * metrics["epoch_seconds"])
    pixels = math.prod((record.dataset or {})["train"][1:])
    sizes = [pixels, *values.get("model.hidden", []), 10]
    weights = sum(a * b for a, b in pairwise(sizes))
    return Work(images, weights, values["trainer.batch_size"])


def _kind(values: Mapping[str, Any]) -> str:
    """Return a text that runs share whose epochs take equally long."""
    own = {key: value for key, value in values.items() if key.partition(".")[0] in SAME}
    keys = ("trainer.batch_size", "trainer.threads", "optimizer")
    own |= {key: values.get(key) for key in keys}
    own["dropout"] = bool(values.get("regularization.dropout"))
    return json.dumps(own, sort_keys=True, default=str)
