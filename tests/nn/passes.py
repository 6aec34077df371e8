"""A whole batch through one layer, there and back, as a network does it."""

import numpy as np

from digit_exp.parts import WHOLE


def forward(layer, x, rng=None):
    """Return the layer's output for `x`."""
    y = layer.begin(x, rng)
    layer.forward(slice(0, len(x)))
    return y


def backward(layer, dy):
    """Write the gradients of the layer's parameters; return that of its input."""
    dx = layer.begin_backward(dy)
    before = dy.copy()
    layer.backward(slice(0, len(dy)))
    if dx is not dy:
        np.testing.assert_array_equal(dy, before)  # the gradients of the parameters need it
    layer.parameter_gradients(WHOLE)
    return dx
