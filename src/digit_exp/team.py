"""Threads that share the work of a training step.

BLAS gets one thread, and each member of the team computes its own part of the output. Where BLAS
would let idle threads spin, which costs a neighbour on the machine a core and makes both slow, a
member sleeps. And since a part is computed as it would be alone, results do not depend, to the
bit, on how many threads there are.

A step has three such works: rows of the batch go through the network and back, then inputs of
each layer get the gradients of their weights, then numbers of the flat vectors are updated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread

from threadpoolctl import threadpool_limits

WORTH_A_THREAD = 10_000_000
"""Multiply-adds that a thread must get: with fewer, waking it costs more."""

PASS = 8
"""What a pass over one number of a large vector costs, in multiply-adds of a matrix product."""

ALIGNMENT = 16
"""Parts begin at a multiple of this, where the inner loops of BLAS and NumPy begin anew as well."""

SMALL, TINY = 1_000_000, 1200
"""Multiply-adds, and numbers of the result, up to which OpenBLAS takes another kernel for a matrix
product, which rounds otherwise. Found by trying, with OpenBLAS 0.3.31 and AVX-512."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of `count` parts, alike but for the alignment, of whatever is divided."""

    index: int
    count: int

    def of(self, length: int) -> slice:
        """Return this part of `range(length)`; all parts together are all of it.

        >>> [Part(index, 3).of(1000) for index in range(3)]
        [slice(0, 320, None), slice(320, 656, None), slice(656, 1000, None)]
        """
        if self.count == 1:
            return slice(0, length)
        blocks = length // ALIGNMENT
        start = blocks * self.index // self.count * ALIGNMENT
        end = blocks * (self.index + 1) // self.count * ALIGNMENT
        return slice(start, end if self.index + 1 < self.count else length)

    def of_product(self, length: int, multiply_adds: int) -> slice:
        """Return this part of a matrix product, so many multiply-adds for each of `length`.

        Where parts would not round as the whole does, the first has it all.
        """
        if rounds_alike(length, multiply_adds, self.count, SMALL):
            return self.of(length)
        return slice(0, 0 if self.index else length)


def rounds_alike(length: int, each: int, count: int, limit: int) -> bool:
    """Return whether `count` parts of `length` things are on that side of a limit where all are."""
    if count == 1:
        return True
    smallest = length // ALIGNMENT // count * ALIGNMENT
    return length * each <= limit or smallest * each > limit


WHOLE = Part(0, 1)

Work = Callable[[Part], object]
"""Computes a part of its output, and touches no other."""


class _Member:
    """A thread that does what it is given, one thing after the other, and sleeps in between."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[tuple[Context, Work, Part] | None] = SimpleQueue()
        self._results: SimpleQueue[BaseException | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="digit_exp team", daemon=True)
        self._thread.start()

    def start(self, work: Work, part: Part) -> None:
        # the caller's np.errstate is in the context: a diverging run is not to warn
        self._tasks.put((copy_context(), work, part))

    def wait(self) -> BaseException | None:
        """Return when the work is done, with what it raised."""
        return self._results.get()

    def dismiss(self) -> None:
        self._tasks.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (task := self._tasks.get()) is not None:
            context, work, part = task
            try:
                context.run(work, part)
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


def hands(operations: int) -> int:
    """Return how many threads of the `team` a work of so many multiply-adds is worth: 1 or more.

    Outside a team it is always one.
    """
    return max(1, min(operations // WORTH_A_THREAD, len(_members) + 1))


def spread(work: Work, count: int) -> None:
    """Call `work` with `count` parts that make up the whole, side by side."""
    if count == 1:
        work(WHOLE)
        return
    helpers = _members[: count - 1]
    for index, member in enumerate(helpers, start=1):
        member.start(work, Part(index, count))
    try:
        work(Part(0, count))
    finally:  # even if a signal comes: nobody may write into arrays that others use again
        errors = [error for member in helpers if (error := member.wait()) is not None]
        if errors:
            raise errors[0]
