"""The result of a check."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


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

    name: str
    found: str
    level: Level = Level.ok
    advice: str | None = None
    """What to do, if something is wrong."""

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `doctor --json` prints."""
        return {**asdict(self), "level": self.level.value}


def warning(name: str, found: str, advice: str) -> Check:
    """Return a check that found something to improve."""
    return Check(name, found, Level.warning, advice)


def error(name: str, found: str, advice: str) -> Check:
    """Return a check that found what makes runs fail."""
    return Check(name, found, Level.error, advice)
