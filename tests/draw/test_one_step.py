"""One training step in stages: its arrays are those of the network, its code is in the source."""

import inspect
import re

import numpy as np
import pytest

from digit_exp.draw.one_step import Step
from digit_exp.nn.activations import ACTIVATIONS
from digit_exp.nn.builder import NetworkBuilder
from digit_exp.nn.layers import Dense
from digit_exp.nn.losses import cross_entropy
from digit_exp.nn.models import MLP
from digit_exp.optim.optimizers import SGD, Adam
from digit_exp.optim.regularizers import Regularizer
from digit_exp.rng import Rng

SHAPE, LABEL = (8, 8), 2
IMAGE = Rng(1)("image").integers(0, 256, SHAPE).astype(np.uint8)


def step(optimizer=None, **model):
    network = MLP(hidden=[40, 12], **model).build(SHAPE, 10, seed=4, dropout=0.3)
    regularizer = Regularizer(label_smoothing=0.1)
    return Step(network, SHAPE, optimizer or SGD(lr=0.05), regularizer)


def stages(made):
    return made.stages(IMAGE, LABEL, Rng(9)("dropout"))


def weight_gradient(found, name):
    pictures = named(found, "backward", name).pictures
    return next(p.values for p in pictures if p.equation == "∂W = xᵀ dy")


def named(found, phase, name):
    return next(s for s in found if (s.phase, s.name) == (phase, name))


def test_the_stages_go_through_all_layers_and_back():
    made = step()
    order = [(s.phase, s.name) for s in stages(made)]
    names = made.network.names
    assert order == [
        ("forward", "image"),
        *(("forward", name) for name in names),
        ("loss", "loss"),
        *(("backward", name) for name in reversed(names)),
        ("update", "update"),
    ]


def test_every_gradient_is_that_of_the_network():
    made = step()
    network = made.network
    logits = network.forward(IMAGE[None] / np.float32(255), Rng(9)("dropout"))
    loss = cross_entropy(logits, np.array([LABEL]), 0.1)
    network.backward(loss.gradient)
    grads = {n: network.parameters.grad(n).copy() for n in network.parameters.weight_names}
    network.parameters.grads[:] = np.nan  # what is shown must not come from here
    found = stages(made)
    assert f"{loss.mean:.4g}" in named(found, "loss", "loss").text
    for name in ("dense_2", "dense_3"):
        gradient = weight_gradient(found, name)[0]
        np.testing.assert_allclose(gradient, grads[f"{name}.weight"], rtol=1e-5)
    tiles = weight_gradient(found, "dense_1")
    largest = np.abs(grads["dense_1.weight"]).max(axis=0)
    assert all(np.isclose(np.abs(tile).max(), largest, rtol=1e-5).any() for tile in tiles)
    assert np.abs(tiles).max() == pytest.approx(largest.max(), rel=1e-5)


def test_the_network_of_the_run_stays_as_it_is():
    made = step(Adam(lr=0.01))
    before = made.network.parameters.storage.copy()
    stages(made)
    np.testing.assert_array_equal(made.network.parameters.storage, before)


def test_the_update_is_what_the_optimizer_does():
    found = stages(step(SGD(lr=0.05)))
    gradient = weight_gradient(found, "dense_3")
    change = named(found, "update", "update").pictures[-1].values
    np.testing.assert_allclose(change, -0.05 * gradient, atol=1e-7)


def test_code_is_that_of_the_layer_with_the_methods_and_kernels_it_calls():
    found = stages(step())
    code = "".join(c.text for c in named(found, "backward", "dense_2").code)
    assert inspect.getsource(Dense.parameter_gradients).strip() in code.replace("\n", "\n    ")
    assert "def relu_backward" in named(found, "backward", "relu_1").code[1].text
    assert all(s.code for s in found if s.name != "image")


@pytest.mark.parametrize("activation", ACTIVATIONS.names())
def test_every_layer_has_equations_for_both_ways(activation):
    builder = NetworkBuilder().input(*SHAPE).standardize(0.5, 0.2)
    builder.conv(3, 3, activation, batch_norm=True).max_pool(2).spatial_dropout(0.2)
    builder.conv(3, 2, activation).avg_pool(2).conv(4, 1).global_avg_pool()
    builder.dense(5, activation, batch_norm=True).dropout(0.2).dense(10)
    made = Step(builder.build(seed=1), SHAPE, SGD(), Regularizer())
    for stage in stages(made):
        if stage.phase in ("forward", "backward") and stage.name != "image":
            shown = [picture.equation for picture in stage.pictures]
            assert re.match(r"y.* = " if stage.phase == "forward" else "dx = ", shown[-1])
            assert all(" = " in equation for equation in shown if equation.startswith("∂"))
            assert stage.code


def test_batch_normalisation_keeps_its_averages_for_one_image():
    found = stages(step(batch_norm=True))
    assert np.isfinite(named(found, "backward", "dense_1").pictures[-1].values).all()
    assert np.nanmax(np.abs(named(found, "forward", "batchnorm_1").pictures[-1].values)) > 0
