"""The loops of a training step where NumPy needs several passes over its arrays.

Each equals the NumPy expression in its docstring. `data/kernels.py` and the optimizers have others.
"""

import numpy as np

from digit_exp.arrays import Array, Labels
from digit_exp.kernels import kernel


@kernel
def relu_backward(y: Array, dy: Array) -> None:
    """Turn dy into dx for y = max(x, 0):  `dy *= y > 0`."""
    y, dy = y.reshape(-1), dy.reshape(-1)
    for i in range(y.size):
        dy[i] = dy[i] if y[i] > 0 else y.dtype.type(0)


@kernel
def drop(x: Array, noise: Array, rate: np.floating, scale: np.floating, out: Array) -> None:
    """Zero what has too little noise and scale the rest:  `out = x * (noise >= rate) * scale`."""
    x, noise, out = x.reshape(-1), noise.reshape(-1), out.reshape(-1)
    for i in range(x.size):
        out[i] = x[i] * scale if noise[i] >= rate else x.dtype.type(0)


@kernel
def softmax_cross_entropy(
    logits: Array, labels: Labels, on: np.floating, off: np.floating, scale: np.floating
) -> tuple[float, int]:
    """Return the sum of the losses and the number of hits; turn the logits z into `scale`·(p − q).

    `p = softmax(z)`, `q = off + on * onehot(labels)`, `loss = -(q * log(p)).sum()`: since q sums
    to 1, each row loses log Σ eᶻ − Σ q z, with z shifted by the row's maximum. Raises IndexError
    for a label that is not a class.
    """
    loss, correct = 0.0, 0
    for row in range(logits.shape[0]):
        z, label = logits[row], labels[row]
        if not 0 <= label < z.size:
            raise IndexError("a label is not one of the classes")
        top = z.argmax()
        largest, total, target = z[top], z[0] - z[0], z[0] - z[0]
        for k in range(z.size):
            z[k] -= largest
            target += off * z[k]
        target += on * z[label]
        for k in range(z.size):
            z[k] = np.exp(z[k])
            total += z[k]
        loss += np.log(total) - target
        correct += top == label
        for k in range(z.size):
            z[k] = (z[k] / total - off) * scale
        z[label] -= on * scale
    return loss, correct
