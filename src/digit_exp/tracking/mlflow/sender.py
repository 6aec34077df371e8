"""Sends a spool in the background, in order, as fast as the store takes it.

Training only appends to the spool. A store that stalls, answers with errors or is gone is tried
again until it answers, or until the run ends and patience with it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Condition, Thread

from digit_exp.tracking.mlflow.errors import reason
from digit_exp.tracking.mlflow.spool import Entry, Spool

logger = logging.getLogger(__name__)

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds between two tries; the last for ever."""

TRIES = 3
"""How often a doubtful entry is tried before others, and any once the run has ended."""

PATIENCE = 45.0
"""Seconds without an entry sent, once the run has ended: a store that stalls may need them."""


class Unacceptable(Exception):
    """The store has understood an entry and will never take it."""


class Doubtful(Exception):
    """The store answers, and refuses an entry: perhaps for ever, perhaps for this moment only."""


class Sender:
    """Delivers the entries of `spool` one by one through `deliver`, in a thread of its own.

    `deliver` raises Unacceptable for an entry that is not worth another try, and Doubtful for one
    that is not worth waiting for: after some tries it lets the others go first, and is tried again
    when the run has ended. What is delivered twice, because the answer was lost, must be the same
    as once.
    """

    def __init__(self, spool: Spool, deliver: Callable[[Entry], None]) -> None:
        self._spool = spool
        self._deliver = deliver
        self._changed = Condition()
        self._is_closing = False
        self._is_done = False
        self._refused: set[int] = set()
        self._doubtful: set[int] = set()  # of the refused, those that get a last try
        self._is_last_round = False
        self.reason: str | None = None  # why something was not sent, the latest
        self._failures = 0
        self._progress = time.monotonic()
        # a daemon: a request that hangs must not keep the process
        self._thread = Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def post(self, entry: Entry) -> None:
        """Let an entry be sent after all others. Returns at once."""
        self._spool.append(entry)
        with self._changed:
            self._changed.notify_all()

    def close(self, patience: float = PATIENCE) -> int:
        """Wait for what is not sent yet, within reason, and return how much is left."""
        with self._changed:
            self._is_closing = True
            self._failures = 0
            self._progress = time.monotonic()
            self._changed.notify_all()
            while not self._is_done:
                left = self._progress + patience - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
        return len(self._spool)

    def _work(self) -> None:
        while (found := self._next()) is not None:
            number, entry = found
            try:
                self._deliver(entry)
            except Unacceptable as error:
                self._set_aside(number, entry, error)
            except Doubtful as error:
                self._doubt(number, entry, error)
            except Exception as error:  # whatever it is, training must not end for it
                self._wait(error)
            else:
                self._sent(number)
        with self._changed:
            self._is_done = True
            self._changed.notify_all()

    def _next(self) -> tuple[int, Entry] | None:
        """Return the oldest entry when there is one, None when there is no use in waiting."""
        with self._changed:
            while True:
                waiting = [e for e in self._spool.entries().items() if e[0] not in self._refused]
                if waiting and not (self._is_closing and self._failures >= TRIES):
                    return waiting[0]
                if self._is_closing and (waiting or self._is_last_round):
                    return None
                if self._is_closing:  # all others are sent
                    self._is_last_round = True
                    self._refused -= self._doubtful
                else:
                    self._changed.wait()

    def _sent(self, number: int) -> None:
        self._spool.remove(number)
        with self._changed:
            if self._failures:
                logger.info("MLflow answers again")
            self._failures = 0
            self._progress = time.monotonic()
            self._changed.notify_all()

    def _doubt(self, number: int, entry: Entry, error: Doubtful) -> None:
        if self._failures + 1 < TRIES and not self._is_last_round:
            self._wait(error)
            return
        self._doubtful.add(number)
        self._set_aside(number, entry, error)

    def _set_aside(self, number: int, entry: Entry, error: Exception) -> None:
        self.reason = reason(error)
        if not self._refused:  # one word is enough, if a run was deleted
            logger.warning("MLflow does not take the %s: %s", entry.get("what"), self.reason)
        with self._changed:
            self._refused.add(number)
            self._failures = 0  # the store does answer

    def _wait(self, error: Exception) -> None:
        self.reason = reason(error)
        with self._changed:
            if not self._failures and not self._is_closing:
                logger.warning(
                    "MLflow cannot be written to; what it lacks is kept and sent when it answers"
                    " again (%s)",
                    reason(error),
                )
            wait = WAITS[min(self._failures, len(WAITS) - 1)]
            self._failures += 1
            was_closing = self._is_closing
            self._changed.wait_for(lambda: self._is_closing and not was_closing, wait)
