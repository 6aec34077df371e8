"""What the jobs of a sweep know of it, in any process on any machine.

It is passed as a setting of Hydra, which puts it into the environment of each job. So it reaches
the workers of every launcher, also those that were started before the command.
"""

import base64
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

VARIABLE = "DIGIT_EXP_SWEEP"


@dataclass(frozen=True)
class SweepContext:
    """The sweep that a job belongs to."""

    name: str
    command: str
    """Unique to this start of the sweep."""
    folder: str
    """The folder with those of its jobs."""
    jobs: int
    varied: list[str]
    """The keys in which its jobs differ."""
    objective: str
    parent_id: str | None = None
    """The parent run in MLflow, if the sweep is tracked."""
    rerun: bool = False
    fail_fast: bool = False
    is_search: bool = False
    """Whether a sampler chooses the jobs. It must know which of them failed."""
    seeds: list[int] = field(default_factory=list)
    """Those that every candidate is trained with."""
    race: bool = False
    """Whether a candidate that is too far behind gets no further seed."""
    deadline: float | None = None
    """When its time is over, in seconds since 1970."""
    failed: list[str] = field(default_factory=list)
    """The hashes of the jobs that had failed in the store when the command began."""

    script: str | None = None
    """The program that registers one's own classes; workers run it too."""

    @property
    def is_out_of_time(self) -> bool:
        """Whether `sweep.minutes` are over, so that no job may start."""
        return self.deadline is not None and time.time() >= self.deadline

    @property
    def path(self) -> Path:
        """The folder of the sweep."""
        return Path(self.folder)

    @property
    def environment(self) -> dict[str, str]:
        """Return the setting for Hydra, encoded so that neither it nor a shell changes the text."""
        text = base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()
        return {f"hydra.job.env_set.{VARIABLE}": text}


def current_sweep() -> SweepContext | None:
    """Return the context of the sweep that this process works for, if any."""
    text = os.environ.get(VARIABLE)
    return None if text is None else read_context(text)


def read_context(text: str) -> SweepContext:
    """Return the context that `environment` wrote."""
    return SweepContext(**json.loads(base64.urlsafe_b64decode(text)))
