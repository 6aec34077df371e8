import numpy as np
import pytest

from digit_exp.optim.kernels import average_rule, move_towards


def test_the_average_moves_by_its_share_of_the_way_and_the_values_stay():
    average, values = np.array([0.0, 1.0, -2.0]), np.array([1.0, 1.0, 2.0])
    assert move_towards(average, values, 0.25) is None
    assert average.tolist() == [0.25, 1.0, -1.0]
    assert values.tolist() == [1.0, 1.0, 2.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_loop_gives_the_same_bits_as_the_rule_on_numpy_arrays(dtype):
    average, values = np.random.default_rng(0).normal(size=(2, 1003)).astype(dtype)
    (expected,) = average_rule(average, values, (dtype(0.001),))
    move_towards(average, values, 0.001)
    assert average.dtype == dtype
    assert average.tobytes() == expected.tobytes()


def test_the_average_of_a_weight_that_is_zero_ends_at_zero():
    average, values = np.full(20, 1e-37, np.float32), np.zeros(20, np.float32)
    for _ in range(30):
        move_towards(average, values, 0.1)
    assert not average.any()
