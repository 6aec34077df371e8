import json
import tracemalloc
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from digit_exp.optim.optimizers import OPTIMIZERS, Adam, Lion, NAdam, Optimizer, RMSprop
from digit_exp.registry import ConfigError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/optimizers.json").read_text())

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS.names())


def field_names(name):
    return {field.name for field in fields(OPTIMIZERS[name])}


def vectors(size, dtype=np.float32, seed=0):
    """Values and ten gradients, with a few elements that never have a gradient."""
    rng = np.random.default_rng(seed)
    grads = rng.normal(size=(10, size)).astype(dtype)
    grads[:, ::7] = 0
    return rng.normal(size=size).astype(dtype), grads


def run(optimizer, values, gradients, factors=None):
    """Return the values after each step; every element has weight decay."""
    values = values.copy()
    slots = optimizer.init(values.size, values.dtype)
    path = []
    for step, grads in enumerate(gradients, start=1):
        lr = optimizer.lr * (factors[step - 1] if factors else 1.0)
        optimizer.decay(values, lr)
        optimizer.update(values, grads.copy(), slots, lr, step)
        path.append(values.copy())
    return np.array(path)


def case_id(case):
    return f"{case['name']}-{'-'.join(map(str, case['settings'].values()))}"


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=case_id)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)], ids=["float64", "float32"]
)
def test_ten_steps_give_the_golden_numbers(case, dtype, tolerance):
    optimizer = OPTIMIZERS[case["name"]](**case["settings"])
    start, gradients = (np.array(GOLDEN[key], dtype) for key in ("start", "gradients"))
    path = run(optimizer, start, gradients, GOLDEN["lr_factors"])
    np.testing.assert_allclose(path, case["values"], rtol=tolerance, atol=tolerance)


def test_every_optimizer_has_golden_numbers_and_every_field_has_two_values():
    for name in OPTIMIZERS.names():
        settings = [case["settings"] for case in GOLDEN["cases"] if case["name"] == name]
        names = field_names(name) - {"clip_norm"}
        assert all(set(each) == names for each in settings), name
        assert all(len({each[field] for each in settings}) > 1 for field in names), name


@every_optimizer
def test_update_works_in_place_and_keeps_the_dtype(name):
    optimizer = OPTIMIZERS[name]()
    values, gradients = vectors(50)
    slots = optimizer.init(values.size, values.dtype)
    before, objects = values.copy(), dict(slots)
    for step in range(1, 11):
        assert optimizer.update(values, gradients[0].copy(), slots, optimizer.lr, step) is None
    np.testing.assert_array_equal(values < before, gradients[0] > 0)
    np.testing.assert_array_equal(values > before, gradients[0] < 0)
    assert values.dtype == np.float32
    assert all(slots[key] is vector for key, vector in objects.items())
    assert {vector.dtype for vector in slots.values()} <= {np.dtype(np.float32)}
    assert all(vector.shape == values.shape for vector in slots.values())


@every_optimizer
def test_without_a_gradient_nothing_moves(name):
    values, gradients = vectors(20)
    path = run(OPTIMIZERS[name](), values, np.zeros_like(gradients))
    if name != "adamw":
        np.testing.assert_array_equal(path[-1], values)
    else:
        np.testing.assert_allclose(path[-1], values * (1 - 0.001 * 0.01) ** 10, rtol=1e-6)


@every_optimizer
def test_a_learning_rate_of_zero_moves_nothing(name):
    values, gradients = vectors(20)
    path = run(OPTIMIZERS[name](lr=0.0), values, gradients)
    np.testing.assert_array_equal(path[-1], values)


@every_optimizer
def test_a_quadratic_is_descended(name):
    target = np.linspace(-1, 1, 20)
    optimizer = OPTIMIZERS[name](lr=0.05)
    values, slots = np.zeros(20), optimizer.init(20, np.dtype(float))
    for step in range(1, 501):
        optimizer.update(values, values - target, slots, optimizer.lr, step)
    assert np.abs(values - target).max() < 0.1


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_loop_gives_the_same_bits_as_the_rule_on_numpy_arrays(name, dtype):
    optimizer = OPTIMIZERS[name]()
    values, gradients = vectors(1003, dtype)
    slots = optimizer.init(values.size, values.dtype)
    expected = [values.copy(), *(slots[key].copy() for key in optimizer.slot_names)]
    for step, grads in enumerate(gradients, start=1):
        lr = optimizer.lr / step
        constants = tuple(map(dtype, optimizer.constants(lr, step)))
        expected = optimizer.rule(expected[0], grads, *expected[1:], constants)
        optimizer.update(values, grads, slots, lr, step)
        vectors_now = [values, *(slots[key] for key in optimizer.slot_names)]
        for actual, wanted in zip(vectors_now, expected, strict=True):
            assert actual.dtype == wanted.dtype == dtype
            assert actual.tobytes() == wanted.tobytes()


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_that_decays_is_ever_subnormal(name, dtype):
    optimizer = OPTIMIZERS[name]()
    smallest = np.finfo(dtype).smallest_normal
    values = np.zeros(20, dtype)
    slots = {key: np.full(20, 2 * smallest) for key in optimizer.init(20, values.dtype)}
    for step in range(1, 1000):
        optimizer.update(values, np.zeros(20, dtype), slots, optimizer.lr, step)
        for vector in [values, *slots.values()]:
            assert not ((vector != 0) & (np.abs(vector) < smallest)).any()
    assert all((slot == 0).all() for key, slot in slots.items() if key != "s")  # s never falls


