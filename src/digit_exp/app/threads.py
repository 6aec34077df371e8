"""How many threads matrix products take: a rule, and the `with` block that applies it.

Small products gain nothing from a second thread and lose a great deal when another process
wants the core, because idle BLAS threads spin. So a run takes one thread unless its largest
product is large enough to pay.
"""

import os
from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits

from digit_exp.nn.network import Network

WORTH_SHARING = 64_000_000
"""Multiply-adds of the largest product of a step from which a second thread pays."""


def choose_threads(network: Network, batch_size: int) -> int:
    """Return all usable cores if the network's largest product is worth it, else 1."""
    largest = batch_size * max(matrix.size for matrix in network.parameters.matrices)
    return _usable_cores() if largest >= WORTH_SHARING else 1


def blas_threads(count: int) -> AbstractContextManager[object]:
    """Limit BLAS to `count` threads inside the `with` block."""
    limits: AbstractContextManager[object] = threadpool_limits(count, user_api="blas")
    return limits


def _usable_cores() -> int:
    """Return the cores that this process may run on, or fewer if OMP_NUM_THREADS says so.

    Launchers that run several jobs at a time set it in their workers, or each job would take all.
    """
    told = os.environ.get("OMP_NUM_THREADS", "")
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return min(cores, int(told)) if told.isdigit() and int(told) else cores
