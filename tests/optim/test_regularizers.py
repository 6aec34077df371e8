from dataclasses import fields

import numpy as np
import pytest

from digit_exp.optim.regularizers import REGULARIZERS, Regularizer
from digit_exp.registry import ConfigError

every_regularizer = pytest.mark.parametrize("name", REGULARIZERS.names())


def weights_like(size=400, dtype=np.float64):
    """Weights of both signs, none of them near 0, where |w| has no derivative."""
    rng = np.random.default_rng(0)
    return (rng.uniform(0.1, 2.0, size) * rng.choice([-1, 1], size)).astype(dtype)


@pytest.mark.parametrize(
    "regularizer",
    [
        *(REGULARIZERS[name]() for name in REGULARIZERS.names()),
        Regularizer(l1=0.3),
        Regularizer(l2=0.7),
        Regularizer(l1=0.2, l2=0.5, max_norm=1.0),
    ],
    ids=str,
)
def test_the_gradient_is_the_derivative_of_the_penalty_in_any_direction(regularizer):
    weights = weights_like()
    direction = np.random.default_rng(1).normal(size=weights.size)
    grads = np.zeros_like(weights)
    regularizer.add_gradient(weights, grads)
    analytic = float(grads @ direction)
    h = 1e-5
    ahead = regularizer.penalty(weights + h * direction)
    behind = regularizer.penalty(weights - h * direction)
    assert analytic == pytest.approx((ahead - behind) / (2 * h), rel=1e-8, abs=1e-15)


def test_the_penalty_is_the_equation_worked_by_hand():
    weights = np.array([1.0, -2.0, 0.0, 0.5], np.float32)
    regularizer = Regularizer(l1=0.1, l2=0.01)
    grads = np.ones(4, np.float32)
    regularizer.add_gradient(weights, grads)
    assert regularizer.penalty(weights) == pytest.approx(0.1 * 3.5 + 0.01 * 5.25)
    expected = [1 + 0.1 + 0.02, 1 - 0.1 - 0.04, 1, 1 + 0.1 + 0.01]
    np.testing.assert_allclose(grads, expected, rtol=1e-6)


@every_regularizer
def test_float32_stays_float32_the_gradient_is_added_and_the_weights_are_left_alone(name):
    regularizer = REGULARIZERS[name](l1=0.1, l2=0.1)
    weights, grads = weights_like(dtype=np.float32), np.full(400, 5, np.float32)
    before = weights.copy()
    assert type(regularizer.penalty(weights)) is float
    assert regularizer.add_gradient(weights, grads) is None
    assert grads.dtype == np.float32
    np.testing.assert_allclose(grads, 5 + 0.1 * np.sign(before) + 0.2 * before, rtol=1e-6)
    np.testing.assert_array_equal(weights, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_loop_gives_the_same_bits_as_the_rule_on_numpy_arrays(dtype):
    weights, grads = np.random.default_rng(0).normal(size=(2, 1003)).astype(dtype)
    weights[::7] = 0
    constants = (dtype(0.3), dtype(0.02))
    (expected,) = Regularizer.rule(grads, weights, constants)
    Regularizer(l1=0.3, l2=0.01).add_gradient(weights, grads)
    assert grads.tobytes() == expected.tobytes()


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 300_001])
@pytest.mark.parametrize("name", ["l1", "l2", "elastic_net"])
def test_the_penalty_of_any_number_of_weights_is_exact_to_float32(name, size):
    regularizer = REGULARIZERS[name]()
    weights = np.random.default_rng(1).normal(size=size).astype(np.float32)
    exact = weights.astype(np.float64)
    expected = regularizer.l1 * np.abs(exact).sum() + regularizer.l2 * (exact**2).sum()
    assert regularizer.penalty(weights) == pytest.approx(expected, rel=3e-7)


class Untouchable:
    """Weights or gradients that nobody may so much as look at."""

    def __array__(self, *args, **kwargs):
        raise AssertionError("a strength of zero did some work")

    __iadd__ = __mul__ = __iter__ = __array__


@pytest.mark.parametrize("name", ["none", "dropout"])
def test_a_strength_of_zero_does_no_work(name):
    regularizer = REGULARIZERS[name]()
    assert not regularizer.has_penalty
    assert regularizer.penalty(Untouchable()) == 0.0
    regularizer.add_gradient(Untouchable(), Untouchable())
    regularizer.constrain(Untouchable())


def test_only_l1_and_l2_are_penalties():
    penalized = [name for name in REGULARIZERS.names() if REGULARIZERS[name]().has_penalty]
    assert penalized == ["l1", "l2", "elastic_net", "combined"]
    assert not Regularizer(dropout=0.5, label_smoothing=0.1, max_norm=1.0).has_penalty


def test_max_norm_shrinks_long_columns_to_the_limit_and_leaves_the_others_to_the_bit():
    long, short = np.array([3.0, 4.0]), np.array([0.3, -0.4])
    flat = np.column_stack([long, short, -long, 0 * long]).astype(np.float32).ravel()
    matrix = flat.reshape(2, 4)
    Regularizer(max_norm=2.0).constrain([matrix])
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=0), [2, 0.5, 2, 0], rtol=1e-6)
    np.testing.assert_allclose(matrix[:, 0], [1.2, 1.6], rtol=1e-6)
    np.testing.assert_array_equal(matrix[:, 1], short.astype(np.float32))
    assert np.shares_memory(flat, matrix)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_max_norm_gives_the_same_bits_as_numpy_row_by_row(dtype):
    matrix = np.random.default_rng(0).normal(size=(31, 19)).astype(dtype)
    squares = np.zeros(19, dtype)
    for row in matrix:
        squares += row * row
    expected = matrix * (dtype(5.5) / np.maximum(np.sqrt(squares), dtype(5.5)))
    Regularizer(max_norm=5.5).constrain([matrix])
    assert matrix.tobytes() == expected.tobytes()
    assert 0 < np.count_nonzero(np.sqrt(squares) > 5.5) < 19


def test_max_norm_looks_at_every_matrix_by_itself():
    matrices = [np.full((4, 2), 3.0), np.full((9, 1), 0.1)]
    Regularizer(max_norm=3.0).constrain(matrices)
    np.testing.assert_allclose(matrices[0], 1.5)
    np.testing.assert_array_equal(matrices[1], 0.1)


@every_regularizer
def test_every_choice_has_every_strength_and_refuses_wrong_ones(name):
    wrong = {"l1": -1.0, "l2": -1.0, "dropout": 1.0, "label_smoothing": 1.0, "max_norm": 0.0}
    assert {field.name for field in fields(REGULARIZERS[name])} == set(wrong)
    for field, value in wrong.items():
        with pytest.raises(ConfigError, match=field):
            REGULARIZERS[name](**{field: value})
