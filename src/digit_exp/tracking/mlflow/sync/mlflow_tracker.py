"""Mirrors a run's folder into MLflow from a thread of its own, so that training never waits.

A store that does not answer, or answers with errors, is tried again until the run has ended and
`close` gives up.
"""

import logging
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Thread

from digit_exp.tracking.base import RunContents, Tracker, TrackingError
from digit_exp.tracking.mlflow import links
from digit_exp.tracking.mlflow.errors import reason
from digit_exp.tracking.mlflow.sync.update_run import TRIES, Synchronizer, TakenOver
from digit_exp.tracking.mlflow.uri import Store
from digit_exp.tracking.ownership import BEAT_SECONDS

logger = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds from one sending to the next while a network is trained."""

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds from a failure to the next try; the last is repeated."""

CHECKPOINT_SECONDS = 10
"""How often checkpoints are sent while a job of a sweep is trained: what may be trained twice."""

LATE = ("checkpoints/", "digit_exp.log")
"""Paths of files that change all the time: they are sent when the run has ended."""


class MLflowTracker(Tracker):
    """Keeps one run in MLflow equal to its folder, from `follow` to `close`.

    `keeps_checkpoints`: send checkpoints during training too, so that the run can go on where the
    folder is not. `every`: look at the folder after so many seconds, even if nothing has changed.
    """

    def __init__(
        self,
        sync: Synchronizer,
        store: Store,
        *,
        keeps_checkpoints: bool = False,
        every: float | None = None,
    ) -> None:
        self.run_id: str = sync.run_id
        self.sync = sync
        self._store = store
        self._keeps_checkpoints = keeps_checkpoints
        self._checkpoints_due = time.monotonic()
        self._every = every or BEAT_SECONDS
        self._beat_due = time.monotonic() + BEAT_SECONDS
        self._changes = Condition()
        self._has_changed = False
        self._is_closing = self._is_done = False
        self._taken_over: str | None = None
        self._failures = 0
        self._reason: str | None = None
        """Why the last try failed, if it did."""

    def follow(self, contents: Callable[[], RunContents]) -> None:
        self._contents = contents
        self.changed()
        # a daemon: a request without an answer must not keep the process alive
        Thread(target=self._work, name="tracking", daemon=True).start()

    def changed(self) -> None:
        with self._changes:
            self._has_changed = True
            self._changes.notify_all()

    def check(self) -> None:
        if self._taken_over is not None:
            raise TrackingError(self._taken_over)

    def where(self) -> list[str]:
        return links.lines(self._store, self.sync.experiment_id, self.run_id)

    def close(self, patience: float) -> bool:
        self.sync.progress = time.monotonic()
        logger.info("saving to MLflow ...")
        with self._changes:
            self._is_closing = True
            self._changes.notify_all()
            while not self._is_done:
                left = self.sync.progress + patience - time.monotonic()
                if left <= 0:
                    self._reason = self._reason or "it does not answer"
                    break
                self._changes.wait(left)
        if self._taken_over is not None:
            logger.warning("%s", self._taken_over)
            return False
        lacking = self._lacking()
        if lacking is not None:
            folder = shlex.quote(links.seen_from(Path.cwd(), self._contents().folder))
            logger.warning(
                "MLflow lacks %s of the run %s. It is in the run's folder;"
                " `digit-exp sync %s` sends it once MLflow takes it",
                lacking,
                self.run_id,
                folder,
            )
        return lacking is None

    def _lacking(self) -> str | None:
        """Return what MLflow lacks, and why, or None."""
        if self._reason is not None:
            return f"something ({self._reason})"
        refused = [f"{what} ({why})" for what, why in self.sync.refused.items()]
        return ", ".join(refused) or None

    def _work(self) -> None:
        is_last = False
        while not self._is_done:
            if self._is_closing and not is_last:
                is_last = True
                self._failures = 0
                self.sync.look_again()
            pause = self._send(is_last=is_last)
            with self._changes:
                self._is_done = self._taken_over is not None or (is_last and pause is None)
                self._changes.notify_all()
                if not self._is_done:
                    self._wait(pause, is_last=is_last)

    def _wait(self, pause: float | None, *, is_last: bool) -> None:
        """Wait for `pause`, if there is one, else until there is something to send."""
        if is_last:
            self._changes.wait(pause)
        elif self._changes.wait_for(lambda: self._is_closing, PAUSE if pause is None else pause):
            return
        elif pause is None:
            left = min(self._beat_due - time.monotonic(), self._every)
            self._changes.wait_for(lambda: self._has_changed or self._is_closing, max(left, 0))

    def _send(self, *, is_last: bool) -> float | None:
        """Send what MLflow lacks; return after how long to try again, None if there is no need."""
        self._has_changed = False
        refused = set(self.sync.refused)
        try:
            self._beat()
            contents = self._contents()
            self.sync.send(contents, None if is_last else self._early(contents))
        except TakenOver as error:
            self._taken_over = self._reason = str(error)
            return None
        except Exception as error:  # whatever it is, training must not end for it
            return self._failed(error, is_last=is_last)
        if self._failures and not is_last:
            logger.info("MLflow answers again")
        self._failures, self._reason = 0, None
        if not refused and self.sync.refused:  # one word is enough, if a run was deleted
            logger.warning("MLflow does not take %s: %s", *next(iter(self.sync.refused.items())))
        return WAITS[0] if self.sync.has_hope else None

    def _failed(self, error: Exception, *, is_last: bool) -> float | None:
        self._reason = reason(error)
        if not self._failures and not is_last:
            logger.warning(
                "MLflow cannot be written to; what it lacks is kept in the run's folder, and sent"
                " when it answers again (%s)",
                self._reason,
            )
        wait = WAITS[min(self._failures, len(WAITS) - 1)]
        self._failures += 1
        return None if is_last and self._failures >= TRIES else wait

    def _beat(self) -> None:
        if time.monotonic() >= self._beat_due:
            self.sync.beat(self._contents())
            self._beat_due = time.monotonic() + BEAT_SECONDS

    def _early(self, contents: RunContents) -> list[str]:
        files = [name for name in contents.files if not name.startswith(LATE)]
        if self._keeps_checkpoints and contents.epochs and self._checkpoints_due < time.monotonic():
            self._checkpoints_due = time.monotonic() + CHECKPOINT_SECONDS
            files += [name for name in contents.files if name.startswith("checkpoints/")]
        return files
