"""The loops of a training step where NumPy needs several passes over its arrays.

Each equals the NumPy expression in its docstring. `data/kernels.py` and the optimizers have others.
"""

import numpy as np
from numpy.typing import NDArray

from digit_exp.arrays import Array, Labels
from digit_exp.jit import kernel


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


@kernel
def moments(x: Array, mean: Array, var: Array) -> None:
    """Write the mean and the variance of each column:  `x.mean(axis=0)`, `x.var(axis=0)`.

    Summed in float64: a batch of maps has 100,000 rows.
    """
    sums, squares = np.zeros(mean.size), np.zeros(mean.size)
    for row in range(x.shape[0]):
        for k in range(sums.size):
            sums[k] += x[row, k]
    sums /= x.shape[0]
    for row in range(x.shape[0]):
        for k in range(sums.size):
            off = x[row, k] - sums[k]
            squares[k] += off * off
    for k in range(sums.size):
        mean[k], var[k] = sums[k], squares[k] / x.shape[0]


@kernel
def normalize(
    x: Array,
    mean: Array,
    inverse_std: Array,
    gamma: Array,
    beta: Array,
    normalized: Array,
    y: Array,
) -> None:
    """Write  `normalized = (x - mean) * inverse_std`  and  `y = gamma * normalized + beta`."""
    for row in range(x.shape[0]):
        for k in range(x.shape[1]):
            normalized[row, k] = (x[row, k] - mean[k]) * inverse_std[k]
            y[row, k] = gamma[k] * normalized[row, k] + beta[k]


@kernel
def scale_gradients(dy: Array, normalized: Array, dgamma: Array, dbeta: Array) -> None:
    """Write  `dgamma = (dy * normalized).sum(axis=0)`  and  `dbeta = dy.sum(axis=0)`."""
    products, sums = np.zeros(dgamma.size), np.zeros(dgamma.size)
    for row in range(dy.shape[0]):
        for k in range(sums.size):
            products[k] += dy[row, k] * normalized[row, k]
            sums[k] += dy[row, k]
    for k in range(sums.size):
        dgamma[k], dbeta[k] = products[k], sums[k]


@kernel
def normalize_backward(
    dy: Array, normalized: Array, along: Array, mean: Array, scale: Array
) -> None:
    """Turn dy into dx:  `dy = (dy - mean - along * normalized) * scale`."""
    for row in range(dy.shape[0]):
        for k in range(dy.shape[1]):
            dy[row, k] = (dy[row, k] - mean[k] - along[k] * normalized[row, k]) * scale[k]


@kernel
def unfold(x: Array, stride: int, patches: Array) -> None:
    """Copy the patches of images x `(n, height, width, channels)`, which are padded already.

    `patches[n, p, q, i]` is `x[n, s*p + i, s*q : s*q + size].reshape(-1)`, with the stride s.
    """
    samples, rows, columns, size, run = patches.shape
    step = stride * x.shape[3]
    for n in range(samples):
        for p in range(rows):
            for i in range(size):
                line = x[n, p * stride + i].reshape(-1)
                for q in range(columns):
                    patch, part = patches[n, p, q, i], line[q * step : q * step + run]
                    for k in range(run):
                        patch[k] = part[k]


@kernel
def fold(patches: Array, stride: int, x: Array) -> None:
    """Add patches where `unfold` takes them from.

    `x[n, s*p + i, s*q : s*q + size].reshape(-1)` grows by `patches[n, p, q, i]`.
    """
    samples, rows, columns, size, run = patches.shape
    step = stride * x.shape[3]
    for n in range(samples):
        for p in range(rows):
            for i in range(size):
                line = x[n, p * stride + i].reshape(-1)
                for q in range(columns):
                    patch, part = patches[n, p, q, i], line[q * step : q * step + run]
                    for k in range(run):
                        part[k] += patch[k]


@kernel
def max_pool(x: Array, size: int, stride: int, y: Array, chosen: NDArray[np.int32]) -> None:
    """Write the largest number of each window, and at which place of the map it stands.

    `y[n, p, q] = x[n, s*p : s*p + size, s*q : s*q + size].max(axis=(0, 1))`; the first of equals.
    """
    width, channels = x.shape[2], x.shape[3]
    for n in range(y.shape[0]):
        for p in range(y.shape[1]):
            for q in range(y.shape[2]):
                row, column = p * stride, q * stride
                best, place = y[n, p, q], chosen[n, p, q]
                best[:], place[:] = x[n, row, column], row * width + column
                for i in range(size):
                    for j in range(size):
                        other = x[n, row + i, column + j]
                        here = (row + i) * width + column + j
                        for k in range(channels):
                            larger = other[k] > best[k]
                            best[k] = other[k] if larger else best[k]
                            place[k] = here if larger else place[k]


@kernel
def max_pool_backward(dy: Array, chosen: NDArray[np.int32], dx: Array) -> None:
    """Give each gradient to the number that was the largest.

    `dx[n, chosen[n, p, q, k], k] += dy[n, p, q, k]`, with dx `(n, height * width, channels)`.
    """
    for n in range(dy.shape[0]):
        for p in range(dy.shape[1]):
            for q in range(dy.shape[2]):
                for k in range(dy.shape[3]):
                    dx[n, chosen[n, p, q, k], k] += dy[n, p, q, k]


@kernel
def average_pool(x: Array, size: int, stride: int, y: Array) -> None:
    """Write the mean of each window.

    `y[n, p, q] = x[n, s*p : s*p + size, s*q : s*q + size].mean(axis=(0, 1))`, with the stride s.
    """
    share = y.dtype.type(1) / y.dtype.type(size * size)
    for n in range(y.shape[0]):
        for p in range(y.shape[1]):
            for q in range(y.shape[2]):
                mean = y[n, p, q]
                mean[:] = y.dtype.type(0)
                for i in range(size):
                    for j in range(size):
                        other = x[n, p * stride + i, q * stride + j]
                        for k in range(mean.size):
                            mean[k] += other[k] * share


@kernel
def average_pool_backward(dy: Array, size: int, stride: int, dx: Array) -> None:
    """Spread each gradient over its window:  `dx[n, s*p + i, s*q + j] += dy[n, p, q] / size**2`."""
    share = dy.dtype.type(1) / dy.dtype.type(size * size)
    for n in range(dy.shape[0]):
        for p in range(dy.shape[1]):
            for q in range(dy.shape[2]):
                gradient = dy[n, p, q]
                for i in range(size):
                    for j in range(size):
                        other = dx[n, p * stride + i, q * stride + j]
                        for k in range(gradient.size):
                            other[k] += gradient[k] * share
