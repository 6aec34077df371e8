"""The result of a check."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is."""

    ok = "ok"
    warning = "warning"
    """Runs work, but slower or with less than they could have."""
    error = "error"
    """Some or all runs fail."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    found: str
    level: Level = Level.ok
    advice: str | None = None
    """What to do, if something is wrong."""


def warning(found: str, advice: str) -> Check:
    """Return a check that found something to improve."""
    return Check(found, Level.warning, advice)


def error(found: str, advice: str) -> Check:
    """Return a check that found what makes runs fail."""
    return Check(found, Level.error, advice)
