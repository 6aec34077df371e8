"""Whether late epochs take as long as early ones.

    python benchmarks/late_epochs.py [EPOCHS]

Averages of gradients that stay 0, such as those of pixels that are never set, decay until they are
subnormal, and many processors compute slowly with such numbers. [128, 64], Adam, batch size 32, on
one core: the median seconds of three early and of the three last epochs.
"""

import sys
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from digit_exp.data.sources import Mnist
from digit_exp.nn.models import MLP
from digit_exp.optim.optimizers import Adam
from digit_exp.training.trainer import Trainer
from measuring import machine, pin_to_one_core, table


def main() -> None:
    """Train, print a table, and how many numbers are subnormal at the end."""
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    pin_to_one_core()
    train = Mnist().load().train
    network = MLP().build(train.images[0].size, 10, seed=0)
    with threadpool_limits(1):
        state = Trainer(network, Adam(), epochs=epochs, batch_size=32).fit(train)
    seconds = [metrics["epoch_seconds"] for metrics in state.history]
    early, late = median(seconds[1:4]), median(seconds[-3:])
    print(
        table(
            ["epochs", "2 to 4", f"{epochs - 2} to {epochs}", "ratio"],
            [
                ["seconds", f"{early:.2f}", f"{late:.2f}", f"{late / early:.2f}"],
            ],
        )
    )
    smallest = np.finfo(np.float32).smallest_normal
    vectors = np.concatenate([network.parameters.values, *state.slots.values()])
    count = np.count_nonzero((vectors != 0) & (np.abs(vectors) < smallest))
    print(f"\n{count} subnormal numbers among parameters and averages\n{machine()}")


if __name__ == "__main__":
    main()
