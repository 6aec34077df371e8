"""How long `predict` takes for one image, in a process that has the network already.

python benchmarks/one_image.py [CALLS]
"""

import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from digit_exp.data.sources import Mnist
from digit_exp.nn.models import MLP
from measuring import machine, pin_to_one_core, table

NETWORKS = ([128, 64], [256, 128], [1024, 512])


def main() -> None:
    """Call once for each image, again and again, and print percentiles."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    pin_to_one_core()
    images = Mnist().load().test.images
    rows = []
    for hidden in NETWORKS:
        network = MLP(hidden=hidden).build(images[0].size, 10, seed=0)
        with threadpool_limits(1):
            times = [timed(network.predict, images[i % len(images)][None]) for i in range(calls)]
        microseconds = 1e6 * np.array(times[calls // 10 :])  # the first ones fill caches
        shares = [np.percentile(microseconds, q) for q in (50, 99, 99.9)]
        rows.append([str(hidden), *(f"{value:.0f}" for value in (*shares, microseconds.max()))])
    print(table(["network", "median / µs", "99 % / µs", "99.9 % / µs", "slowest / µs"], rows))
    print(f"\n{machine()}")


def timed(predict, image: np.ndarray) -> float:
    """Return the seconds of one call."""
    started = time.perf_counter()
    predict(image)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