def test_a_weight_that_shrinks_ends_at_zero():
    values = np.array([1e-30, -1e-30], np.float32)
    for step in range(1, 50):
        OPTIMIZERS["sgd"]().update(values, values.copy(), {}, 0.5, step)
    assert values.tolist() == [0, 0]


@every_optimizer
def test_a_gradient_that_is_not_a_number_shows_in_the_values(name):
    optimizer = OPTIMIZERS[name]()
    values, grads = np.zeros(20, np.float32), np.full(20, np.nan, np.float32)
    slots = optimizer.init(20, values.dtype)
    optimizer.update(values, grads, slots, optimizer.lr, 1)
    assert np.isnan(values).all()
    assert all(np.isnan(slot).all() for slot in slots.values())


@every_optimizer
def test_update_makes_no_vector_and_leaves_the_gradients_alone(name):
    optimizer = OPTIMIZERS[name]()
    values, gradients = vectors(100_000)
    before = gradients.copy()
    slots = optimizer.init(values.size, values.dtype)
    optimizer.update(values, gradients[0], slots, optimizer.lr, 1)
    tracemalloc.start()
    optimizer.update(values, gradients[1], slots, optimizer.lr, 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000
    np.testing.assert_array_equal(gradients, before)


def test_an_optimizer_of_ones_own_is_its_constants_and_its_rule():
    class Averaged(Optimizer):
        """v ← ½ (v + g);  θ ← θ − η v."""

        slot_names = ("v",)

        def constants(self, lr, step):
            return lr, 0.5

        @staticmethod
        def rule(theta, g, v, constants):
            eta, half = constants
            v = half * (v + g)
            return theta - eta * v, v

    path = run(Averaged(lr=1.0), np.zeros(2, np.float32), np.ones((2, 2), np.float32))
    assert path[:, 0].tolist() == [-0.5, -1.25]


def test_more_slots_than_a_loop_has_are_refused_with_the_way_out():
    class ThreeSlots(Optimizer):
        slot_names = ("a", "b", "c")

        def constants(self, lr, step):
            return (lr,)

        @staticmethod
        def rule(theta, g, a, b, c, constants):
            return theta, a, b, c

    with pytest.raises(ValueError, match="at most 2 slots, got 3"):
        run(ThreeSlots(), np.zeros(2, np.float32), np.ones((1, 2), np.float32))


@pytest.mark.parametrize("optimizer", [Adam(), NAdam(), RMSprop(), Lion()], ids=OPTIMIZERS.name_of)
def test_gradients_of_any_size_stay_within_float32(optimizer):
    scales = np.array([1e-18, 1e-12, 1e-3, 1.0, 1e6, 1e12], np.float32)
    path = run(optimizer, np.zeros(6, np.float32), np.tile(scales, (3000, 1)))
    assert np.isfinite(path[-1]).all()
    np.testing.assert_allclose(path[-1][-3:], path[-1][-1], rtol=1e-3)


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("momentum_decay", [0.0, 1e-12, 0.004, 10.0])
def test_nadam_knows_its_momentum_product_from_the_step_alone(beta1, momentum_decay):
    optimizer = NAdam(beta1=beta1, momentum_decay=momentum_decay)
    values, slots = np.zeros(1), optimizer.init(1, np.dtype(float))
    m = v = product = expected = 0.0
    for step in range(1, 1500):
        mu, following = (beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (step, step + 1))
        gradient = np.sin(step)
        m = beta1 * m + (1 - beta1) * gradient
        v = 0.999 * v + 0.001 * gradient**2
        product = product * mu if step > 1 else mu
        move = (1 - mu) / (1 - product) * gradient + following / (1 - product * following) * m
        expected -= 0.002 * move / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        optimizer.update(values, np.array([gradient]), slots, 0.002, step)
    assert values[0] == pytest.approx(expected, rel=1e-9)


def test_decoupled_decay_shrinks_the_weights_it_is_given_and_is_off_elsewhere():
    decayed = {}
    for name in OPTIMIZERS.names():
        settings = {"weight_decay": 0.5} if "weight_decay" in field_names(name) else {}
        weights = np.full(3, 2.0, np.float32)
        OPTIMIZERS[name](**settings).decay(weights, 0.1)
        decayed[name] = float(weights[0])
    shrunk = pytest.approx(1.9)
    assert decayed == {**dict.fromkeys(OPTIMIZERS.names(), 2.0), "adamw": shrunk, "lion": shrunk}


@every_optimizer
def test_values_out_of_range_are_refused(name):
    wrong = {
        "lr": -0.1,
        "clip_norm": 0.0,
        "momentum": 1.0,
        "alpha": 1.0,
        "beta1": 1.0,
        "beta2": -0.1,
        "eps": 0.0,
        "weight_decay": -1.0,
        "momentum_decay": -1.0,
        "initial_accumulator": -1.0,
    }
    for field in field_names(name):
        with pytest.raises(ConfigError, match=field):
            OPTIMIZERS[name](**{field: wrong[field]})
