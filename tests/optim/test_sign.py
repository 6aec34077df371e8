import numpy as np
import pytest

from digit_exp.optim.sign import scaled_sign


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_is_the_size_times_the_sign(dtype):
    x = np.array([3.0, -3.0, 1e-15, -1e-15, 1e15, 0.0, -0.0, np.inf, -np.inf], dtype)
    result = scaled_sign(x, 0.25, out=np.empty_like(x))
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, 0.25 * np.sign(x))


def test_it_can_write_over_its_argument_and_shows_what_is_not_a_number():
    x = np.array([2.0, np.nan], np.float32)
    assert scaled_sign(x, 1.0, out=x) is x
    np.testing.assert_array_equal(x, np.array([1.0, np.nan], np.float32))
