import math

import numpy as np
import pytest

from digit_exp.nn.activations import ACTIVATIONS
from digit_exp.nn.committee import Committee
from digit_exp.nn.convolution import (
    AvgPool2D,
    Conv2D,
    GlobalAvgPool2D,
    MaxPool2D,
    SpatialDropout,
)
from digit_exp.nn.initializers import Init
from digit_exp.nn.layers import BatchNorm, Dense, Dropout, Layer, Standardize
from digit_exp.nn.parameters import Parameters

ROWS, INPUTS = 6, 4
MAPS = {"height": 2, "width": 2, "channels": 1}
LAYERS = {
    "dense": (Dense, {"inputs": INPUTS, "units": 3}),
    "dense_without_bias": (Dense, {"inputs": INPUTS, "units": 3, "bias": False}),
    "batchnorm": (BatchNorm, {"units": INPUTS}),
    "dropout": (Dropout, {"rate": 0.4}),
    "standardize": (Standardize, {"mean": 0.13, "std": 0.31}),
    "conv2d": (Conv2D, {**MAPS, "filters": 3, "padding": 1}),
    "conv2d_without_bias": (Conv2D, {**MAPS, "filters": 2, "kernel_size": 1, "bias": False}),
    "maxpool2d": (MaxPool2D, MAPS),
    "avgpool2d": (AvgPool2D, MAPS),
    "globalavgpool2d": (GlobalAvgPool2D, MAPS),
    "spatialdropout": (SpatialDropout, {"rate": 0.4, "channels": 2}),
    "committee": (Committee, {"members": [[Dense(INPUTS, 3).spec()]] * 2}),
    **{name: (ACTIVATIONS[name], {}) for name in ACTIVATIONS.names()},
}


def made(name, dtype=np.float32):
    """Return a fresh layer and its initialised parameters."""
    cls, arguments = LAYERS[name]
    layer = cls(**arguments)
    parameters = Parameters({f"it.{slot}": at for slot, at in layer.slots().items()}, dtype)
    layer.bind("it", parameters)
    layer.initialize(np.random.default_rng(0))
    return layer, parameters


def inputs(dtype=np.float32, rows=ROWS):
    return np.random.default_rng(1).normal(size=(rows, INPUTS)).astype(dtype)


def generator():
    return np.random.default_rng(2)


every_layer = pytest.mark.parametrize("name", LAYERS)
in_both_modes = pytest.mark.parametrize("mode", ["training", "evaluation"])


def generator_of(mode):
    return generator() if mode == "training" else None


def test_the_table_has_every_kind_of_layer():
    assert {cls for cls, _ in LAYERS.values()} == set(Layer.kinds.values())


@every_layer
@in_both_modes
def test_output_and_input_gradient_have_the_shapes_that_were_announced(name, mode):
    layer, _ = made(name)
    y = layer.forward(inputs(), generator_of(mode))
    assert y.shape == (ROWS, math.prod(layer.output_shape((INPUTS,))))
    assert layer.backward(np.ones_like(y)).shape == (ROWS, INPUTS)


@every_layer
@in_both_modes
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept_in_both_directions(name, mode, dtype):
    layer, _ = made(name, dtype)
    y = layer.forward(inputs(dtype), generator_of(mode))
    assert y.dtype == layer.backward(np.ones_like(y)).dtype == dtype


@every_layer
def test_in_evaluation_a_batch_gives_what_its_rows_give_one_by_one(name):
    layer, _ = made(name, np.float64)
    x = inputs(np.float64)
    together = layer.forward(x.copy()).copy()
    alone = np.concatenate([layer.forward(x[i : i + 1].copy()).copy() for i in range(ROWS)])
    np.testing.assert_allclose(alone, together, rtol=1e-12)


@every_layer
def test_evaluation_is_deterministic(name):
    layer, _ = made(name)
    first = layer.forward(inputs()).copy()
    np.testing.assert_array_equal(layer.forward(inputs()), first)


@every_layer
def test_only_activations_overwrite_their_input(name):
    layer, _ = made(name)
    x = inputs()
    layer.forward(x, generator())
    assert np.array_equal(x, inputs()) == (name not in ACTIVATIONS.names())


@every_layer
def test_a_layer_is_made_again_from_its_spec(name):
    layer, _ = made(name)
    spec = layer.spec()
    arguments = {key: value for key, value in spec.items() if key != "kind"}
    again = Layer.kinds[spec["kind"]](**arguments)
    assert type(again) is type(layer)
    assert again.spec() == spec


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("relu", [-2.0, 0.0, 3.0], [0, 0, 3]),
        ("leaky_relu", [-2.0, 0.0, 3.0], [-0.02, 0, 3]),
        ("elu", [-2.0, 0.0, 3.0], [math.expm1(-2), 0, 3]),
        # x Φ(x), Φ(x) = (1 + erf(x/√2)) / 2
        ("gelu", [-2.0, 0.0, 1.0], [-1 - math.erf(-(2**0.5)), 0, (1 + math.erf(0.5**0.5)) / 2]),
        ("tanh", [-2.0, 0.0, 1.0], [math.tanh(-2), 0, math.tanh(1)]),
        ("sigmoid", [-2.0, 0.0, 1.0], [1 / (1 + math.e**2), 0.5, 1 / (1 + 1 / math.e)]),
    ],
)
def test_activation_has_the_values_of_its_equation(name, x, expected):
    y = ACTIVATIONS[name]().forward(np.array([x]))
    np.testing.assert_allclose(y, [expected], rtol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS.names())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activation_and_its_slope_are_finite_far_from_zero(name, dtype):
    layer = ACTIVATIONS[name]()
    y = layer.forward(np.array([[-1e4, 1e4]], dtype))
    assert np.isfinite(y).all()
    assert np.isfinite(layer.backward(np.ones_like(y))).all()


