"""Augmentation in images a second on one core, beside SciPy and, where installed, other libraries.

    python benchmarks/augmentation.py [ROUNDS]

Everyone takes turns in every round; the tables are Markdown and hold medians of the rounds. Ours
does the shear of `full` on top of what SciPy's way does. The last table is what `full` costs while
a network is trained.
"""

import sys
import time
from collections.abc import Iterator
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from augmentation_peers import SCIPY, Job, one_by_one, peers
from digit_exp.data.augmentations import AUGMENTATIONS
from digit_exp.data.batches import batches
from digit_exp.data.dataset import Split
from digit_exp.data.sources import Mnist
from digit_exp.nn.models import MLP
from digit_exp.optim.optimizers import Adam
from digit_exp.training.trainer import Trainer
from measuring import machine, pin_to_one_core, table

BATCHES = (32, 128, 512)
IMAGES = 1536  # three batches of the largest size
FEW = 96  # enough for what takes a fraction of a millisecond an image

Speeds = dict[tuple[str, str], float]
"""Images a second by augmentation and by who or with which batch size."""


def main() -> None:
    """Measure everything in turns and print the tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    pin_to_one_core()
    train = Mnist().load().train
    with threadpool_limits(1):
        speeds = measure(dict(jobs()), train, rounds)
        costs = [in_training(train, batch, rounds) for batch in BATCHES]
    print(f"images / s:\n\n{beside_scipy(speeds)}")
    best = speeds["full", "128"]
    print(f"\n`full` at batch 128: {1e6 / best:.1f} µs an image\n\n{beside_all(speeds)}")
    header = ["[1024, 512], batch", "ms a step", "with `full`", "`full` takes"]
    print(f"\n{table(header, costs)}\n\n{machine()}")


def jobs() -> Iterator[tuple[tuple[str, str], tuple[Job, int, int]]]:
    """Yield what is measured: name and who, the work, its batch size and how many images."""
    rng = np.random.default_rng(0)
    for name in AUGMENTATIONS.names():
        if name not in SCIPY:
            continue
        change = AUGMENTATIONS[name]()
        for batch in BATCHES:
            yield (name, str(batch)), (lambda x, change=change: change(x, rng), batch, IMAGES)
        yield (name, "SciPy"), (one_by_one(SCIPY[name], rng), 32, FEW)
    for peer, job, batch in peers():
        yield ("full", peer), (job, batch, IMAGES if batch > 1 else FEW)


def measure(jobs: dict[tuple[str, str], tuple[Job, int, int]], train: Split, rounds: int) -> Speeds:
    """Return the median speed of every job; the first round warms up and does not count."""
    images = next(iter(batches(train, IMAGES)))[0].copy()
    speeds: dict[tuple[str, str], list[float]] = {key: [] for key in jobs}
    for _ in range(rounds + 1):
        for key, (job, batch, count) in jobs.items():
            copies = [images[i : i + batch].copy() for i in range(0, count, batch)]
            started = time.perf_counter()
            for copy in copies:
                job(copy)
            speeds[key].append(count / (time.perf_counter() - started))
    return {key: median(values[1:]) for key, values in speeds.items()}


def in_training(train: Split, batch: int, rounds: int) -> list[str]:
    """Return a row of the last table: training steps with and without `full`, in turns."""
    steps = 40
    some = train.select(np.arange(steps * batch))
    seconds: dict[str, list[float]] = {"none": [], "full": []}
    trainers = {}
    for name in seconds:
        network = MLP(hidden=[1024, 512]).build(train.images[0].size, 10, seed=0)
        change = AUGMENTATIONS[name]()
        trainer = Trainer(network, Adam(), augmentation=change, epochs=0, batch_size=batch)
        trainers[name] = trainer, trainer.init_state()
    for _ in range(rounds + 1):
        for name, (trainer, state) in trainers.items():
            trainer.epochs += 1
            started = time.perf_counter()
            trainer.fit(some, state=state)
            seconds[name].append(time.perf_counter() - started)
    plain, full = (median(values[1:]) / steps for values in seconds.values())
    return [f"{batch}", f"{1e3 * plain:.1f}", f"{1e3 * full:.1f}", f"{(full - plain) / full:.0%}"]


def beside_scipy(speeds: Speeds) -> str:
    """Return the table of every augmentation."""
    rows = []
    for name in SCIPY:
        fast, scipy = [speeds[name, str(batch)] for batch in BATCHES], speeds[name, "SciPy"]
        ratios = " ".join(f"{speed / scipy:.0f} ×" for speed in fast)
        rows.append([name, *(f"{speed:,.0f}" for speed in (*fast, scipy)), ratios])
    columns = [f"batch {batch}" for batch in BATCHES]
    return table(["augmentation", *columns, "SciPy", "ratio, batch 32 to 512"], rows)


def beside_all(speeds: Speeds) -> str:
    """Return the table of `full` at batch 128 beside everybody else's."""
    ours = speeds["full", "128"]
    others = {who: s for (name, who), s in speeds.items() if name == "full" and not who.isdigit()}
    rows = [[who, f"{s:,.0f}", f"{ours / s:.0f} × as fast"] for who, s in others.items()]
    return table(["`full`", "images / s", "ours is"], rows)


if __name__ == "__main__":
    main()
