"""The metrics that the other jobs of a sweep have so far, for the pruner of a running job."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path

from digit_exp.sweeps.results import folder_history, job_folders
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.sweep_runs import Sweep
from digit_exp.tracking.tags import Tag

log = logging.getLogger(__name__)

PAUSE = 300.0
"""Seconds. A store that does not answer holds up the training that asks it."""

Histories = Mapping[int, Mapping[int, float]]
"""A metric by the number of a job's hash and by epoch."""


class PeerHistories:
    """Looks up one metric of every job: in the store, or in folders if nothing is tracked.

    There are none while the store does not answer; it is asked again after a `pause` in seconds.
    """

    def __init__(
        self, sweep: Sweep | None, folder: Path, metric: str, *, pause: float = PAUSE
    ) -> None:
        self._sweep = sweep
        self._folder = folder
        self._metric = metric
        self._pause = pause
        self._failed = -math.inf

    def __call__(self) -> Histories:
        if self._sweep is None:
            return self._in_folders()
        if time.monotonic() - self._failed < self._pause:
            return {}
        try:
            return self._in_store(self._sweep)
        except TrackingError as error:
            self._failed = time.monotonic()
            log.warning("no job is pruned until the store answers: %s", error)
            return {}

    def _in_store(self, sweep: Sweep) -> Histories:
        return {
            number_of(trial.tags[Tag.CONFIG_HASH]): {
                int(epoch["epoch"]): epoch[self._metric]
                for epoch in sweep.history(trial, self._metric)
            }
            for trial in sweep.children()
        }

    def _in_folders(self) -> Histories:
        return {
            number_of(place.name): {
                int(epoch["epoch"]): epoch[self._metric]
                for epoch in folder_history(place)
                if self._metric in epoch
            }
            for place in job_folders(self._folder)
        }


def number_of(config_hash: str) -> int:
    """Return a number for a job that no other job of any plan has."""
    return int(config_hash, 16) % 2**31
