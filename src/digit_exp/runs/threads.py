"""How many processes train together: as many as the matrix products of a step keep busy."""

import os

from digit_exp.nn.network import Network

WORTH_A_PROCESS = 3_500_000
"""Multiply-adds of a forward pass that each must get: a step is soon too short to be divided."""


def choose_threads(network: Network, batch_size: int, wanted: int | None = None) -> int:
    """Return how many processes train together: those wanted, or as many as a step is worth.

    There is at most one for each usable core, as the result does not depend on it.
    """
    if wanted is None:
        multiply_adds = batch_size * sum(layer.multiply_adds for layer in network.layers)
        wanted = multiply_adds // WORTH_A_PROCESS
    return max(1, min(_usable_cores(), wanted))


def _usable_cores() -> int:
    """Return the cores that this process may run on, or fewer if OMP_NUM_THREADS says so.

    Launchers that run several jobs at a time set it in their workers, or each job would take all.
    """
    told = os.environ.get("OMP_NUM_THREADS", "")
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return min(cores, int(told)) if told.isdigit() and int(told) else cores
