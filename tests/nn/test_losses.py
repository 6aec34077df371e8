import math

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.special import softmax as scipy_softmax

from digit_exp.nn.losses import cross_entropy, softmax


def logits_and_labels(rows=8, classes=10, scale=3.0):
    rng = np.random.default_rng(0)
    return rng.normal(scale=scale, size=(rows, classes)), rng.integers(classes, size=rows)


def test_softmax_agrees_with_scipy():
    logits, _ = logits_and_labels()
    np.testing.assert_allclose(softmax(logits.copy()), scipy_softmax(logits, axis=1), rtol=1e-13)


def test_softmax_works_in_place():
    logits, _ = logits_and_labels()
    assert softmax(logits) is logits


def test_cross_entropy_agrees_with_the_log_softmax_of_scipy():
    logits, labels = logits_and_labels()
    expected = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean()
    assert cross_entropy(logits.copy(), labels).mean == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("smoothing", [0.05, 0.5])
def test_smoothed_cross_entropy_is_that_of_the_mixed_target(smoothing):
    logits, labels = logits_and_labels()
    target = (1 - smoothing) * np.eye(10)[labels] + smoothing / 10
    expected = -(target * log_softmax(logits, axis=1)).sum(axis=1).mean()
    assert cross_entropy(logits.copy(), labels, smoothing).mean == pytest.approx(
        expected, rel=1e-12
    )


def test_a_network_that_knows_nothing_loses_the_logarithm_of_the_number_of_classes():
    loss = cross_entropy(np.zeros((3, 10)), np.array([0, 4, 9])).mean
    assert loss == pytest.approx(math.log(10))


def test_the_gradient_is_probability_minus_target_over_the_batch():
    loss, _, gradient = cross_entropy(np.log([[1.0, 2.0, 1.0]] * 2), np.array([1, 2]))
    assert loss == pytest.approx((math.log(2) + math.log(4)) / 2)
    np.testing.assert_allclose(gradient, [[0.125, -0.25, 0.125], [0.125, 0.25, -0.375]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_each_row_of_the_gradient_sums_to_zero(smoothing):
    gradient = cross_entropy(*logits_and_labels(), smoothing).gradient
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_give_exact_losses(dtype):
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0]], dtype)
    loss, _, gradient = cross_entropy(logits, np.array([0, 0]))
    assert loss == 1e4  # 0 for the first row, 2e4 for the second
    np.testing.assert_array_equal(gradient, [[0, 0, 0], [-0.5, 0.5, 0]])


def test_softmax_of_huge_logits_is_finite():
    probabilities = softmax(np.array([[1e4, -1e4], [-1e4, -1e4]], np.float32))
    np.testing.assert_array_equal(probabilities, [[1, 0], [0.5, 0.5]])


def test_adding_a_constant_to_the_logits_changes_nothing():
    logits, labels = logits_and_labels()
    loss, _, gradient = cross_entropy(logits.copy(), labels)
    shifted_loss, _, shifted_gradient = cross_entropy(logits + 100, labels)
    assert shifted_loss == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(shifted_gradient, gradient, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_float32_logits_give_a_float32_gradient_and_a_python_float(smoothing):
    logits, labels = logits_and_labels()
    loss, _, gradient = cross_entropy(logits.astype(np.float32), labels, smoothing)
    assert type(loss) is float
    assert gradient.dtype == np.float32


def test_a_nan_in_the_logits_makes_the_loss_nan():
    assert math.isnan(cross_entropy(np.array([[np.nan, 0.0]]), np.array([1])).mean)


@pytest.mark.parametrize("label", [-1, 10, 2**40])
def test_a_label_that_is_no_class_is_an_error_and_not_another_number(label):
    logits, labels = logits_and_labels()
    labels[5] = label
    with pytest.raises(IndexError, match="label"):
        cross_entropy(logits, labels)


@pytest.mark.parametrize("shape", [(7,), (9,), (8, 1)])
def test_each_row_needs_one_label(shape):
    logits, _ = logits_and_labels()
    with pytest.raises(ValueError, match="8 labels"):
        cross_entropy(logits, np.zeros(shape, np.intp))
