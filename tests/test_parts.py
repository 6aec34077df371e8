from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digit_exp.parts import Part, smallest_part


@given(length=st.integers(0, 2000), count=st.integers(1, 9))
def test_every_place_is_in_one_part_whatever_the_sizes(length, count):
    places = [list(range(length))[Part(index, count).of(length)] for index in range(count)]
    assert list(chain(*places)) == list(range(length))
    assert min(map(len, places)) >= smallest_part(length, count)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_what_does_not_divide_is_the_first_ones(count):
    parts = [Part(index, count).or_all(7) for index in range(count)]
    assert [np.arange(7)[part].size for part in parts] == [7] + [0] * (count - 1)
