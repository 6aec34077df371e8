"""Analytic directional derivatives against central differences, in float64.

Everything that is registered is looked up in its registry, so that nothing new can be left out.
"""

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
from digit_exp.nn.layers import BatchNorm, Dense, Dropout, Layer, Standardize
from digit_exp.nn.losses import cross_entropy
from digit_exp.nn.models import MLP, MODELS, Activation, PixelStatistics
from digit_exp.nn.network import Network
from digit_exp.nn.parameters import Parameters
from digit_exp.optim.regularizers import REGULARIZERS, Regularizer

STEP = 1e-6
TOLERANCE = 1e-6
ROWS, INPUTS, CLASSES = 7, 6, 4
MAPS = (5, 4, 2)  # height, width, channels

LAYERS = [
    Standardize(mean=0.3, std=0.7),
    Dense(INPUTS, 5),
    Dense(INPUTS, 5, bias=False),
    BatchNorm(INPUTS),
    Dropout(0.4),
    Committee(
        [
            [Dense(INPUTS, 4).spec(), ACTIVATIONS["tanh"]().spec(), Dense(4, 3).spec()],
            [BatchNorm(INPUTS).spec(), Dense(INPUTS, 3, bias=False).spec()],
        ]
    ),
    *[ACTIVATIONS[name]() for name in ACTIVATIONS.names()],
]
LAYERS_OF_MAPS = [
    Conv2D(*MAPS, filters=3),
    Conv2D(*MAPS, filters=3, kernel_size=2, stride=2, padding=1, bias=False),
    Conv2D(*MAPS, filters=3, kernel_size=1, stride=3),
    MaxPool2D(*MAPS),
    MaxPool2D(*MAPS, size=3, stride=1),
    AvgPool2D(*MAPS),
    AvgPool2D(*MAPS, size=3, stride=1),
    GlobalAvgPool2D(*MAPS),
    SpatialDropout(0.4, channels=2),
    BatchNorm(2),
]


def same_generator():
    """Return the generator of every evaluation: dropout's mask is then the same in each."""
    return np.random.default_rng(5)


def assert_derivative(function, point, gradient):
    """Compare ⟨gradient, u⟩ with (f(p + hu) − f(p − hu)) / 2h for three random directions u."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        direction = rng.normal(size=point.shape)
        ahead, behind = function(point + STEP * direction), function(point - STEP * direction)
        numeric = (ahead - behind) / (2 * STEP)
        analytic = float(np.sum(gradient * direction))
        error = abs(analytic - numeric) / max(abs(analytic), abs(numeric), 1e-12)
        assert error < TOLERANCE, f"analytic {analytic!r}, numeric {numeric!r}, error {error:.1e}"


def away_from_zero(*shape):
    """Return numbers of both signs at least 0.1 from 0, where ReLU and |w| have their kinks."""
    x = np.random.default_rng(1).normal(size=shape)
    return x + np.copysign(0.1, x)


def bound(layer):
    """Give the layer parameters in float64, unlike their initial values, and return them."""
    slots = {f"it.{name}": slot for name, slot in layer.slots().items()}
    parameters = Parameters(slots, np.float64)
    layer.bind("it", parameters)
    layer.initialize(np.random.default_rng(2))
    parameters.storage += np.random.default_rng(3).uniform(0.1, 0.5, len(parameters.storage))
    return parameters


def test_every_kind_of_layer_is_checked_here():
    assert {layer.kind for layer in LAYERS + LAYERS_OF_MAPS} == set(Layer.kinds)


@pytest.mark.parametrize("is_training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.kind)
def test_layer(layer, is_training):
    assert_layer_derivative(layer, (INPUTS,), is_training)


@pytest.mark.parametrize("is_training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("layer", LAYERS_OF_MAPS, ids=repr)
def test_layer_of_maps(layer, is_training, monkeypatch):
    monkeypatch.setattr("digit_exp.nn.convolution.PATCHES", 400)  # several blocks of images
    assert_layer_derivative(layer, MAPS, is_training)


def assert_layer_derivative(layer, shape, is_training):
    """Check the gradients of a layer's inputs and parameters, for samples of `shape`."""
    parameters, x = bound(layer), away_from_zero(ROWS, math.prod(shape))
    outputs = math.prod(layer.output_shape(shape))
    weighting = np.random.default_rng(4).normal(size=(ROWS, outputs))

    def of_input(x):
        y = layer.forward(x.copy(), same_generator() if is_training else None)
        return float(np.sum(weighting * y))

    def of_values(values):
        parameters.values[:] = values
        return of_input(x)

    of_input(x)
    dx = layer.backward(weighting.copy()).copy()
    assert_derivative(of_input, x, dx)
    assert_derivative(of_values, parameters.values.copy(), parameters.grads.copy())


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_cross_entropy(smoothing):
    logits, labels = away_from_zero(ROWS, CLASSES), np.arange(ROWS) % CLASSES
    gradient = cross_entropy(logits.copy(), labels, smoothing).gradient
    assert_derivative(lambda z: cross_entropy(z.copy(), labels, smoothing).mean, logits, gradient)


@pytest.mark.parametrize("name", REGULARIZERS.names())
def test_penalty(name):
    weights, gradient = away_from_zero(50), np.zeros(50)
    regularizer = REGULARIZERS[name]()
    regularizer.add_gradient(weights, gradient)
    assert_derivative(regularizer.penalty, weights, gradient)


def assert_network_derivative(network, regularizer):
    """Check the gradient of the whole objective: network, smoothed loss and penalty."""
    network = in_float64(network)
    parameters = network.parameters
    rng = np.random.default_rng(6)
    x, labels = rng.uniform(size=(ROWS, network.inputs)), rng.integers(CLASSES, size=ROWS)

    def objective(values):
        parameters.values[:] = values
        smoothing = regularizer.label_smoothing
        loss = cross_entropy(network.forward(x, same_generator()), labels, smoothing)
        network.backward(loss.gradient)
        return loss.mean + regularizer.penalty(parameters.weights)

    point = parameters.values + rng.uniform(-0.1, 0.1, len(parameters))  # no bias stays 0
    objective(point)
    regularizer.add_gradient(parameters.weights, parameters.weight_grads)
    assert_derivative(objective, point, parameters.grads.copy())


def in_float64(network):
    """Return the same network with the same parameters, in float64."""
    twin = Network.from_spec(network.spec(), np.float64)
    twin.parameters.storage[:] = network.parameters.storage
    return twin


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("name", MODELS.names())
def test_model(name, dropout):
    pixels = PixelStatistics(mean=0.13, std=0.31)
    network = MODELS[name]().build((6, 5), CLASSES, seed=1, dropout=dropout, standardize=pixels)
    assert_network_derivative(network, Regularizer())


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch_norm"])
@pytest.mark.parametrize("activation", Activation)
def test_mlp_with_everything_turned_on(activation, batch_norm):
    model = MLP(hidden=[9, 8], activation=activation, batch_norm=batch_norm)
    network = model.build(INPUTS, CLASSES, seed=1, dropout=0.3)
    assert_network_derivative(network, Regularizer(l1=0.01, l2=0.02, label_smoothing=0.1))


def test_every_activation_can_be_configured():
    assert [activation.value for activation in Activation] == ACTIVATIONS.names()