def test_dense_multiplies_by_its_weights_and_adds_its_bias():
    layer, parameters = made("dense")
    parameters.values[:] = np.arange(len(parameters))
    weights, bias = np.arange(12.0).reshape(INPUTS, 3), np.array([12.0, 13.0, 14.0])
    np.testing.assert_allclose(layer.forward(inputs()), inputs() @ weights + bias, rtol=1e-5)


def test_a_backward_pass_writes_gradients_and_does_not_add_them_up():
    layer, parameters = made("dense")
    dy = layer.forward(inputs()).copy()
    layer.backward(dy)
    once = parameters.grads.copy()
    layer.backward(dy)
    np.testing.assert_array_equal(parameters.grads, once)


def test_dense_takes_its_initializer_by_value_as_a_spec_holds_it():
    assert Dense(2, 3, "lecun_uniform").init is Init.lecun_uniform


def test_batch_norm_normalizes_by_the_statistics_of_the_batch():
    layer, _ = made("batchnorm", np.float64)
    layer.gamma[:], layer.beta[:] = 2.0, -1.0
    x = 3 * inputs(np.float64) + 7
    # Ioffe & Szegedy 2015, algorithm 1: the biased variance normalizes
    expected = 2 * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0, ddof=0) + layer.eps) - 1
    np.testing.assert_allclose(layer.forward(x, generator()), expected, rtol=1e-12)


def test_batch_norm_keeps_running_averages_with_the_unbiased_variance():
    layer, _ = made("batchnorm", np.float64)
    mean, var = np.zeros(INPUTS), np.ones(INPUTS)
    for shift in range(3):
        x = inputs(np.float64) + shift
        layer.forward(x, generator())
        mean = 0.9 * mean + 0.1 * x.mean(axis=0)
        var = 0.9 * var + 0.1 * x.var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, var, rtol=1e-12)


def test_batch_norm_evaluates_with_running_averages_and_leaves_them_alone():
    layer, _ = made("batchnorm", np.float64)
    layer.running_mean[:], layer.running_var[:] = 0.5, 4.0
    expected = (inputs(np.float64) - 0.5) / math.sqrt(4 + layer.eps)
    np.testing.assert_allclose(layer.forward(inputs(np.float64)), expected, rtol=1e-12)
    assert (layer.running_mean == 0.5).all()
    assert (layer.running_var == 4.0).all()


def test_batch_norm_survives_a_batch_of_one_row():
    layer, parameters = made("batchnorm")
    y = layer.forward(inputs(rows=1), generator())
    assert np.isfinite(layer.backward(np.ones_like(y))).all()
    assert np.isfinite(parameters.storage).all()


def test_dropout_silences_its_share_and_scales_the_rest():
    y = Dropout(0.25).forward(np.ones((200, 200), np.float32), generator())
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert y.mean() == pytest.approx(1, abs=0.01)


def test_dropout_sends_the_gradient_through_the_same_mask():
    layer, x = Dropout(0.5), np.ones((20, 20), np.float32)
    y = layer.forward(x, generator()).copy()
    np.testing.assert_array_equal(layer.backward(np.ones_like(x)), y)


def test_dropout_does_nothing_in_an_evaluation_that_follows_training():
    layer = Dropout(0.5)
    layer.forward(inputs(), generator())
    np.testing.assert_array_equal(layer.forward(inputs()), inputs())
    np.testing.assert_array_equal(layer.backward(inputs()), inputs())


def test_the_mask_of_float32_and_float64_is_the_same():
    layer = Dropout(0.5)
    single = layer.forward(np.ones((20, 20), np.float32), generator()).copy()
    np.testing.assert_array_equal(layer.forward(np.ones((20, 20)), generator()), single)


def test_standardize_subtracts_the_mean_and_divides_by_the_deviation():
    layer = Standardize(0.25, 0.5)
    np.testing.assert_allclose(layer.forward(np.array([[0.25, 0.75, 0.0]])), [[0, 1, -0.5]])


def test_the_same_array_is_used_again_for_a_smaller_batch():
    layer, _ = made("dense")
    whole = layer.forward(inputs())
    assert np.shares_memory(layer.forward(inputs()[:2]), whole)


@pytest.mark.parametrize(("rows", "dtype"), [(ROWS + 1, np.float32), (ROWS, np.float64)])
def test_a_larger_batch_or_another_type_gets_an_array_of_its_own(rows, dtype):
    layer, _ = made("standardize")
    layer.forward(inputs())
    y = layer.forward(inputs(dtype, rows))
    assert (y.shape, y.dtype) == ((rows, INPUTS), dtype)
