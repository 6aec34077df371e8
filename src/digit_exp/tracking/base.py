"""What an experiment may say to a tracker. This one forgets it all: it is `tracking=none`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from digit_exp.arrays import Metrics
from digit_exp.data.dataset import Dataset


class TrackingError(RuntimeError):
    """The store of runs cannot be used; the message says why and what to do."""


class Status(StrEnum):
    """How a run ended, in MLflow's words."""

    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class Tracker:
    """Remembers a run. Every method does nothing here and is overridden by a tracker that keeps.

    `status` is what the run will be called when it ends without an exception. An experiment that
    was stopped by a signal, or has diverged, sets it.
    """

    run_id: str | None = None
    status: Status = Status.FINISHED

    def log_params(self, params: Mapping[str, object]) -> None:
        """Remember the configuration: dotted keys, numbers as numbers."""

    def log_epoch(self, epoch: int, metrics: Metrics) -> None:
        """Remember the metrics of an epoch, unless the run holds this epoch already."""

    def log_summary(self, metrics: Metrics) -> None:
        """Remember the numbers that stand for the whole run: `best_val_acc`, `test_acc`, ..."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Remember words by which a run can be found."""

    def log_note(self, markdown: str) -> None:
        """Remember a text that a person reads first."""

    def log_dataset(self, dataset: Dataset) -> None:
        """Remember which data the run saw, by name and digest."""

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Keep a copy of a file, in `folder` of the run's artifacts."""

    def log_text(self, text: str, file: str) -> None:
        """Keep a text as the artifact `file`."""

    def log_model(self, network: Path) -> None:
        """Keep the network, a file of `vision.classifier`, as a model that can be served."""

    def end(self) -> None:
        """Remember how the run ended: `status`. Nothing may be said after it."""

    def beat(self) -> None:
        """Tell other machines that the process lives; raise TrackingError if the run was lost."""

    def where(self) -> list[str]:
        """Return the lines that tell a person how to open this run, if there is anything to open.

        >>> Tracker().where()
        []
        """
        return []
