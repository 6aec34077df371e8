"""How an epoch grows with the data and with the width, as a table and as a picture.

    python benchmarks/growth.py [--rounds 3] [--picture docs/pictures/growth.png]

One core, Adam, batch size 128. Data: [128, 64] on the training set once, three and ten times over.
Width: two hidden layers of equal width on the training set, beside the bare matrix products of the
same shapes. The first epoch warms up and does not count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.ticker import NullLocator
from threadpoolctl import threadpool_limits

from digit_exp.data.dataset import Split
from digit_exp.data.sources import Mnist
from digit_exp.nn.models import MLP
from digit_exp.optim.optimizers import Adam
from digit_exp.plots.parts.canvas import BLUE, MUTED, number_axis, panels, save, sheet, style_axes
from digit_exp.training.trainer import Trainer
from measuring import machine, pin_to_one_core, table
from peers import matrix_products

BATCH = 128
TIMES = (1, 3, 10)
WIDTHS = {64: 1, 128: 1, 256: 2, 512: 5, 1024: 15, 2048: 50}
"""Into how many parts the images are divided: wide networks train on one, and its time times that
is the time of an epoch."""


def main() -> None:
    """Measure, print the tables and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--picture", type=Path, default=Path("docs/pictures/growth.png"))
    chosen = parser.parse_args()
    pin_to_one_core()
    train = Mnist().load().train
    with threadpool_limits(1):
        data = {times: of_data(train, times, chosen.rounds) for times in TIMES}
        width = {n: of_width(train, n, share, chosen.rounds) for n, share in WIDTHS.items()}
    first = data[TIMES[0]]
    rows = [[f"{n * len(train):,}", f"{s:.2f}", f"{s / first / n:.2f}"] for n, s in data.items()]
    print(table(["images", "seconds an epoch", "beside proportional"], rows))
    rows = [
        [f"[{units}, {units}]", f"{epoch:.2f}", f"{products:.2f}", f"{epoch / products:.2f}"]
        for units, (epoch, products) in width.items()
    ]
    print("\n" + table(["network", "seconds an epoch", "matrix products", "ratio"], rows))
    print(f"\n{machine()}")
    draw(data, width, len(train), chosen.picture)


def of_data(train: Split, times: int, rounds: int) -> float:
    """Return the seconds of an epoch on the images `times` over, each copy in its own memory."""
    images, labels = np.tile(train.images, (times, 1, 1)), np.tile(train.labels, times)
    return timed(epoch(Split.of(images, labels), [128, 64]), rounds)


def of_width(train: Split, units: int, share: int, rounds: int) -> tuple[float, float]:
    """Return the seconds of an epoch, and of its matrix products, for two layers of `units`."""
    some = train.select(np.arange(len(train) // share))
    products = matrix_products(len(some), [train.images[0].size, units, units, 10], BATCH)
    whole = timed(epoch(some, [units, units]), rounds)
    return share * whole, share * timed(products, rounds)


def epoch(train: Split, hidden: list[int]) -> Callable[[], object]:
    """Return what trains one epoch more each time it is called."""
    network = MLP(hidden=hidden).build(train.images[0].size, 10, seed=0)
    trainer = Trainer(network, Adam(), epochs=0, batch_size=BATCH)
    state = trainer.init_state()

    def run() -> None:
        trainer.epochs += 1
        trainer.fit(train, state=state)

    return run


def timed(run: Callable[[], object], rounds: int) -> float:
    """Return the median of the seconds."""
    run()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def draw(
    data: dict[int, float], width: dict[int, tuple[float, float]], images: int, path: Path
) -> None:
    """Draw both, on logarithmic axes, in the look of the project's own figures."""
    note = f"seconds an epoch on one core, Adam, batch size {BATCH}; lower is better"
    figure = sheet(4.4, "How an epoch grows", note)
    left, right = panels(figure, 2, 2)
    seconds = list(data.values())
    counts = [times * images for times in data]
    left.plot(counts, seconds, "o-", color=BLUE, label="an epoch of [128, 64]")
    proportional = [seconds[0] * times for times in data]
    left.plot(counts, proportional, "--", color=MUTED, label="in proportion to the first")
    epochs, products = zip(*width.values(), strict=True)
    right.plot(list(width), epochs, "o-", color=BLUE, label="an epoch")
    right.plot(list(width), products, "--", color=MUTED, label="its matrix products alone")
    style_axes(left, "With the data", "training images", "seconds")
    style_axes(right, "With the width", "units in each of two hidden layers", "seconds")
    number_axis(left, seconds)
    number_axis(right, [*epochs, *products])
    for axes, ticks in ((left, counts), (right, list(width))):
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.legend(fontsize=9, loc="upper left", edgecolor="none", framealpha=1)
    save(figure, path)


if __name__ == "__main__":
    main()
