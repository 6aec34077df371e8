"""Train a run again and compare: bit-identical, within tolerance, or different.

Two runs with the same configuration, data and threads differ only if the code, the libraries or
the machine round differently. Comparing the metrics of each epoch shows where that starts.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from digit_exp.arrays import Array, Metrics
from digit_exp.config.schema import Backend, RunConfig
from digit_exp.runs.experiment import epochs_of
from digit_exp.runs.runner import execute
from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.start_from import initial_weights
from digit_exp.runs.saved.views.listing import as_json
from digit_exp.runs.signals import Interruption
from digit_exp.tracking.tags import Tag
from digit_exp.training.callbacks import OUT_OF_TIME

TOLERANCE = 0.005
"""The largest difference of accuracies, as a share: half a percentage point."""

TIMING_METRICS = ("epoch_seconds", "images_per_second")
"""Metrics that measure time, which no two runs share."""

MAX_SHOWN = 4
"""Metrics shown for the first epoch that differs."""

PROVENANCE_TAGS = (
    "version.",
    "machine.",
    Tag.COMMIT,
    "git.dirty",
    Tag.SOURCE_DIGEST,
    Tag.OWN_DIGEST,
    "threads",
)
"""Tags, or prefixes of tags, that record code, versions and machine."""

JUDGED_METRICS = ("best_val_acc", "test_acc")


class Verdict(Enum):
    """The verdict, with its exit code."""

    identical = 0
    different = 1
    tolerable = 3


@dataclass(frozen=True)
class Difference:
    """The first epoch in which metrics of the two runs differ."""

    epoch: int
    values: Mapping[str, tuple[float, float]]
    """The values of the original and the new run, by metric."""


@dataclass(frozen=True)
class Reproduction:
    """The two runs side by side."""

    original: FoundRun
    again: FoundRun
    epochs: int
    """The number of epochs that both runs have."""
    first: Difference | None
    """None if all are the same."""
    changed: Mapping[str, tuple[str, str]]
    """The provenance tags that differ: original and new value."""
    weights: float | None
    """The largest difference of a weight; None if the numbers of epochs differ."""
    predictions: float | None
    """The largest difference of a probability; None if one run was not tested."""
    tolerance: float

    @property
    def verdict(self) -> Verdict:
        """Identical in everything compared, or close enough in the judged metrics."""
        then, now = self.original.metrics, self.again.metrics
        known = [name for name in JUDGED_METRICS if name in then and name in now]
        both_over = self.original.status == self.again.status
        same_end = self.weights == 0 and self.predictions in (0, None)
        if both_over and self.first is None and same_end and all(then[m] == now[m] for m in known):
            return Verdict.identical
        near = all(abs(then[name] - now[name]) <= self.tolerance for name in known)
        return Verdict.tolerable if known and near else Verdict.different

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `reproduce --json` prints."""
        first = self.first
        metrics = {} if first is None else {key: [*pair] for key, pair in first.values.items()}
        return {
            "verdict": self.verdict.name,
            "original": as_json(self.original),
            "again": as_json(self.again),
            "epochs": self.epochs,
            "first_difference": first and {"epoch": first.epoch, "metrics": metrics},
            "environment": {key: [*pair] for key, pair in self.changed.items()},
            "weights": self.weights,
            "predictions": self.predictions,
            "tolerance": self.tolerance,
        }

    def lines(self) -> Iterator[str]:
        """Yield the comparison as lines of text, below an empty one."""
        yield ""
        yield from self._environment_lines()
        if self.first is None:
            yield f"epochs: {self.epochs} compared, every metric bit-identical"
        else:
            yield f"epochs: {self.epochs} compared, epoch {self.first.epoch} is the first to differ"
            for name, (then, now) in list(self.first.values.items())[:MAX_SHOWN]:
                yield f"  {name}: {then!r} then, {now!r} now"
            if (more := len(self.first.values) - MAX_SHOWN) > 0:
                yield f"  and {more} more"
        yield f"weights: {_difference_text(self.weights)}"
        yield f"test predictions: {_difference_text(self.predictions)}"
        for name in JUDGED_METRICS:
            then, now = (run.metrics.get(name, math.nan) for run in (self.original, self.again))
            yield f"{name}: {then:.4f} then, {now:.4f} now"
        yield f"verdict: {self._sentence()}"

    def _environment_lines(self) -> Iterator[str]:
        if not self.original.tags:
            yield "environment: not recorded by the run"
        elif not self.changed:
            yield "environment: same code, versions and machine, as far as runs record them"
        else:
            yield "environment differs:"
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

    Raises RunError if its data have changed, ConfigError if its configuration is no longer valid,
    JobFailed if training fails (divergence is no failure here).
    """
    if (origin := original.tags.get(Tag.ORIGIN)) is not None:
        raise RunError(
            f"{original.label} began with the state of another run, {origin}. Reproduce that one,"
            f" then make it longer: resume=RUN trainer.epochs={original.config['trainer.epochs']}"
        )
    if Tag.COMMITTEE in original.tags:
        members = " ".join(json.loads(original.tags[Tag.COMMITTEE]))
        raise RunError(f"{original.label} is a committee. Make it again: committee {members}")
    config = original.run_config()
    original.dataset()
    initial = initial_weights(config)
    folder.mkdir(parents=True)
    with Interruption() as interruption:
        again = _reproduction_config(config, original, track)
        # where a run stopped because its time was over
        is_stopped = original.tags.get(Tag.STOP_REASON) == OUT_OF_TIME
        last_epoch = original.checkpoint().state.epoch if is_stopped else None
        execute(again, folder, interruption, last_epoch=last_epoch, initial=initial)
    return compare_runs(original, Runs().find(str(folder)), tolerance)


def compare_runs(original: FoundRun, again: FoundRun, tolerance: float = TOLERANCE) -> Reproduction:
    """Compare two runs of one configuration."""
    then, now = (run.checkpoint().state.history for run in (original, again))
    return Reproduction(
        original,
        again,
        epochs=min(len(then), len(now)),
        first=first_difference(then, now),
        changed=_changed(original.tags, again.tags),
        weights=_max_difference(*(run.model().numbers() for run in (original, again)))
        if len(then) == len(now)
        else None,
        predictions=_predictions(original, again),
        tolerance=tolerance,
    )


def first_difference(earlier: Sequence[Metrics], later: Sequence[Metrics]) -> Difference | None:
    """Return the first common epoch in which a metric differs in at least one bit."""
    for before, after in zip(earlier, later, strict=False):
        keys = [key for key in dict.fromkeys([*before, *after]) if key not in TIMING_METRICS]
        values = {key: (before.get(key, math.nan), after.get(key, math.nan)) for key in keys}
        apart = {
            key: (then, now)
            for key, (then, now) in values.items()
            if then != now and not (math.isnan(then) and math.isnan(now))
        }
        if apart:
            return Difference(int(before["epoch"]), apart)
    return None


def _reproduction_config(config: RunConfig, original: FoundRun, track: bool) -> RunConfig:
    """Return the configuration under another name, tracked only if asked."""
    backend = config.tracking.backend if track else Backend.none
    tags = {**config.tracking.tags, Tag.REPRODUCES: original.run_id or original.name}
    tracking = replace(config.tracking, backend=backend, tags=tags)
    name = f"again: {original.name}"
    trainer = replace(config.trainer, minutes=None)  # this machine may be faster or slower
    if trainer.fit_minutes is not None:
        epochs = epochs_of(original.checkpoint(), config)
        trainer = replace(trainer, fit_minutes=None, epochs=epochs)
    return replace(config, run_name=name, tracking=tracking, trainer=trainer)


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    keys = [key for key in dict.fromkeys([*then, *now]) if key.startswith(PROVENANCE_TAGS)]
    pairs = {key: (then.get(key, "unknown"), now.get(key, "unknown")) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _predictions(original: FoundRun, again: FoundRun) -> float | None:
    try:
        then, now = (run.predictions().probabilities for run in (original, again))
    except RunError:
        return None
    return _max_difference(then, now)


def _max_difference(then: Array, now: Array) -> float:
    """Return the largest difference; 0 only if the arrays are equal (NaN equals NaN)."""
    if np.array_equal(then, now, equal_nan=True):
        return 0.0
    return float(np.nanmax(np.abs(then - now)))


def _difference_text(largest: float | None) -> str:
    if largest is None:
        return "cannot be compared"
    return "bit-identical" if largest == 0 else f"differ by up to {largest:.3g}"
