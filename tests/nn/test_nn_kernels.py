"""Each kernel beside the NumPy expression in its docstring.

+ − × ÷ and comparisons give the same bits. exp and log come from another library than NumPy's:
each is within 1 ulp of the true value, and a probability or a loss has a few of them.
"""

import numpy as np
import pytest
from scipy.special import log_softmax

from digit_exp.data.batches import SCALE, gather
from digit_exp.nn.kernels import (
    drop,
    moments,
    normalize,
    normalize_backward,
    relu_backward,
    scale_gradients,
    softmax_cross_entropy,
    unfold,
)

every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def numbers(*shape, dtype):
    return np.random.default_rng(len(shape)).normal(size=shape).astype(dtype)


@every_dtype
def test_relu_backward(dtype):
    y, dy = numbers(9, 7, dtype=dtype), numbers(9, 7, dtype=dtype) + dtype(3)
    y[0] = 0
    expected = dy * (y > 0)
    relu_backward(y, dy)
    np.testing.assert_array_equal(dy, expected)


@every_dtype
def test_drop(dtype):
    x, out = numbers(9, 7, dtype=dtype), np.empty((9, 7), dtype)
    noise = np.random.default_rng(0).random((9, 7), np.float32)
    drop(x, noise, np.float32(0.3), dtype(1 / 0.7), out)
    np.testing.assert_array_equal(out, x * (noise >= np.float32(0.3)) * dtype(1 / 0.7))


@every_dtype
def test_moments(dtype):
    x = numbers(5000, 7, dtype=dtype) + dtype(100)
    mean, var = np.empty((2, 7), dtype)
    moments(x, mean, var)
    exact = x.astype(np.float64)
    ulp = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=ulp)
    np.testing.assert_allclose(var, exact.var(axis=0), rtol=max(ulp, 1e-13))


@every_dtype
def test_normalize_and_its_gradient(dtype):
    x, (a, b, c, d) = numbers(9, 7, dtype=dtype), numbers(4, 7, dtype=dtype)
    normalized, y = np.empty((2, 9, 7), dtype)
    normalize(x, a, b, c, d, normalized, y)
    np.testing.assert_array_equal(normalized, (x - a) * b)
    np.testing.assert_array_equal(y, c * normalized + d)
    dy = x.copy()
    normalize_backward(dy, normalized, a, b, c)
    np.testing.assert_array_equal(dy, (x - b - a * normalized) * c)


@every_dtype
def test_scale_gradients(dtype):
    dy, normalized = numbers(500, 7, dtype=dtype), numbers(500, 7, dtype=dtype)[::-1].copy()
    dgamma, dbeta = np.empty((2, 7), dtype)
    scale_gradients(dy, normalized, dgamma, dbeta)
    ulp = float(np.finfo(dtype).eps)
    products = dy.astype(np.float64) * normalized
    np.testing.assert_allclose(dgamma, products.sum(axis=0), rtol=16 * ulp, atol=16 * ulp)
    np.testing.assert_allclose(dbeta, dy.astype(np.float64).sum(axis=0), rtol=ulp, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
def test_unfold(stride):
    x, size = numbers(3, 6, 5, 2, dtype=np.float32), 3
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    expected = np.moveaxis(windows[:, ::stride, ::stride], 3, -1)  # channels last
    patches = np.empty((*expected.shape[:4], size * 2), np.float32)
    unfold(x, stride, patches)
    np.testing.assert_array_equal(patches, expected.reshape(patches.shape))


def test_gather():
    rng = np.random.default_rng(0)
    images, rows = rng.integers(0, 256, (20, 33), np.uint8), np.array([3, 19, 0, 3])
    out = np.empty((4, 33), np.float32)
    gather(images, rows, SCALE, out)
    np.testing.assert_array_equal(out, images[rows] * SCALE)


@pytest.mark.parametrize("row", [-1, 20, 2**40])
def test_gather_refuses_a_row_that_is_not_there(row):
    with pytest.raises(IndexError, match="row"):
        gather(np.zeros((20, 4), np.uint8), np.array([0, row]), SCALE, np.empty((2, 4), np.float32))


@every_dtype
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_cross_entropy(dtype, smoothing):
    logits, labels = 5 * numbers(40, 10, dtype=dtype), np.arange(40) % 10
    on, off, scale = dtype(1 - smoothing), dtype(smoothing / 10), dtype(1 / 40)
    logs = log_softmax(logits.astype(np.float64), axis=1)
    q = off + on * np.eye(10)[labels]
    hits = int((logits.argmax(axis=1) == labels).sum())
    loss, correct = softmax_cross_entropy(logits, labels, on, off, scale)
    ulp = float(np.finfo(dtype).eps)
    # a target is a sum of products with shifted logits of up to 30
    assert loss == pytest.approx(-(q * logs).sum(), rel=8 * ulp)
    np.testing.assert_allclose(logits, (np.exp(logs) - q) * scale, rtol=8 * ulp, atol=ulp * scale)
    assert correct == hits


def test_logits_that_are_not_finite_make_the_loss_nan():
    for bad in (np.nan, np.inf):
        for place in range(3):
            logits = np.zeros((1, 3), np.float32)
            logits[0, place] = bad
            of_type = np.float32
            loss, _ = softmax_cross_entropy(
                logits, np.array([1]), of_type(1), of_type(0), of_type(1)
            )
            assert np.isnan(loss)
