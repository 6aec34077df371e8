"""Connected shapes: the same as SciPy finds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from digit_exp.vision.components import Box, Shapes, label

MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(MASKS)
def test_shapes_are_those_of_scipy(mask):
    numbers, count = ndimage.label(mask, np.ones((3, 3)))
    np.testing.assert_array_equal(label(mask), numbers - 1)
    shapes = Shapes.of(mask)
    assert len(shapes.area) == count
    for number, (rows, columns) in enumerate(ndimage.find_objects(numbers)):
        assert shapes.area[number] == (numbers == number + 1).sum()
        assert (shapes.top[number], shapes.bottom[number]) == (rows.start, rows.stop)
        assert (shapes.left[number], shapes.right[number]) == (columns.start, columns.stop)


def test_a_box_is_the_smallest_around_a_shape():
    mask = np.zeros((9, 9), bool)
    mask[2:4, 5:8] = True
    box = Box.of(mask)
    assert (box.top, box.bottom, box.left, box.right) == (2, 3, 5, 7)
    assert (box.height, box.width) == (2, 3)
    assert box.is_within(Box(2, 4, 4, 7))
    assert not Box(2, 4, 4, 7).is_within(box)
    large = np.zeros((27, 27), bool)
    large[box.surroundings(3)] = True
    assert np.argwhere(large).min(axis=0).tolist() == [0, 6]
    assert np.argwhere(large).max(axis=0).tolist() == [20, 26]
