"""What a sweep tells its jobs, in whatever process they run: one environment variable.

It reaches the workers of every launcher, and nothing else has to be shared but the store.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "DIGIT_EXP_SWEEP"


@dataclass(frozen=True)
class Ticket:
    """The sweep that a job belongs to."""

    name: str
    folder: str
    """Where its jobs have their folders."""
    jobs: int
    varied: list[str]
    """The keys in which its jobs differ."""
    parent_id: str | None
    """The parent run in MLflow, if the sweep is tracked."""
    rerun: bool
    fail_fast: bool
    is_search: bool
    """Whether a sampler chooses the jobs: it wants to hear of those that fail."""
    objective: str
    started: float
    """When this command began, in seconds since the epoch."""

    @property
    def path(self) -> Path:
        """The folder of the sweep."""
        return Path(self.folder)


@contextmanager
def issued(ticket: Ticket) -> Iterator[None]:
    """Let every process that is started inside the `with` block find the ticket."""
    os.environ[VARIABLE] = json.dumps(asdict(ticket))
    try:
        yield
    finally:
        del os.environ[VARIABLE]


def current_ticket() -> Ticket | None:
    """Return the ticket of the sweep that this process works for, if any."""
    text = os.environ.get(VARIABLE)
    return None if text is None else Ticket(**json.loads(text))
