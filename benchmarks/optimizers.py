"""What one step costs: the compiled loop of each optimizer beside its rule on NumPy arrays.

    python benchmarks/optimizers.py [ROUNDS]

Microseconds on one core, medians; everybody takes turns in every round. The last rows are both
penalties, max-norm and the weight average.
"""

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from digit_exp.optim import kernels
from digit_exp.optim.optimizers import OPTIMIZERS, Optimizer
from digit_exp.optim.regularizers import Regularizer
from measuring import machine, pin_to_one_core, table

NETWORKS = ([784, 128, 64, 10], [784, 1024, 512, 10])
STEP = 1000
Work = Callable[[], object]


def main() -> None:
    """Measure networks of two sizes and print a table for each."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    pin_to_one_core()
    with threadpool_limits(1), np.errstate(all="ignore"):
        for widths in NETWORKS:
            rows = measured(widths, rounds)
            print(f"\n{widths[1:-1]}, {sum(count(widths)):,} parameters\n")
            print(table(["µs a step", "NumPy", "one loop", "NumPy / loop"], rows))
    print(f"\n{machine()}")


def count(widths: list[int]) -> list[int]:
    """Return the numbers of parameters of the layers."""
    return [(inputs + 1) * units for inputs, units in pairwise(widths)]


def measured(widths: list[int], rounds: int) -> list[list[str]]:
    """Return the rows of a table."""
    size = sum(count(widths))
    works = {name: optimizer(OPTIMIZERS[name](), size) for name in OPTIMIZERS.names()}
    works |= regularization(widths, size)
    slow = medians({name: work[0] for name, work in works.items()}, rounds)
    fast = medians({name: work[1] for name, work in works.items()}, rounds)
    return [
        [name, f"{slow[name]:.0f}", f"{fast[name]:.0f}", f"{slow[name] / fast[name]:.1f} ×"]
        for name in works
    ]


def medians(work: dict[str, Work], rounds: int) -> dict[str, float]:
    """Return the median microseconds of each piece of work; they take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for number in range(rounds + 1):
        for name, run in work.items():
            started = time.perf_counter()
            run()
            if number:  # the first call compiles
                seconds[name].append(time.perf_counter() - started)
    return {name: 1e6 * median(values) for name, values in seconds.items()}


def normal(size: int) -> np.ndarray:
    """Return numbers such as weights or gradients are."""
    return np.random.default_rng(0).normal(0, 0.05, size).astype(np.float32)


def optimizer(chosen: Optimizer, size: int) -> tuple[Work, Work]:
    """Return a step of an optimizer in NumPy and in its loop."""
    values, grads = normal(size), normal(size)
    slots = chosen.init(size, values.dtype)
    state = [values.copy(), *(slots[name].copy() for name in chosen.slot_names)]

    def in_numpy() -> None:
        constants = tuple(map(np.float32, chosen.constants(chosen.lr, STEP)))
        state[:] = chosen.rule(state[0], grads, *state[1:], constants)

    return in_numpy, lambda: chosen.update(values, grads, slots, chosen.lr, STEP)


def regularization(widths: list[int], size: int) -> dict[str, tuple[Work, Work]]:
    """Return the rest of a step in NumPy and in loops."""
    values, grads, average = normal(size), normal(size), normal(size)
    chosen = Regularizer(l1=1e-4, l2=1e-4, max_norm=1.0)
    matrices = [np.full(shape, 0.02, np.float32) for shape in pairwise(widths)]
    constants = (np.float32(1e-4), np.float32(2e-4))

    def constrain() -> None:
        for matrix in matrices:
            norms = np.sqrt(np.einsum("ij,ij->j", matrix, matrix))
            if norms.max() > 1:
                matrix *= 1 / np.maximum(norms, 1)

    return {
        "penalties": (
            lambda: 1e-4 * np.abs(values).sum() + 1e-4 * np.dot(values, values),
            lambda: chosen.penalty(values),
        ),
        "their gradient": (
            lambda: chosen.rule(grads, values, constants),
            lambda: chosen.add_gradient(values, grads),
        ),
        "max-norm": (constrain, lambda: chosen.constrain(matrices)),
        "weight average": (
            lambda: kernels.average_rule(average, values, constants[:1]),
            lambda: kernels.move_towards(average, values, 1e-4),
        ),
    }


if __name__ == "__main__":
    main()
