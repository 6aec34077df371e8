"""In how many threads a network calculates.

OpenBLAS divides the products of large matrices among its threads. A convolution has a small product
for each block of images instead: blocks are divided among threads of our own, each with one thread
of OpenBLAS, for two pools would fight for the cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")


class Team(NamedTuple):
    """The threads that help the calling one."""

    pool: ThreadPoolExecutor
    size: int


_team: ContextVar[Team | None] = ContextVar("team", default=None)


class Model(Protocol):
    """What says how its work can be shared."""

    @property
    def in_blocks(self) -> bool:
        """Whether threads share blocks of images, and not the products of matrices."""
        ...


@contextmanager
def threads_for(model: Model, count: int) -> Iterator[None]:
    """Let the model calculate in `count` threads inside: OpenBLAS's, or those of `in_parts`."""
    with threadpool_limits(1 if model.in_blocks else count, "blas"):
        if not model.in_blocks or count == 1:
            yield
            return
        with ThreadPoolExecutor(count - 1) as pool:
            token = _team.set(Team(pool, count))
            try:
                yield
            finally:
                _team.reset(token)


def in_parts(length: int, task: Callable[[slice], T]) -> list[T]:
    """Return the results of `task` for neighbouring parts of `range(length)`, one for each thread.

    The calling thread takes the first part. An exception of a task is raised when all have ended.
    """
    team = _team.get()
    if team is None:
        return [task(slice(0, length))]
    ends = [length * i // team.size for i in range(team.size + 1)]
    first, *others = [slice(*pair) for pair in pairwise(ends)]
    waiting = [team.pool.submit(task, part) for part in others]
    try:
        result = task(first)
    finally:
        wait(waiting)
    return [result, *(each.result() for each in waiting)]
