import numpy as np
import pytest

from digit_exp.nn.activations import ReLU
from digit_exp.nn.builder import NetworkBuilder
from digit_exp.nn.layers import BatchNorm, Dense, Dropout, Standardize
from digit_exp.nn.models import MLP, MODELS, Linear, PixelStatistics
from digit_exp.nn.network import PREDICTION_BATCH, Network
from digit_exp.registry import ConfigError


def specified(seed=42):
    """Build the network of the specification, section 12."""
    return (
        NetworkBuilder()
        .input(784)
        .dense(128, activation="relu")
        .dense(64, activation="relu")
        .dense(10, activation="softmax")
        .build(seed)
    )


def small(**options):
    return (
        NetworkBuilder()
        .input(12)
        .standardize(0.2, 0.4)
        .dense(6, "tanh", batch_norm=True)
        .dropout(0.3)
        .dense(4, init="glorot")
        .build(**options)
    )


def images(count=5, pixels=12):
    return np.random.default_rng(0).integers(0, 256, (count, pixels), np.uint8)


def test_the_builder_of_the_specification_makes_109386_parameters():
    network = specified()
    assert len(network.parameters) == 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10 == 109_386
    assert (network.inputs, network.classes) == (784, 10)


def test_the_summary_shows_layers_shapes_and_counts():
    assert specified().summary().splitlines() == [
        "layer          kind           output   parameters",
        "─────────────────────────────────────────────────",
        "input                          (784)            0",
        "dense_1        Dense           (128)      100,480",
        "relu_1         ReLU            (128)            0",
        "dense_2        Dense            (64)        8,256",
        "relu_2         ReLU             (64)            0",
        "dense_3        Dense            (10)          650",
        "─────────────────────────────────────────────────",
        "total                                     109,386",
    ]


def test_the_summary_counts_what_is_trained_and_no_running_averages():
    batch_norm = next(line for line in small().summary().splitlines() if "BatchNorm" in line)
    assert batch_norm.split()[-1] == "12"


def test_a_layer_with_batch_norm_has_no_bias():
    dense = small().layers[1]
    assert isinstance(dense, Dense)
    assert not dense.bias


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    weights = specified(1).parameters.weights
    np.testing.assert_array_equal(specified(1).parameters.weights, weights)
    assert not np.array_equal(specified(2).parameters.weights, weights)


def test_biases_start_at_zero_and_weights_do_not():
    parameters = specified().parameters
    assert not parameters.values[len(parameters.weights) :].any()
    assert parameters.weights.all()


def test_a_builder_can_build_two_networks_that_share_nothing():
    builder = NetworkBuilder().input(12).dense(4)
    first = builder.build(seed=1)
    before = first.predict_proba(images())
    second = builder.build(seed=2)
    second.parameters.values[:] = 7
    np.testing.assert_array_equal(first.predict_proba(images()), before)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: NetworkBuilder().input(4).dense(3, "rellu"),
            "activation: unknown activation 'rellu'. Did you mean 'relu'? Known: relu, leaky_relu,"
            " elu, gelu, tanh, sigmoid, softmax",
        ),
        (
            lambda: NetworkBuilder().input(4).dense(3, init="hee"),
            "init: unknown init 'hee'. Did you mean 'he'? Known: he_normal",
        ),
        (
            lambda: NetworkBuilder().input(4).dense(3, "softmax").dense(2),
            "activation: 'softmax' is for the last layer only",
        ),
        (
            lambda: NetworkBuilder().input(4).dense(3, "softmax").dropout(0.5),
            "activation: 'softmax' is for the last layer only",
        ),
        (lambda: NetworkBuilder().dense(3), "say input(size) before the first layer"),
        (lambda: NetworkBuilder().input(4).build(), "a network needs at least one dense layer"),
        (lambda: NetworkBuilder().input(0), "size: must be at least 1, got 0"),
        (lambda: NetworkBuilder().input(4).dense(-2), "units: must be at least 1, got -2"),
        (lambda: NetworkBuilder().input(4).dropout(1.0), "rate: must be in [0, 1), got 1.0"),
    ],
)
def test_the_builder_refuses_with_a_sentence(build, message):
    with pytest.raises(ConfigError) as error:
        build()
    assert message in str(error.value)


def test_dropout_of_zero_adds_no_layer():
    assert len(NetworkBuilder().input(4).dropout(0.0).dense(3).build().layers) == 1


@pytest.mark.parametrize("name", ["he", "glorot", "lecun", "he_uniform", "normal"])
def test_the_builder_takes_initializers_by_name(name):
    assert NetworkBuilder().input(4).dense(3, init=name).build().parameters.weights.any()


