"""Tracked runs without training: a test says what their folders hold."""

import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

from digit_exp.tracking import ownership
from digit_exp.tracking.base import Epoch, RunContents
from digit_exp.tracking.mlflow.sync.start_run import open_tracker
from digit_exp.tracking.tags import Tag

NUMBERS = count(1)


def owner():
    tags = ownership.claim()
    del tags[Tag.HEARTBEAT]
    return tags


def epochs(*metrics):
    """Epochs from the first on, each with its metrics."""
    now = time.time_ns() // 1_000_000
    return [Epoch(number, now, values) for number, values in enumerate(metrics, 1)]


class TrackedRun:
    """A run whose contents a test changes, and the tracker that mirrors them."""

    def __init__(self, contents, tracker):
        self.contents = contents
        self.tracker = tracker
        self.run_id = tracker.run_id
        self.is_all = None
        tracker.follow(lambda: self.contents)

    def now(self, **changes):
        """Let the folder hold something else."""
        self.contents = replace(self.contents, **changes)
        self.tracker.changed()

    def close(self, status="FINISHED", patience=45):
        """End the run, unless the test has done so."""
        if not self.contents.is_over:
            self.now(status=status, ended=time.time_ns() // 1_000_000)
        self.is_all = self.tracker.close(patience)


@contextmanager
def tracked(folder, *, uri=None, experiment="digits", backend="mlflow", place=None, **contents):
    """Yield a run that is tracked in the store of `folder`, and end it as FINISHED.

    `place` is the folder of its files. What the folder holds is given by the names of RunContents.
    """
    place = place or folder / f"run-{next(NUMBERS)}"
    place.mkdir(exist_ok=True)
    held = RunContents(folder=place, **{"owner": owner(), **contents})
    tracker = open_tracker(backend, held, uri=uri, experiment=experiment, folder=folder)
    run = TrackedRun(held, tracker)
    yield run
    run.close()
