"""All checks, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from digit_exp.doctor import installation, machine, storage
from digit_exp.doctor.check import Check, error


def examine(uri: str | None) -> Iterator[Check]:
    """Make every check, each when it is asked for; the store is that at `uri`."""
    for name, check in (installation.CHECKS | machine.CHECKS | storage.CHECKS).items():
        yield from _attempted(name, check)
    yield from _attempted("store", lambda: storage.store(uri))


def _attempted(name: str, check: Callable[[], Check]) -> Iterator[Check]:
    try:
        yield check()
    except Exception as failure:  # a broken installation can raise anything; that is the finding
        found = f"{type(failure).__name__}: {failure}"
        yield error(name, found, "install again: pip install --force-reinstall digit-exp")