def test_probabilities_are_positive_and_sum_to_one():
    probabilities = small().predict_proba(images())
    assert probabilities.shape == (5, 4)
    assert probabilities.dtype == np.float32
    assert (probabilities > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_bytes_and_pixels_between_0_and_1_give_the_same_prediction():
    network = small()
    from_bytes = network.predict_proba(images())
    for dtype in (np.float32, np.float64):
        from_pixels = network.predict_proba(images().astype(dtype) / 255)
        np.testing.assert_allclose(from_pixels, from_bytes, rtol=1e-5)


def test_images_may_be_flat_or_not():
    network = small()
    shaped = network.predict_proba(images().reshape(5, 3, 4))
    np.testing.assert_array_equal(shaped, network.predict_proba(images()))


def test_prediction_leaves_the_images_alone():
    pixels = images().astype(np.float32) / 255
    kept = pixels.copy()
    Network.predict_proba(MLP(hidden=[3]).build(12, 4, seed=1), pixels)
    np.testing.assert_array_equal(pixels, kept)


def test_a_set_larger_than_the_prediction_batch_is_predicted_row_by_row_alike():
    network, many = small(), images(PREDICTION_BATCH + 3)
    probabilities = network.predict_proba(many)
    last = network.predict_proba(many[-3:])
    np.testing.assert_allclose(probabilities[-3:], last, rtol=1e-5)


def test_no_images_give_no_predictions():
    assert small().predict_proba(images(0)).shape == (0, 4)
    assert small().predict(images(0)).shape == (0,)


def test_predict_returns_the_most_probable_class():
    network = small()
    expected = network.predict_proba(images()).argmax(axis=1)
    np.testing.assert_array_equal(network.predict(images()), expected)


def test_images_of_another_size_are_refused_with_both_sizes():
    with pytest.raises(ValueError, match=r"images of 784 pixels, got shape \(14, 14\) with 196"):
        specified().predict_proba(np.zeros((2, 14, 14), np.uint8))


@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_whole_numbers_of_unknown_range_are_refused(dtype):
    with pytest.raises(ValueError, match="must be uint8, or floats in"):
        small().predict_proba(images().astype(dtype))


def test_a_network_is_built_again_from_its_spec():
    network = small()
    again = Network.from_spec(network.spec())
    again.parameters.storage[:] = network.parameters.storage
    assert again.spec() == network.spec()
    assert again.summary() == network.summary()
    np.testing.assert_array_equal(again.predict_proba(images()), network.predict_proba(images()))


def test_a_spec_is_made_of_plain_values():
    entries = small().spec()["layers"]
    assert {type(value) for entry in entries for value in entry.values()} <= {
        str,
        int,
        float,
        bool,
    }


@pytest.mark.parametrize("name", MODELS.names())
def test_every_registered_model_is_built_again_from_its_spec(name):
    network = MODELS[name]().build((6, 4), 4, seed=3, dropout=0.2)
    assert Network.from_spec(network.spec()).spec() == network.spec()
    assert (network.inputs, network.classes) == (24, 4)


def test_the_default_mlp_is_the_network_of_the_specification():
    built = MLP().build(784, 10, seed=42)
    assert built.spec() == specified().spec()
    np.testing.assert_array_equal(built.parameters.storage, specified().parameters.storage)


def test_the_linear_model_is_one_dense_layer():
    assert [type(layer) for layer in Linear().build(12, 4, seed=0).layers] == [Dense]


def test_an_mlp_orders_its_layers_as_pixels_dense_norm_activation_dropout():
    network = MLP(hidden=[6], batch_norm=True).build(
        12, 4, seed=0, dropout=0.5, standardize=PixelStatistics(mean=0.1, std=0.3)
    )
    kinds = [type(layer) for layer in network.layers]
    assert kinds == [Standardize, Dense, BatchNorm, ReLU, Dropout, Dense]


def test_dropout_and_standardization_do_not_change_the_initial_weights():
    plain = MLP(hidden=[6]).build(12, 4, seed=0)
    pixels = PixelStatistics(mean=0.1, std=0.3)
    other = MLP(hidden=[6]).build(12, 4, seed=0, dropout=0.5, standardize=pixels)
    np.testing.assert_array_equal(other.parameters.storage, plain.parameters.storage)


def test_a_hidden_layer_without_units_is_refused():
    with pytest.raises(ConfigError, match="hidden: must be at least 1, got 0"):
        MLP(hidden=[128, 0])


def test_every_view_of_a_layer_is_a_part_of_the_flat_vectors():
    network = small()
    for layer in network.layers:
        for name, view in vars(layer).items():
            if name in ("w", "b", "gamma", "beta", "running_mean", "running_var"):
                assert np.shares_memory(view, network.parameters.storage), name
            if name in ("dw", "db", "dgamma", "dbeta"):
                assert np.shares_memory(view, network.parameters.grads), name


def test_backward_writes_every_gradient():
    network = small()
    network.parameters.grads[:] = np.nan
    logits = network.forward(images().astype(np.float32), np.random.default_rng(0))
    network.backward(np.ones_like(logits))
    assert np.isfinite(network.parameters.grads).all()


def test_a_training_pass_is_random_and_an_evaluation_is_not():
    network, x = small(), images().astype(np.float32)
    first = network.forward(x, np.random.default_rng(0)).copy()
    assert not np.array_equal(network.forward(x, np.random.default_rng(1)), first)
    first = network.forward(x).copy()
    np.testing.assert_array_equal(network.forward(x), first)


def test_every_array_of_a_float32_network_is_float32():
    network = small()
    logits = network.forward(images().astype(np.float32), np.random.default_rng(0))
    network.backward(logits)
    kept = [value for layer in network.layers for value in vars(layer).values()]
    assert {array.dtype for array in kept if isinstance(array, np.ndarray)} == {np.dtype("f4")}
