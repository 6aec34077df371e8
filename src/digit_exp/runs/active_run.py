"""A run in progress: what it writes into its folder, from which a tracker mirrors it.

Epochs that a full disk refuses stay in memory, so that the tracker gets them.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from digit_exp.arrays import Metrics
from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import flat, flatten, read_yaml
from digit_exp.runs import metrics_file, paths
from digit_exp.runs.failures import WriteFailures
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.system_metrics import SystemMonitor, read_samples
from digit_exp.tracking.base import Epoch, RunContents, Tracker
from digit_exp.training.callbacks import Callback
from digit_exp.training.checkpoint import CheckpointError, load_checkpoint
from digit_exp.training.state import TrainState

FILES = (
    paths.CONFIG,
    paths.NETWORK,
    paths.DIFF,
    paths.LOG,
    paths.TRACEBACK,
    paths.TEST_PREDICTIONS,
    paths.VAL_PREDICTIONS,
)
FOLDERS = {"checkpoints": "*.npz", "figures": "*.png"}
"""What a tracker copies. Other files of the folder do not belong to a run."""


class ActiveRun:
    """A run that writes its record and its epochs into its folder."""

    def __init__(
        self,
        folder: Path,
        config: RunConfig,
        record: RunRecord | None = None,
        tracker: Tracker | None = None,
    ) -> None:
        self.folder = folder
        self.record = record or RunRecord(None)
        self.tracker = tracker or Tracker()
        self._params = flatten(config)
        is_known = (folder / paths.METRICS).is_file()
        self._epochs = {epoch.number: epoch for epoch in read_epochs(folder) if is_known}
        self._unwritten: list[Epoch] = []
        every, started = config.tracking.system_metrics, _milliseconds(self.record.started)
        self._monitor = None if every is None else SystemMonitor(folder, every, started)

    def write_epochs(self, history: Sequence[Metrics]) -> None:
        """Write those epochs of a history that are not written. Raises OSError; then later."""
        for metrics in history:
            if metrics["epoch"] not in self._epochs:
                epoch = epoch_of(metrics, time.time_ns() // 1_000_000)
                self._epochs[epoch.number] = epoch
                self._unwritten.append(epoch)
        self.tracker.changed()
        if self._unwritten:
            metrics_file.append(self.folder / paths.METRICS, self._unwritten)
            self._unwritten.clear()

    def save(self) -> None:
        """Write the record."""
        self.record.write(self.folder)
        self.tracker.changed()

    def contents(self) -> RunContents:
        """Return the contents of the folder at this moment."""
        samples = read_samples(self.folder) if self._monitor is None else self._monitor.samples
        epochs = list(self._epochs.values())
        return _contents(self.folder, self.record, self._params, epochs, list(samples))

    def observed(self) -> RunContents:
        """Return the same, after a look at what the machine does if it is time for one."""
        if self._monitor is not None:
            self._monitor.measure()
        return self.contents()


class WriteEpochs(Callback):
    """Writes each epoch when it ends, and before the first one those that a checkpoint has.

    Ends training if another process has taken the run over.
    """

    def __init__(self, run: ActiveRun, failures: WriteFailures) -> None:
        self._run = run
        self._failures = failures

    def on_fit_start(self, state: TrainState) -> None:
        self._write(state)

    def on_step_end(self, state: TrainState, loss: float) -> None:
        self._run.tracker.check()

    def on_epoch_end(self, state: TrainState, metrics: Metrics) -> None:
        self._write(state)

    def _write(self, state: TrainState) -> None:
        with self._failures.collect(paths.METRICS):
            self._run.write_epochs(state.history)


def discard_outcome(folder: Path) -> None:
    """Remove the results of another run in the same folder, except for its checkpoints.

    They would be taken for results of the new run.
    """
    names = {*FILES, paths.METRICS, paths.SYSTEM_METRICS, paths.MODEL} - {paths.CONFIG, paths.LOG}
    for path in [*(folder / name for name in names), *(folder / "figures").glob("*.png")]:
        path.unlink(missing_ok=True)


def read_contents(folder: Path) -> RunContents:
    """Return what a folder holds of its run. Raises OSError or ValueError if that is no run."""
    params = flat(read_yaml(folder / paths.CONFIG))
    epochs, samples = read_epochs(folder), read_samples(folder)
    return _contents(folder, RunRecord.read(folder), params, epochs, samples)


def read_epochs(folder: Path) -> list[Epoch]:
    """Return the epochs of a run, the first one first. A line that was cut off is left out."""
    try:
        return metrics_file.read(folder / paths.METRICS)
    except (FileNotFoundError, NotADirectoryError):
        file = folder / paths.LAST_CHECKPOINT  # a run of 0.1 kept them there alone
        with suppress(CheckpointError, OSError):
            at = file.stat().st_mtime_ns // 1_000_000
            return [epoch_of(metrics, at) for metrics in load_checkpoint(file).state.history]
        return []


def epoch_of(metrics: Metrics, at: int) -> Epoch:
    """Return an epoch of a trainer's history, which ended `at` milliseconds since 1970."""
    values = {name: value for name, value in metrics.items() if name != "epoch"}
    return Epoch(int(metrics["epoch"]), at, values)


def _contents(
    folder: Path,
    record: RunRecord,
    params: Mapping[str, Any],
    epochs: list[Epoch],
    samples: list[Epoch],
) -> RunContents:
    return RunContents(
        folder=folder,
        run_id=record.run_id,
        name=record.name,
        status=record.status,
        started=_milliseconds(record.started),
        ended=None if record.ended is None else _milliseconds(record.ended),
        owner=record.owner,
        tags=record.all_tags,
        params=params,
        epochs=epochs,
        samples=samples,
        summary=dict(record.summary),
        dataset=record.dataset,
        files=files_of(folder),
        network=folder / paths.MODEL if (folder / paths.MODEL).is_file() else None,
    )


def files_of(folder: Path) -> list[str]:
    """Return the paths in a run's folder of what a tracker copies."""
    found = [folder / name for name in FILES if (folder / name).is_file()]
    for name, pattern in FOLDERS.items():
        found += sorted((folder / name).glob(f"[!.]{pattern}"))
    return [str(path.relative_to(folder).as_posix()) for path in found]


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
