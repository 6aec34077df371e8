"""Gradient descent on a surface with many valleys: an application of Hydra, and of nothing else."""

import math
import random

import hydra

import digit_exp


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
@digit_exp.job
def main(cfg):
    """Walk downhill with momentum, and return the lowest height on the way."""
    rng = random.Random(cfg.seed)
    x, speed, lowest = 2.5 + rng.gauss(0, 0.1), 0.0, math.inf
    for step in range(1, cfg.steps + 1):
        slope = 2 * x + 6 * math.sin(3 * x) + rng.gauss(0, 0.1)
        speed = cfg.walk.momentum * speed - cfg.walk.rate * slope
        x += speed
        lowest = min(lowest, x**2 + 2 - 2 * math.cos(3 * x))
        digit_exp.report({"height": lowest}, step)
    return lowest


if __name__ == "__main__":
    main()
