"""The tracker of a run: writes down what a run says, and lets it be sent behind its back.

Every entry carries the moment at which it was said. MLflow keeps one point for each metric, step,
moment and value, so that an entry which is sent twice counts once.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from digit_exp.arrays import Metrics
from digit_exp.data.dataset import Dataset
from digit_exp.tracking.base import Status, Tracker, TrackingError
from digit_exp.tracking.mlflow.datasets import described
from digit_exp.tracking.mlflow.mlflow_tracker import MLflowTracker, spelled
from digit_exp.tracking.mlflow.sender import PATIENCE, Doubtful, Sender, Unacceptable
from digit_exp.tracking.mlflow.spool import Entry, Spool

HOPELESS = {
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
}
"""Errors of MLflow that another try does not mend."""

UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}
"""Errors of the folder for files, which may lie elsewhere than the database for numbers."""


class SpooledTracker(Tracker):
    """Says to `target`, later and in order, what is said to it.

    First comes what an earlier process left in the spool. If the run `goes_on`, how that one ended
    is no longer true, and its heart beats no more.
    """

    def __init__(self, target: MLflowTracker, spool: Spool, *, goes_on: bool = True) -> None:
        self.run_id = target.run_id
        self._target = target
        self._spool = spool
        self._base = (spool.file.parent if spool.file else Path()).absolute()
        self._epochs = set(target.epochs)
        self._latest = dict(target.latest)
        self._ended: Status | None = None
        self._lost: str | None = None  # to which process, and why
        for number, entry in spool.entries().items():
            if entry["what"] == "beat" or (entry["what"] == "end" and goes_on):
                spool.remove(number)
            elif entry["what"] == "epoch":
                self._epochs.add(entry["epoch"])
            elif entry["what"] == "summary":
                self._latest |= entry["metrics"]
        self._sender = Sender(spool, self._deliver)

    def log_params(self, params: Mapping[str, object]) -> None:
        self._post("params", params=spelled(params))

    def log_epoch(self, epoch: int, metrics: Metrics) -> None:
        if epoch not in self._epochs:
            self._epochs.add(epoch)
            self._post("epoch", epoch=epoch, metrics=_plain(metrics))

    def log_summary(self, metrics: Metrics) -> None:
        # a run that was killed after its summary comes to the same summary again
        new = {k: v for k, v in _plain(metrics).items() if self._latest.get(k) != v}
        if new:
            self._latest |= new
            self._post("summary", metrics=new)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._post("tags", tags=dict(tags))

    def log_note(self, markdown: str) -> None:
        self._post("note", markdown=markdown)

    def log_dataset(self, dataset: Dataset) -> None:
        self._post("dataset", described=described(dataset))

    def log_file(self, path: Path, folder: str | None = None) -> None:
        self._post("file", path=self._from_base(path), folder=folder)

    def log_model(self, network: Path) -> None:
        self._post("model", network=self._from_base(network))

    def log_text(self, text: str, file: str) -> None:
        self._post("text", text=text, file=file)

    def beat(self) -> None:
        if self._lost is not None:
            raise TrackingError(self._lost)
        self._post("beat")

    def where(self) -> list[str]:
        return self._target.where()

    def end(self) -> None:
        """Say how the run ended, `status`, unless it has been said."""
        if self._ended is not self.status:
            self._post("end", status=str(self.status))
            self._ended = self.status

    @property
    def file(self) -> Path | None:
        """Where unsent entries are kept, if they can be."""
        return self._spool.file if self._spool.is_kept else None

    @property
    def reason(self) -> str | None:
        """Why something could not be sent."""
        return self._sender.reason

    def close(self, patience: float = PATIENCE) -> int:
        """Wait until the store has everything, within reason; return how many entries it lacks."""
        return self._sender.close(patience)

    def _from_base(self, path: Path) -> str:
        """Return the path as it is from the run's folder, which may be moved before it is sent."""
        path = path.absolute()
        return str(path.relative_to(self._base) if path.is_relative_to(self._base) else path)

    def _post(self, what: str, **values: object) -> None:
        self._sender.post({"what": what, "at": time.time_ns() // 1_000_000, **values})

    def _deliver(self, entry: Entry) -> None:
        from mlflow.exceptions import MlflowException
        from requests import HTTPError

        if self._lost is not None:  # the run is another's now
            raise Unacceptable(self._lost)
        try:
            deliver(self._target, entry, self._base)
        except MlflowException as error:
            if error.error_code in HOPELESS:
                raise Unacceptable(str(error)) from error
            # whatever a database raises is that: a collision, a pool run dry, a value too long
            if error.error_code == "BAD_REQUEST":
                raise Doubtful(str(error)) from error
            raise
        except HTTPError as error:  # of a file, which may be larger than a proxy lets by
            if error.response is not None and error.response.status_code in (400, 413):
                raise Doubtful(str(error)) from error
            raise
        except TrackingError as error:
            self._lost = str(error)
            raise Unacceptable(self._lost) from error
        except FileNotFoundError as error:
            raise Unacceptable(str(error)) from error
        except OSError as error:
            if error.errno in UNWRITABLE:
                raise Doubtful(str(error)) from error
            raise


def deliver(target: MLflowTracker, entry: Entry, base: Path) -> None:
    """Say to `target` what the entry says. Its paths are seen from the folder `base`."""
    at, values = entry["at"], {k: v for k, v in entry.items() if k not in ("what", "at")}
    match entry["what"]:
        case "params":
            target.log_params(**values)
        case "epoch":
            target.log_epoch(**values, at=at)
        case "summary":
            target.log_summary(**values, at=at)
        case "tags":
            target.set_tags(**values)
        case "note":
            target.log_note(**values)
        case "dataset":
            target.log_inputs(**values)
        case "file":
            target.log_file(base / values["path"], values["folder"])
        case "model":
            target.log_model(base / values["network"])
        case "text":
            target.log_text(**values)
        case "beat":
            target.beat()
        case "end":
            target.status = Status(values["status"])
            target.end(at)
        case other:
            raise Unacceptable(f"an entry of an unknown kind, {other!r}")


def _plain(metrics: Metrics) -> dict[str, Any]:
    return {name: float(value) for name, value in metrics.items()}
