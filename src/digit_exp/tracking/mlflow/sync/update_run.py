"""Makes a run in MLflow equal to a run's folder: at any time, any number of times.

Only what is missing is sent. MLflow is asked what it has, once, and again after every error, as an
answer that was lost says nothing about whether the work was done. Of a point that was sent twice
MLflow keeps one, as metric, step, time and value are the same.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from digit_exp.tracking import ownership
from digit_exp.tracking.base import Epoch, RunContents, TrackingError
from digit_exp.tracking.mlflow.errors import Refusal, reason, refusal
from digit_exp.tracking.mlflow.sync import entities
from digit_exp.tracking.mlflow.sync.stored import SentFiles, StoredRun, active, look, version_of
from digit_exp.tracking.model import log

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

ITEMS_PER_CALL, POINTS_PER_CALL = 100, 1000  # MLflow's limits
TRIES = 3
"""How often something is sent that MLflow may have refused only for the moment."""

Item = TypeVar("Item", "Param", "RunTag", "Metric")


class TakenOver(TrackingError):
    """Another process works on the run, or did so later than the process of the folder."""


class Synchronizer:
    """One run in MLflow that is made equal to a folder.

    What MLflow refuses does not stop the rest: it is in `refused`, with the reason, until MLflow
    takes it or it is gone from the folder.
    """

    def __init__(self, client: MlflowClient, run_id: str, experiment_id: str, folder: Path) -> None:
        self.run_id, self.experiment_id = run_id, experiment_id
        self.sent: list[str] = []
        self.refused: dict[str, str] = {}
        self.progress = time.monotonic()
        """When MLflow last took something."""
        self._client = client
        self._tries: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._sent_files = SentFiles(folder, run_id)
        self._stored: StoredRun | None = None

    @property
    def has_hope(self) -> bool:
        """Whether something that was refused may be taken by another try."""
        return any(self._tries[what] < TRIES for what in self.refused)

    def look_again(self) -> None:
        """Ask MLflow anew what it has, and give everything that was refused another try."""
        self._stored = None
        for what in self._tries:
            self._tries[what] = min(self._tries[what], TRIES - 1)

    def send(self, contents: RunContents, files: Sequence[str] | None = None) -> None:
        """Send what MLflow lacks of the folder; of its files, all or only `files`.

        Raises TakenOver if the folder is outdated, and the errors of a store that does not answer.
        """
        earlier, self.refused = self.refused, {}
        try:
            stored = self._look(contents)
            self._send_numbers(contents, stored)
            try:
                self._send_files(contents, stored, contents.files if files is None else files)
                self._send_model(contents, stored)
            finally:  # send the status even if the folder for files is missing
                self._send_status(contents, stored)
        except BaseException:
            self._stored = None
            self.refused = earlier | self.refused
            raise
        finally:
            is_whole = contents.is_over and files is None and self._stored is not None
            self._sent_files.save(is_all=is_whole and not self.refused)

    def beat(self, contents: RunContents) -> None:
        """Send the heartbeat, unless another process has taken the run over."""
        tags = active(self._client, self.run_id).data.tags
        self._require_own(contents, tags)
        for name, text in ownership.beat().items():
            self._client.set_tag(self.run_id, name, text)

    def _look(self, contents: RunContents) -> StoredRun:
        if self._stored is None:
            folders = {"", *(_parent(name) for name in contents.files)}
            self._stored = look(self._client, self.run_id, sorted(folders))
            self._require_own(contents, self._stored.tags)
            self.progress = time.monotonic()
        return self._stored

    def _require_own(self, contents: RunContents, tags: dict[str, str]) -> None:
        if ownership.is_later(tags, contents.owner):
            raise TakenOver(
                f"the MLflow run {self.run_id} was taken over by {ownership.described(tags)}, after"
                f" nothing was heard of {ownership.described(contents.owner)} for"
                f" {ownership.SILENCE_SECONDS} seconds; nothing of {contents.folder} is sent"
            )

    def _send_numbers(self, contents: RunContents, stored: StoredRun) -> None:
        from mlflow.entities import Param

        self._send_tags(entities.tags(contents, stored.params), stored)
        texts = entities.parameters(contents)
        params = [Param(key, text) for key, text in texts.items() if key not in stored.params]
        stored.params |= {item.key: item.value for item in self._send_items("params", params)}
        self._send_dataset(contents, stored)
        self._send_series(contents.epochs, stored.epochs)
        self._send_series(contents.samples, stored.samples)
        summary = {
            name: value
            for name, value in contents.summary.items()
            if not _is_same(stored.metrics.get(name), entities.finite(value))
        }
        points = entities.points(summary, 0, contents.ended)
        stored.metrics |= {item.key: item.value for item in self._send_items("metrics", points)}

    def _send_series(self, series: Sequence[Epoch], known: set[int]) -> None:
        lacking = [epoch for epoch in series if epoch.number not in known]
        most = max((len(epoch.metrics) for epoch in lacking), default=0)
        at_once = max(POINTS_PER_CALL // max(most, 1), 1)
        for start in range(0, len(lacking), at_once):
            points = [
                point
                for epoch in lacking[start : start + at_once]
                for point in entities.points(epoch.metrics, epoch.number, epoch.time)
            ]
            known |= {point.step for point in self._send_batch("metrics", points)}

    def _send_tags(self, texts: dict[str, str], stored: StoredRun) -> None:
        from mlflow.entities import RunTag

        new = []
        for name, text in texts.items():
            if (short := entities.short(name, text)) == stored.tags.get(name):
                continue
            file = entities.long_tag(name)
            send = partial(self._client.log_text, self.run_id, text, file)
            if short == text or self._try(f"the file {file}", send):
                new.append(RunTag(name, short))
        stored.tags |= {item.key: item.value for item in self._send_items("tags", new)}

    def _send_dataset(self, contents: RunContents, stored: StoredRun) -> None:
        if contents.dataset is None:
            return
        keys = set(entities.dataset_keys(contents.dataset).values())
        if keys <= stored.datasets:
            return
        # the first two runs with a data set may collide, as MLflow looks and inserts without a lock
        inputs = entities.dataset_inputs(contents.dataset)
        if self._try("the data set", partial(self._client.log_inputs, self.run_id, inputs)):
            stored.datasets |= keys

    def _send_files(self, contents: RunContents, stored: StoredRun, names: Sequence[str]) -> None:
        for name in names:
            path = contents.folder / name
            send = partial(self._client.log_artifact, self.run_id, str(path), _parent(name) or None)
            try:
                version = version_of(path)
                is_known = stored.files.get(name, -1) in (None, version[0])  # by its size
                if is_known and self._sent_files.versions.get(name) == version:
                    continue
                if self._try(f"the file {name}", send):
                    stored.files[name] = version[0]
                    self._sent_files.versions[name] = version
            except FileNotFoundError:
                if path.exists():
                    raise
                # a checkpoint that rotation has deleted: there is nothing to send

    def _send_model(self, contents: RunContents, stored: StoredRun) -> None:
        network = contents.network
        if network is None or not contents.is_over or stored.has_model:
            return
        run = self._client, self.run_id, self.experiment_id
        stored.has_model = self._try("the model", partial(log.log_model, *run, network))

    def _send_status(self, contents: RunContents, stored: StoredRun) -> None:
        status = str(contents.status)
        if stored.status == status:
            return
        set_status: Callable[[], object]
        if contents.is_over:
            end = self._client.set_terminated
            set_status = partial(end, self.run_id, status, contents.ended)
        else:
            set_status = partial(self._client.update_run, self.run_id, status)
        if self._try("the status", set_status):
            stored.status = status

    def _send_items(self, kind: str, items: Sequence[Item]) -> list[Item]:
        """Send items in as few calls as MLflow's limits allow; return those that it took."""
        groups = range(0, len(items), ITEMS_PER_CALL)
        return [
            item
            for start in groups
            for item in self._send_batch(kind, items[start : start + ITEMS_PER_CALL])
        ]

    def _send_batch(self, kind: str, items: Sequence[Item]) -> list[Item]:
        """Send items in one call; if it is refused, find the refused ones and send the others."""
        names = {item.key: f"the {kind.removesuffix('s')} {item.key}" for item in items}
        hopeless = {key: what for key, what in names.items() if self._tries[what] >= TRIES}
        self.refused |= {what: self._reasons[what] for what in hopeless.values()}
        items = [item for item in items if item.key not in hopeless]
        if not items:
            return []
        kinds: dict[str, Any] = {kind: items}
        call = partial(self._client.log_batch, self.run_id, **kinds)
        if len(items) == 1:
            return list(items) if self._try(names[items[0].key], call) else []
        if self._is_taken(call):
            self.sent.append(f"{len(items)} {kind}")
            return list(items)
        active(self._client, self.run_id)  # of a deleted run it would refuse all
        half = len(items) // 2
        return self._send_batch(kind, items[:half]) + self._send_batch(kind, items[half:])

    def _is_taken(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except Exception as error:
            if refusal(error) is None:
                raise
            return False
        self.progress = time.monotonic()
        return True

    def _try(self, what: str, call: Callable[[], object]) -> bool:
        """Send one thing, and return whether MLflow took it."""
        if self._tries[what] < TRIES:
            try:
                call()
            except Exception as error:
                if (kind := refusal(error)) is None:
                    raise
                self._tries[what] += TRIES if kind is Refusal.final else 1
                self._reasons[what] = reason(error)
            else:
                self.progress = time.monotonic()
                self.sent.append(what)
                del self._tries[what]
                return True
        self.refused[what] = self._reasons[what]
        return False


def _parent(name: str) -> str:
    parent = str(PurePosixPath(name).parent)
    return "" if parent == "." else parent


def _is_same(known: float | None, value: float) -> bool:
    return known == value or (known is not None and math.isnan(known) and math.isnan(value))
