"""Threads that share the work on large arrays.

BLAS gets one thread, and each member of the team computes its own part of the output. Where BLAS
would let idle threads spin, which costs a neighbour on the machine a core and makes both slow, a
member sleeps. And since a part is computed as it would be alone, results do not depend, to the
bit, on how many threads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from queue import SimpleQueue
from threading import Thread

from threadpoolctl import threadpool_limits

Work = Callable[[slice], object]
"""Computes the part of an output that a slice names, and touches no other."""

WORTH_A_THREAD = 10_000_000
"""Multiply-adds of a matrix product that a thread must get: with fewer, waking it costs more."""

PASS = 8
"""What a pass over one number of a large vector costs, in multiply-adds of a matrix product."""

ALIGNMENT = 64
"""Parts begin at a multiple of this, where the inner loops of BLAS and NumPy begin anew as well."""


class _Member:
    """A thread that does what it is given, one thing after the other, and sleeps in between."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[tuple[Work, slice] | None] = SimpleQueue()
        self._results: SimpleQueue[BaseException | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="digit_exp team", daemon=True)
        self._thread.start()

    def start(self, work: Work, part: slice) -> None:
        self._tasks.put((work, part))

    def wait(self) -> None:
        """Return when the work is done; raise what it raised."""
        error = self._results.get()
        if error is not None:
            raise error

    def dismiss(self) -> None:
        self._tasks.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (task := self._tasks.get()) is not None:
            work, part = task
            try:
                work(part)
            except BaseException as error:  # the caller's to handle, in its own thread
                self._results.put(error)
            else:
                self._results.put(None)


_members: list[_Member] = []


@contextmanager
def team(size: int) -> Iterator[None]:
    """Let `spread` use `size` threads, this one included, inside the `with` block."""
    before = _members[:]
    with threadpool_limits(1, user_api="blas"):
        hired = [_Member() for _ in range(size - 1)]
        _members[:] = hired
        try:
            yield
        finally:
            _members[:] = before
            for member in hired:
                member.dismiss()


def spread(work: Work, length: int, operations: int) -> None:
    """Call `work` with slices that cover `range(length)` and do not overlap, side by side.

    `operations` is the size of the whole work in multiply-adds. Work that is too small for the
    threads of the `team`, and all work outside a team, is done at once and here.
    """
    helpers = _members[: max(0, min(operations // WORTH_A_THREAD, length // ALIGNMENT) - 1)]
    if not helpers:
        work(slice(0, length))
        return
    own, *parts = _parts(length, len(helpers) + 1)
    busy = list(zip(helpers, parts, strict=True))
    for member, part in busy:
        member.start(work, part)
    try:
        work(own)
    finally:  # even if a signal comes: nobody may write into arrays that others use again
        for member, _ in busy:
            member.wait()


def _parts(length: int, count: int) -> list[slice]:
    """Divide `range(length)` into `count` slices, alike but for the alignment.

    >>> _parts(1000, 3)
    [slice(0, 320, None), slice(320, 640, None), slice(640, 1000, None)]
    """
    blocks = length // ALIGNMENT
    bounds = [blocks * i // count * ALIGNMENT for i in range(count)] + [length]
    return [slice(start, end) for start, end in pairwise(bounds)]
