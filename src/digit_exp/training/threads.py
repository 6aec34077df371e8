"""The threads of BLAS: a number that a run chooses, whatever the machine has."""

from __future__ import annotations

from contextlib import AbstractContextManager


def blas_threads(count: int) -> AbstractContextManager[object]:
    """Let matrix products use `count` threads inside the `with` block."""
    from threadpoolctl import threadpool_limits  # finds the libraries that are loaded by then

    limits: AbstractContextManager[object] = threadpool_limits(count, user_api="blas")
    return limits
