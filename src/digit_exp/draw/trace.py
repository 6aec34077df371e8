"""Forward and backward passes that keep every array, and the gradient of the pixels.

Layers reuse their arrays and write over them; what is shown has to be copied between two layers.
"""

from __future__ import annotations

import numpy as np

from digit_exp.arrays import Array
from digit_exp.nn.layers import BatchNorm
from digit_exp.nn.losses import log_softmax
from digit_exp.nn.network import Network
from digit_exp.nn.prediction_averaging import SHIFTS, ShiftAveraging


def forward(network: Network, x: Array, rng: np.random.Generator | None = None) -> list[Array]:
    """Return copies of x, shape `(batch, inputs)`, and of the output of each layer.

    With a generator the pass is one of training, except that batch normalisation keeps its running
    averages: one image has no variance.
    """
    arrays, x = [x.copy()], x.copy()
    for layer in network.layers:
        x = layer.forward(x, None if isinstance(layer, BatchNorm) else rng)
        arrays.append(x.copy())
    return arrays


def backward(network: Network, dlogits: Array) -> list[Array]:
    """Return ∂loss/∂ each array of `forward`, in its order, and write those of the parameters."""
    gradients, dy = [dlogits.copy()], dlogits.copy()
    for layer in reversed(network.layers):
        dy = layer.backward(dy)
        gradients.append(dy.copy())
    return gradients[::-1]


def log_probability_gradients(
    network: Network, x: Array, target: int, temperature: float
) -> tuple[list[Array], list[Array]]:
    """Return the arrays of a pass and ∂ log p(target) / ∂ each of them, p as `predict` gives it.

    x has the shape `(1, inputs)`. All arrays have a row for each shift if the network averages
    over shifts; the gradient of the pixels is `pixel_gradient` of the first array.
    """
    averaging = network.shift_averaging
    arrays = forward(network, x if averaging is None else averaging.shifted(x))
    dlogits = _logit_gradient(arrays[-1], target, temperature)
    return arrays, backward(network, dlogits.astype(x.dtype))


def pixel_gradient(averaging: ShiftAveraging | None, dx: Array) -> Array:
    """Return the gradient of the image, `(inputs,)`, from those of its shifted copies."""
    total: Array
    if averaging is None:
        total = dx[0]
        return total
    by = averaging.pixels
    original, down, up, right, left = dx.reshape(SHIFTS, averaging.height, averaging.width)
    total = original.copy()
    total[:-by] += down[by:]
    total[by:] += up[:-by]
    total[:, :-by] += right[:, by:]
    total[:, by:] += left[:, :-by]
    return total.reshape(-1)


def _logit_gradient(logits: Array, target: int, temperature: float) -> Array:
    """Return ∂ log p(target) / ∂ logits, shape `(shifts, classes)`.

    p = softmax(L / T) with L = log mean pₛ and pₛ = softmax(zₛ) for the logits zₛ of each shift;
    so ∂L / ∂zₛ = rₛ (δ − pₛ) with the share rₛ = pₛ / Σ pₛ. Without shifts rₛ is 1.
    """
    log_p = log_softmax(logits)
    total = np.logaddexp.reduce(log_p, axis=0)
    gradient = -np.exp(log_softmax(total[None] / temperature)[0]) / temperature
    gradient[target] += 1 / temperature
    each = gradient * np.exp(log_p - total)
    dlogits: Array = each - np.exp(log_p) * each.sum(axis=1, keepdims=True)
    return dlogits
