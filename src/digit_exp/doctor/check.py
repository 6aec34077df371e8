"""What a check finds, and all checks in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


def examine(uri: str | None) -> Iterator[Check]:
    """Make every check, each when it is asked for; the store is that at `uri`."""
    from digit_exp.doctor import installation, machine, storage

    for name, check in (installation.CHECKS | machine.CHECKS | storage.CHECKS).items():
        yield from _attempted(name, check)
    yield from _attempted("store", lambda: storage.store(uri))


def _attempted(name: str, check: Callable[[], Check]) -> Iterator[Check]:
    try:
        yield check()
    except Exception as failure:  # a broken installation can raise anything; that is the finding
        found = f"{type(failure).__name__}: {failure}"
        yield error(name, found, "install again: pip install --force-reinstall digit-exp")
