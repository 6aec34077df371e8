"""Layers of maps against PyTorch's numbers, and what the builder says of shapes that cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest

from digit_exp.nn.builder import NetworkBuilder
from digit_exp.nn.convolution import SpatialDropout
from digit_exp.nn.layers import Layer
from digit_exp.nn.models import CNN, Pool
from digit_exp.nn.network import Network
from digit_exp.nn.parameters import Parameters
from digit_exp.registry import ConfigError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/layers.json").read_text())


def layer_of(case):
    """Return the layer of a golden case, and its parameters in float64."""
    sizes = {"units": GOLDEN["maps"]["channels"]} if case["name"] == "batchnorm" else GOLDEN["maps"]
    layer = Layer.from_spec({"kind": case["name"], **sizes, **case["settings"]})
    parameters = Parameters({f"it.{k}": slot for k, slot in layer.slots().items()}, np.float64)
    layer.bind("it", parameters)
    layer.initialize(np.random.default_rng(0))
    for name in ("weight", "bias"):
        if name in case:
            parameters.value(f"it.{name}")[...] = case[name]
    return layer, parameters


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda c: f"{c['name']}-{c['settings']}")
def test_a_layer_has_the_numbers_of_pytorch(case):
    layer, parameters = layer_of(case)
    y = layer.forward(np.array(case["x"]), np.random.default_rng(0))
    np.testing.assert_allclose(y, case["y"], rtol=1e-9, atol=1e-11)
    dx = layer.backward(np.array(case["dy"]))
    np.testing.assert_allclose(dx, case["dx"], rtol=1e-9, atol=1e-11)
    for name in ("weight", "bias"):
        if name in case:
            expected = case[f"{name}_gradient"]
            np.testing.assert_allclose(parameters.grad(f"it.{name}"), expected, rtol=1e-9)


def test_spatial_dropout_zeroes_whole_maps_and_scales_the_rest():
    y = SpatialDropout(0.5, channels=8).forward(
        np.ones((40, 6 * 8), np.float32), np.random.default_rng(0)
    )
    maps = y.reshape(40, 6, 8)
    assert (maps == maps[:, :1]).all()
    assert set(np.unique(maps)) == {0, 2}
    assert 0.4 < (maps[:, 0] == 0).mean() < 0.6


def test_samples_do_not_depend_on_their_number():
    network = CNN(filters=[4, 5], hidden=[7]).build((9, 8), 3, seed=1)
    images = np.random.default_rng(0).random((50, 9, 8), np.float32)
    alone = np.concatenate([network.logits(image[None]) for image in images])
    np.testing.assert_allclose(network.logits(images), alone, rtol=1e-4, atol=1e-5)


def test_large_maps_go_through_in_smaller_batches():
    wide = NetworkBuilder().input(64, 64).conv(64, padding=1).global_avg_pool().dense(10).build()
    assert wide.prediction_batch * 64 * 64 * 64 * 4 <= 2**24
    narrow = NetworkBuilder().input(28, 28).dense(128, "relu").dense(10).build()
    assert narrow.prediction_batch > 16 * wide.prediction_batch


def test_the_products_of_a_convolution_are_counted_at_every_place():
    network = NetworkBuilder().input(9, 8).conv(4, 3, stride=2, padding=1).dense(10).build()
    assert network.multiply_adds == (5 * 4) * (3 * 3) * 4 + (5 * 4 * 4) * 10


def test_the_summary_shows_the_shape_of_maps():
    network = NetworkBuilder().input(28, 28).conv(16, 5, "relu").max_pool(2).dense(10).build()
    lines = network.summary().splitlines()
    assert any("Conv2D" in line and "24 × 24 × 16" in line and "416" in line for line in lines)
    assert any("MaxPool2D" in line and "12 × 12 × 16" in line for line in lines)


def test_with_strides_the_last_convolution_of_a_block_halves_its_maps():
    network = CNN(filters=[4, 6], depth=2, pool=Pool["stride"]).build((7, 12), 3, seed=1)
    maps = dict.fromkeys(shape for shape in network.shapes if len(shape) == 3)
    assert [*maps] == [(7, 12, 4), (4, 6, 4), (4, 6, 6), (2, 3, 6)]
    assert not {"maxpool2d", "avgpool2d"} & {layer.kind for layer in network.layers}


def test_a_network_with_maps_is_built_again_from_its_spec():
    network = CNN(batch_norm=True, depth=2, global_pool=True, map_dropout=0.1).build(
        (12, 12), 4, seed=3
    )
    twin = Network.from_spec(json.loads(json.dumps(network.spec())))
    twin.parameters.storage[:] = network.parameters.storage
    images = np.random.default_rng(0).random((5, 12, 12), np.float32)
    np.testing.assert_array_equal(twin.logits(images), network.logits(images))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda b: b.input(784).conv(4), r"height, width"),
        (lambda b: b.input(28, 28).dense(5).max_pool(2), "maps"),
        (lambda b: b.input(4, 4).conv(4, 5), "5 × 5.*4 × 4"),
        (lambda b: b.input(4, 4).conv(0), "at least 1"),
        (lambda b: b.input(4, 4).conv(2, padding=-1), "at least 0"),
        (lambda b: b.input(4, 4).avg_pool(2, stride=-1), "at least 1"),
    ],
)
def test_shapes_that_cannot_be_are_refused(build, said):
    with pytest.raises(ConfigError, match=said):
        build(NetworkBuilder())


def test_a_model_says_that_its_images_are_too_small_for_so_many_blocks():
    with pytest.raises(ConfigError, match=r"filters.*5 blocks.*after 4"):
        CNN(filters=[4] * 5).build((28, 28), 10, seed=1)


def test_an_even_kernel_is_refused():
    with pytest.raises(ConfigError, match="odd"):
        CNN(kernel_size=4)
