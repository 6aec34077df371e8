"""What each optimizer costs: an epoch of training beside the same epoch with SGD.

    python benchmarks/optimizers.py [ROUNDS]

Batch size 32, where an update counts most, on one core; everybody takes turns in every round, and
the first round does not count. Regularization, clipping and the weight average are off.
"""

import sys
import time
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from digit_exp.data.sources import Mnist
from digit_exp.nn.models import MLP
from digit_exp.optim.optimizers import OPTIMIZERS
from digit_exp.training.trainer import Trainer
from measuring import machine, pin_to_one_core, table

NETWORKS = ([128, 64], [1024, 512])
STEPS, BATCH = 400, 32


def main() -> None:
    """Train with every optimizer in turns, and print microseconds a step."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    pin_to_one_core()
    train = Mnist().load().train
    train = train.select(np.arange(STEPS * BATCH))
    columns = []
    with threadpool_limits(1):
        for hidden in NETWORKS:
            columns.append(measure(train, hidden, rounds))
    rows = []
    for name in OPTIMIZERS.names():
        cells = []
        for seconds in columns:
            ratio = seconds[name] / seconds["sgd"]
            cells += [f"{1e6 * seconds[name] / STEPS:.0f}", f"{ratio:.2f} ×"]
        rows.append([name, *cells])
    header = ["optimizer"]
    for hidden in NETWORKS:
        header += [f"{hidden}, µs a step", "beside SGD"]
    print(table(header, rows))
    print(f"\n{machine()}")


def measure(train, hidden: list[int], rounds: int) -> dict[str, float]:
    """Return the median seconds of an epoch by optimizer."""
    trainers = {}
    for name in OPTIMIZERS.names():
        network = MLP(hidden=hidden).build(train.images[0].size, 10, seed=0)
        trainer = Trainer(network, OPTIMIZERS[name](), epochs=0, batch_size=BATCH)
        trainers[name] = trainer, trainer.init_state()
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for _ in range(rounds + 1):
        for name, (trainer, state) in trainers.items():
            trainer.epochs += 1
            started = time.perf_counter()
            trainer.fit(train, state=state)
            seconds[name].append(time.perf_counter() - started)
    return {name: median(values[1:]) for name, values in seconds.items()}


if __name__ == "__main__":
    main()
