"""What explains a probability: held to difference quotients and to the network itself."""

import numpy as np
import pytest

from digit_exp.draw.explain import explain
from digit_exp.nn.activations import ACTIVATIONS
from digit_exp.nn.builder import NetworkBuilder
from digit_exp.nn.losses import log_softmax
from digit_exp.rng import Rng
from digit_exp.runs.saved.predict import Predictor

SHAPE, TEMPERATURE, TARGET = (6, 5), 1.7, 3
RANDOM = Rng(3)("images")
SEEN = RANDOM.integers(0, 256, SHAPE).astype(np.uint8)


def network(activation="tanh", *, shifts=0, batch_norm=False, standardize=False, hidden=(7, 9)):
    builder = NetworkBuilder().input(*SHAPE).shift_averaging(shifts)
    if standardize:
        builder.standardize(0.4, 0.3)
    for units in hidden:
        builder.dense(units, activation, batch_norm=batch_norm).dropout(0.5)
    made = builder.dense(4).build(seed=1, dtype=np.float64)
    for name, values in made.parameters.arrays().items():  # no unit, no average is at its start
        if not name.endswith("weight"):
            values += np.abs(Rng(5)(name).normal(size=values.shape))
    return made


def convolutional(pool, *, shifts=0, batch_norm=False):
    builder = NetworkBuilder().input(*SHAPE).shift_averaging(shifts)
    builder.conv(4, 3, "tanh", padding=1, batch_norm=batch_norm)
    getattr(builder, pool)(2).spatial_dropout(0.3).conv(5, 2, "tanh").global_avg_pool()
    return builder.dense(4).build(seed=1, dtype=np.float64)


@pytest.mark.parametrize("pool", ["max_pool", "avg_pool"])
@pytest.mark.parametrize("shifts", [0, 1])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_convolutional_networks_have_gradients_maps_and_filters(pool, shifts, batch_norm):
    net = convolutional(pool, shifts=shifts, batch_norm=batch_norm)
    found = explain(predictor(net, TEMPERATURE), SEEN, TARGET)
    np.testing.assert_allclose(found.gradient, difference_quotients(net), rtol=1e-5, atol=1e-8)
    assert [layer.values.shape for layer in found.hidden] == [(4, 3, 2), (5,)]
    assert {unit.weights.shape for unit in found.units} == {(3, 3)}
    assert sorted(unit.number for unit in found.units) == [0, 1, 2, 3]


def predictor(net, temperature=None):
    return Predictor(net, SHAPE, temperature, [str(k) for k in range(net.classes)], "characters")


def log_probability(net, x):
    return log_softmax(net.logits(x[None]) / TEMPERATURE)[0, TARGET]


@pytest.mark.parametrize("activation", ACTIVATIONS.names())
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shifts": 1},
        {"shifts": 2, "standardize": True, "batch_norm": True},
        {"hidden": ()},
        {"hidden": (), "shifts": 1},
    ],
    ids=str,
)
def test_the_gradient_of_the_pixels_is_the_difference_quotient(activation, options):
    net = network(activation, **options)
    found = explain(predictor(net, TEMPERATURE), SEEN, TARGET).gradient
    np.testing.assert_allclose(found, difference_quotients(net), rtol=1e-5, atol=1e-8)


def difference_quotients(net):
    x, step = SEEN / 255, 1e-6
    quotients = np.empty(SHAPE)
    for place in np.ndindex(SHAPE):
        there = np.zeros(SHAPE)
        there[place] = step
        quotients[place] = log_probability(net, x + there) - log_probability(net, x - there)
    return quotients / (2 * step)


def test_activations_are_what_the_next_layer_reads():
    net = network("relu")
    shown = explain(predictor(net), SEEN, 0).hidden
    assert [layer.name for layer in shown] == ["relu_1", "relu_2"]
    first, last = shown
    x = SEEN.reshape(-1) / 255
    value = net.parameters.value
    hidden = np.maximum(x @ value("dense_1.weight") + value("dense_1.bias"), 0)
    np.testing.assert_allclose(first.values, hidden)
    logits = last.values @ value("dense_3.weight") + value("dense_3.bias")
    np.testing.assert_allclose(logits, net.logits(SEEN[None])[0])


def test_units_are_ranked_by_their_part_in_the_log_probability():
    net = network("relu")
    units = explain(predictor(net), SEEN, TARGET).units
    sizes = [abs(unit.share) for unit in units]
    assert sizes == sorted(sizes, reverse=True)
    weights = net.parameters.value("dense_1.weight")
    for unit in units:
        np.testing.assert_array_equal(unit.weights.reshape(-1), weights[:, unit.number])
    without = explain(predictor(_silenced(net, units[0].number)), SEEN, TARGET).units
    assert units[0].number not in [unit.number for unit in without if unit.share]


def _silenced(net, unit):
    """Return the network without what a unit of the first layer sends."""
    net.parameters.value("dense_2.weight")[unit] = 0
    return net


def test_weights_are_shown_with_the_sign_that_batch_normalisation_gives_them():
    net = network("relu", batch_norm=True)
    net.parameters.value("batchnorm_1.gamma")[:] *= -1
    plain = net.parameters.value("dense_1.weight")
    for unit in explain(predictor(net), SEEN, TARGET).units:
        assert (np.sign(unit.weights.reshape(-1)) == -np.sign(plain[:, unit.number])).all()
