"""The kernels beside the expressions of NumPy and `scipy.ndimage` that they equal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from digit_exp.data.kernels import add_noise, affine, look_up, warp

SHAPES = [(28, 28), (9, 14), (20, 7), (1, 1)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)

STAY = np.array([[1, 0, 0], [0, 1, 0]], np.float32)


def some_images(count=6, shape=(28, 28), dtype=np.float32):
    return np.random.default_rng(0).random((count, *shape)).astype(dtype)


def transforms(count, shape, *, rotation=0.0, shear=0.0, scale=1.0, shift=(0.0, 0.0)):
    """Return the coordinate transforms of some motions, which may differ by image."""
    motions = np.empty((5, count), np.float32)
    for row, values in zip(motions, (rotation, shear, scale, *shift), strict=True):
        row[:] = values
    out = np.empty((count, 2, 3), np.float32)
    affine(motions, *shape, out)
    return out


def warped(images, transforms, elastic=None, fields=None):
    result = images.copy()
    if elastic is None:
        elastic = np.zeros(len(images), bool)
        fields = np.empty((0, 2, *images.shape[1:]), np.float32)
    warp(result, transforms, elastic, fields)
    return result


def moved(images, **motions):
    return warped(images, transforms(len(images), images.shape[1:], **motions))


def looked_up(image, coordinates):
    return ndimage.map_coordinates(image, coordinates, order=1, mode="grid-constant")


def at(images, coordinates):
    """Return the values of images at any coordinates, by way of fields of displacements."""
    fields = np.empty((len(images), 2, *images.shape[1:]), np.float32)
    fields[:] = coordinates - np.indices(images.shape[1:])
    return warped(images, np.tile(STAY, (len(images), 1, 1)), np.ones(len(images), bool), fields)


@every_shape
def test_values_between_beyond_and_far_from_pixels_are_those_of_scipy(shape):
    images = some_images(shape=shape)
    rng = np.random.default_rng(1)
    coordinates = rng.uniform(-4, 4 + max(shape), (6, 2, *shape)).astype(np.float32)
    coordinates[0] *= 1000
    expected = [looked_up(*pair) for pair in zip(images, coordinates, strict=True)]
    np.testing.assert_allclose(at(images, coordinates), expected, atol=1e-5)


@pytest.mark.parametrize("nowhere", [np.nan, np.inf, -np.inf, 3e38])
def test_a_coordinate_that_is_not_finite_is_outside_the_image(nowhere):
    coordinates = np.full((6, 2, 28, 28), nowhere)
    np.testing.assert_array_equal(at(1 + some_images(), coordinates), 0)


@pytest.mark.parametrize("angle", [-90.0, -15.0, 0.0, 7.3, 180.0])
@every_shape
def test_a_rotation_is_that_of_scipy(shape, angle):
    images = some_images(shape=shape)
    expected = [
        ndimage.rotate(image, angle, reshape=False, order=1, mode="grid-constant")
        for image in images
    ]
    np.testing.assert_allclose(moved(images, rotation=angle), expected, atol=2e-5)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (2.0, -1.0), (-0.25, 1.75), (40.0, 0.0)])
@every_shape
def test_a_shift_is_that_of_scipy(shape, shift):
    images = some_images(shape=shape)
    expected = [ndimage.shift(image, shift, order=1, mode="grid-constant") for image in images]
    np.testing.assert_allclose(moved(images, shift=shift), expected, atol=1e-5)


@pytest.mark.parametrize("scale", [0.5, 0.9, 1.0, 1.1, 3.0])
@every_shape
def test_a_scale_magnifies_about_the_middle(shape, scale):
    images = some_images(shape=shape)
    matrix = np.eye(2) / scale
    middle = (np.array(shape) - 1) / 2
    offset = middle - matrix @ middle
    expected = [
        ndimage.affine_transform(image, matrix, offset, order=1, mode="grid-constant")
        for image in images
    ]
    np.testing.assert_allclose(moved(images, scale=scale), expected, atol=1e-5)


@every_shape
def test_all_motions_together_are_one_resampling_by_the_product_of_their_matrices(shape):
    images = some_images(shape=shape)
    rng = np.random.default_rng(2)
    angles, slants = rng.uniform(-40, 40, (2, 6))
    scales, shifts = rng.uniform(0.5, 2, 6), rng.uniform(-3, 3, (2, 6))
    middle = (np.array(shape) - 1) / 2
    expected = []
    for i, image in enumerate(images):
        turn, slope = np.radians(angles[i]), np.tan(np.radians(slants[i]))
        # Motions of (row, column) with rows counted downwards, the first to act on the right.
        rotate = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        shear = [[1, 0], [-slope, 1]]
        inverse = np.linalg.inv(np.array(rotate) @ np.array(shear) * scales[i])
        offset = middle - inverse @ (middle + shifts[:, i])
        expected.append(
            ndimage.affine_transform(image, inverse, offset, order=1, mode="grid-constant")
        )
    together = moved(images, rotation=angles, shear=slants, scale=scales, shift=shifts)
    np.testing.assert_allclose(together, expected, atol=2e-5)


def test_the_directions_of_motion_are_the_documented_ones():
    image = np.zeros((1, 9, 9), np.float32)
    image[0, 1, 4] = 1  # above the middle
    for motion, place in {
        "rotation": (90.0, (4, 1)),  # counter-clockwise: to the left
        "shear": (45.0, (1, 7)),  # upper rows go right, by as much as they are up
        "scale": (4 / 3, (0, 4)),
        "shift": ((3.0, -2.0), (4, 2)),
    }.items():
        amount, (row, column) = place
        result = moved(image, **{motion: amount})
        assert result[0, row, column] == pytest.approx(1, abs=1e-5), motion


@every_shape
def test_a_displacement_is_added_to_where_the_transform_looks(shape):
    images = some_images(5, shape)
    rng = np.random.default_rng(3)
    elastic = np.array([True, False, False, True, False])
    fields = rng.normal(0, 1.5, (2, 2, *shape)).astype(np.float32)
    motions = transforms(5, shape, rotation=[10, 0, -20, 0, 0], scale=[1.2, 1, 0.9, 1, 1])
    result = warped(images, motions, elastic, fields)
    displacements = np.zeros((5, 2, *shape))
    displacements[elastic] = fields
    grid = np.stack([*np.indices(shape), np.ones(shape)])
    for image, transform, displacement, found in zip(
        images, motions, displacements, result, strict=True
    ):
        expected = looked_up(image, np.tensordot(transform, grid, 1) + displacement)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(result[[1, 4]], images[[1, 4]])


pixels = st.floats(0, 1, width=32)


@given(
    arrays(np.float32, (1, 3, 3), elements=pixels),
    arrays(np.float32, (1, 2, 3, 3), elements=st.floats(-2, 4, width=32)),
)
def test_values_in_0_to_1_stay_there_to_the_last_bit(image, coordinates):
    values = at(image, coordinates)
    assert values.min() >= 0
    assert values.max() <= 1


@pytest.mark.parametrize("motion", [{}, {"shift": (2.0, -3.0)}])
@every_shape
def test_whole_pixels_keep_their_values_bit_for_bit(shape, motion):
    images = some_images(shape=shape)
    expected = [ndimage.shift(image, motion.get("shift", 0), order=0) for image in images]
    np.testing.assert_array_equal(moved(images, **motion), expected)
    np.testing.assert_array_equal(at(images, np.indices(shape)), images)


def test_float64_images_are_resampled_in_float64():
    images = some_images(dtype=np.float64)
    result = at(images, np.indices((28, 28)) + 0.25)
    assert result.dtype == np.float64
    expected = looked_up(images[0], np.indices((28, 28)) + 0.25)
    np.testing.assert_allclose(result[0], expected, atol=1e-15)


def test_images_need_not_be_contiguous():
    images = some_images(12)
    expected = moved(images[::2].copy(), rotation=20.0)
    every_other = images[::2]
    warp(
        every_other,
        transforms(6, (28, 28), rotation=20.0),
        np.zeros(6, bool),
        np.empty((0, 2, 28, 28), np.float32),
    )
    np.testing.assert_array_equal(images[::2], expected)
    np.testing.assert_array_equal(images[1::2], some_images(12)[1::2])


def test_a_batch_is_its_images_one_by_one():
    images = some_images(50)
    motions = transforms(50, (28, 28), rotation=np.linspace(-30, 30, 50), shift=(0.5, -1.25))
    alone = [warped(images[i : i + 1], motions[i : i + 1])[0] for i in range(50)]
    np.testing.assert_array_equal(warped(images, motions), alone)


def test_four_numbers_are_looked_up_for_each_random_number():
    rng = np.random.default_rng(5)
    table, uniform = rng.random(4096).astype(np.float32), rng.random(1000)
    out = np.empty(4000, np.float32)
    look_up(table, uniform, out)
    index = (uniform * 2**48).astype(int)[:, None] >> np.array([0, 12, 24, 36]) & 4095
    np.testing.assert_array_equal(out, table[index].ravel())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_is_added_to_the_chosen_images_and_clipped(dtype):
    images = some_images(8, (5, 7), dtype)
    chosen = np.array([0, 1, 1, 0, 0, 1, 0, 0], bool)
    noise = np.random.default_rng(4).standard_normal(3 * 35, np.float32)
    std = np.float32(0.4)
    expected = images.copy()
    expected[chosen] = np.clip(expected[chosen] + std * noise.reshape(-1, 5, 7), 0, 1)
    add_noise(images, chosen, noise, std)
    np.testing.assert_array_equal(images, expected)
    assert {0.0, 1.0} <= {*images.ravel().tolist()}
