"""A run trained again, and a verdict: the same to the last bit, within tolerance, or not.

Two runs of the same configuration, data and threads differ only if code, libraries or machine
round otherwise. Where they first do is found by comparing each epoch's metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import numpy as np

from digit_exp.arrays import Array, Metrics
from digit_exp.config.schema import Backend, RunConfig
from digit_exp.runs.build import load
from digit_exp.runs.reuse.found_run import FoundRun, RunError
from digit_exp.runs.reuse.lookup import Runs
from digit_exp.runs.runner import execute
from digit_exp.runs.signals import Interruption
from digit_exp.tracking.provenance import SOURCE

TOLERANCE = 0.005
"""How far accuracies may be apart, as a share: half a percentage point."""

TIMES = ("epoch_seconds", "images_per_second")
"""Metrics that no run has twice."""

SHOWN = 4
"""Metrics that are shown of the first epoch that differs."""

MADE_WITH = ("version.", "machine.", "mlflow.source.git.commit", "git.dirty", SOURCE, "threads")
"""Tags, or their beginnings, that say with what a run was made."""

JUDGED = ("best_val_acc", "test_acc")


class Verdict(Enum):
    """What became of the attempt, and the exit code that says so."""

    identical = 0
    different = 1
    tolerable = 3


@dataclass(frozen=True)
class Difference:
    """The first epoch in which the two runs measured something else."""

    epoch: int
    values: Mapping[str, tuple[float, float]]
    """Then and now, by metric."""


@dataclass(frozen=True)
class Reproduction:
    """The two runs side by side."""

    original: FoundRun
    again: FoundRun
    epochs: int
    """How many epochs both have."""
    first: Difference | None
    """None if all of them are the same."""
    changed: Mapping[str, tuple[str, str]]
    """What the runs were made with, where it differs: then and now."""
    weights: float | None
    """The largest difference of a weight; None if the runs are not equally long."""
    predictions: float | None
    """The largest difference of a probability; None if one of them never read the test set."""
    tolerance: float

    @property
    def verdict(self) -> Verdict:
        """The same in all that was compared, or near enough in what a run is judged by."""
        both_over = self.original.status == self.again.status
        if both_over and self.first is None and self.weights == 0 and self.predictions in (0, None):
            return Verdict.identical
        then, now = self.original.metrics, self.again.metrics
        known = [name for name in JUDGED if name in then and name in now]
        near = all(abs(then[name] - now[name]) <= self.tolerance for name in known)
        return Verdict.tolerable if known and near else Verdict.different

    def lines(self) -> Iterator[str]:
        """Yield what a person is told."""
        yield from self._made_with()
        if self.first is None:
            yield f"epochs: {self.epochs} compared, every metric the same to the last bit"
        else:
            yield f"epochs: {self.epochs} compared, epoch {self.first.epoch} is the first to differ"
            for name, (then, now) in list(self.first.values.items())[:SHOWN]:
                yield f"  {name}: {then!r} then, {now!r} now"
            if (more := len(self.first.values) - SHOWN) > 0:
                yield f"  and {more} more"
        yield f"weights: {_apart(self.weights)}"
        yield f"test predictions: {_apart(self.predictions)}"
        for name in JUDGED:
            then, now = (run.metrics.get(name, math.nan) for run in (self.original, self.again))
            yield f"{name}: {then:.4f} then, {now:.4f} now"
        yield f"verdict: {self._sentence()}"

    def _made_with(self) -> Iterator[str]:
        if not self.original.tags:
            yield "made with: the run does not say"
        elif not self.changed:
            yield "made with: the same code, versions and machine, as far as runs record them"
        else:
            yield "made with other:"
            for name, (then, now) in self.changed.items():
                yield f"  {name}: {then} then, {now} now"

    def _sentence(self) -> str:
        if self.verdict is Verdict.identical:
            return "bit-identical"
        if self.verdict is Verdict.tolerable:
            return f"within tolerance (accuracies within {100 * self.tolerance:g} points)"
        return f"NOT reproduced (accuracies more than {100 * self.tolerance:g} points apart)"


def reproduce(original: FoundRun, folder: Path, *, track: bool, tolerance: float) -> Reproduction:
    """Train a run again in `folder`, which must not exist, and compare.

    Raises RunError if its data are not there any more, ConfigError if its configuration is not
    valid any more, JobFailed if training fails for another reason than that it diverges.
    """
    config = original.run_config()
    digest = original.data_digest
    if load(config.data).digest != digest:
        raise RunError(f"the data of {original.label} are not those of now: {digest[:12]} then")
    folder.mkdir(parents=True)
    with Interruption() as interruption:
        execute(_again(config, original, track), folder, interruption)
    return compared(original, Runs().one(str(folder)), tolerance)


def compared(original: FoundRun, again: FoundRun, tolerance: float = TOLERANCE) -> Reproduction:
    """Compare two runs of one configuration."""
    then, now = (run.checkpoint().state.history for run in (original, again))
    return Reproduction(
        original,
        again,
        epochs=min(len(then), len(now)),
        first=first_difference(then, now),
        changed=_changed(original.tags, again.tags),
        weights=_weights(original, again) if len(then) == len(now) else None,
        predictions=_predictions(original, again),
        tolerance=tolerance,
    )


def first_difference(then: Sequence[Metrics], now: Sequence[Metrics]) -> Difference | None:
    """Return the first epoch that both have and in which a metric differs by a bit or more."""
    for before, after in zip(then, now, strict=False):
        keys = [key for key in dict.fromkeys([*before, *after]) if key not in TIMES]
        values = {key: (before.get(key, math.nan), after.get(key, math.nan)) for key in keys}
        apart = {key: pair for key, pair in values.items() if not _same(*pair)}
        if apart:
            return Difference(int(before["epoch"]), apart)
    return None


def _again(config: RunConfig, original: FoundRun, track: bool) -> RunConfig:
    """Return the configuration under another name, tracked only if asked."""
    backend = config.tracking.backend if track else Backend.none
    tags = {**config.tracking.tags, "digit_exp.reproduces": original.run_id or original.name}
    tracking = replace(config.tracking, backend=backend, tags=tags)
    name = f"again: {original.name}"
    return replace(config, run_name=name, tracking=tracking)


def _same(then: float, now: float) -> bool:
    return then == now or (math.isnan(then) and math.isnan(now))


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    keys = [key for key in dict.fromkeys([*then, *now]) if key.startswith(MADE_WITH)]
    pairs = {key: (then.get(key, "unknown"), now.get(key, "unknown")) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _weights(original: FoundRun, again: FoundRun) -> float:
    then, now = (run.network().parameters.storage for run in (original, again))
    return _furthest(then, now)


def _predictions(original: FoundRun, again: FoundRun) -> float | None:
    try:
        then, now = (run.predictions().probabilities for run in (original, again))
    except RunError:
        return None
    return _furthest(then, now)


def _furthest(then: Array, now: Array) -> float:
    """Return the largest difference; 0 only if all bits are the same, or not a number in both."""
    if np.array_equal(then, now, equal_nan=True):
        return 0.0
    return float(np.nanmax(np.abs(then - now)))


def _apart(largest: float | None) -> str:
    if largest is None:
        return "cannot be compared"
    return "the same to the last bit" if largest == 0 else f"differ by up to {largest:.3g}"
