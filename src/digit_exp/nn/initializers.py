"""Weight initializers: variances that keep activations at one scale through the layers.

`fan_in` is how many inputs a unit has, and `fan_out` how many units an input has: the inputs and
units of a dense layer; of a convolution its kernel² · channels and kernel² · filters, as in PyTorch
and Keras. Biases start at zero.
"""

import math
from enum import Enum

import numpy as np

from digit_exp.arrays import Array


class Init(Enum):
    """The known initializers. `he`, `glorot` and `lecun` are short for their normal variants."""

    he_normal = "he_normal"
    he_uniform = "he_uniform"
    glorot_normal = "glorot_normal"
    glorot_uniform = "glorot_uniform"
    lecun_normal = "lecun_normal"
    lecun_uniform = "lecun_uniform"
    normal = "normal"
    uniform = "uniform"
    he = he_normal
    glorot = glorot_normal
    lecun = lecun_normal


def variance(init: Init, fan_in: int, fan_out: int) -> float:
    """Return the variance that `init` gives to a weight.

    He et al. 2015: 2 / fan_in. Glorot & Bengio 2010: 2 / (fan_in + fan_out). LeCun et al. 1998:
    1 / fan_in. Plain `normal` and `uniform`: standard deviation 0.05.
    """
    family = init.value.removesuffix("_normal").removesuffix("_uniform")
    return {
        "he": 2 / fan_in,
        "glorot": 2 / (fan_in + fan_out),
        "lecun": 1 / fan_in,
    }.get(family, 0.05**2)


def fill(weights: Array, init: Init, rng: np.random.Generator, uses: int = 1) -> None:
    """Write fresh values into `weights`, shape `(inputs, units)`.

    `uses` is how often a unit uses an input, each time with another weight.

    Drawn in float64 and rounded, so that a float32 and a float64 network start alike.
    """
    fan_in, fan_out = weights.shape
    std = math.sqrt(variance(init, fan_in, uses * fan_out))
    if init.value.endswith("uniform"):
        limit = std * math.sqrt(3)  # a uniform variable on [-a, a] has variance a²/3
        weights[...] = rng.uniform(-limit, limit, weights.shape)
    else:
        weights[...] = rng.normal(0.0, std, weights.shape)
