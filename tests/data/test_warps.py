"""The geometry against `scipy.ndimage`, one image at a time."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from digit_exp.data.warps import (
    affine,
    affine_grid,
    bilinear,
    displacement,
    smoothing,
    tremor,
    warp,
)

SHAPES = [(28, 28), (9, 14), (20, 7), (1, 1)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def some_images(count=6, shape=(28, 28), dtype=np.float32):
    return np.random.default_rng(0).random((count, *shape)).astype(dtype)


def looked_up(image, coordinates):
    return ndimage.map_coordinates(image, coordinates, order=1, mode="grid-constant")


def warped(images, *args):
    result = images.copy()
    warp(result, *args)
    return result


@every_shape
def test_values_between_beyond_and_far_from_pixels_are_those_of_scipy(shape):
    images = some_images(shape=shape)
    rng = np.random.default_rng(1)
    coordinates = rng.uniform(-4, 4 + max(shape), (2, *images.shape)).astype(np.float32)
    coordinates[:, 0] *= 1000
    expected = [looked_up(image, coordinates[:, i]) for i, image in enumerate(images)]
    np.testing.assert_allclose(bilinear(images, coordinates), expected, atol=1e-5)


@pytest.mark.parametrize("angle", [-90.0, -15.0, 0.0, 7.3, 180.0])
@every_shape
def test_a_rotation_is_that_of_scipy(shape, angle):
    images = some_images(shape=shape)
    expected = [
        ndimage.rotate(image, angle, reshape=False, order=1, mode="grid-constant")
        for image in images
    ]
    turned = warped(images, affine(len(images), rotation=angle))
    np.testing.assert_allclose(turned, expected, atol=2e-5)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (2.0, -1.0), (-0.25, 1.75), (40.0, 0.0)])
@every_shape
def test_a_shift_is_that_of_scipy(shape, shift):
    images = some_images(shape=shape)
    expected = [ndimage.shift(image, shift, order=1, mode="grid-constant") for image in images]
    np.testing.assert_allclose(warped(images, affine(6, shift=shift)), expected, atol=1e-5)


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
    np.testing.assert_allclose(warped(images, affine(6, scale=scale)), expected, atol=1e-5)


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
    together = affine(6, rotation=angles, shear=slants, scale=scales, shift=list(shifts))
    np.testing.assert_allclose(warped(images, together), expected, atol=2e-5)


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
        moved = warped(image, affine(1, **{motion: amount}))
        assert moved[0, row, column] == pytest.approx(1, abs=1e-5), motion


def test_an_elastic_deformation_is_that_of_scipy_for_the_same_field():
    images = some_images(5)
    rng = np.random.default_rng(3)
    bent = np.array([3, 0])
    fields = rng.normal(0, 1.5, (2, 2, 28, 28)).astype(np.float32)
    result = warped(images, affine(5), bent, fields)
    for number, image in enumerate(bent):
        expected = looked_up(images[image], np.indices((28, 28)) + fields[:, number])
        np.testing.assert_allclose(result[image], expected, atol=1e-5)
    np.testing.assert_array_equal(result[[1, 2, 4]], images[[1, 2, 4]])


def test_a_displacement_is_added_to_where_the_transform_looks():
    images = some_images(2)
    transforms = affine(2, rotation=np.array([10.0, -20.0]), scale=1.2)
    fields = np.random.default_rng(4).normal(0, 2, (2, 1, 28, 28)).astype(np.float32)
    result = warped(images, transforms, np.array([1]), fields)
    coordinates = affine_grid(transforms, 28, 28)
    expected = looked_up(images[1], coordinates[:, 1] + fields[:, 0])
    np.testing.assert_allclose(result[1], expected, atol=1e-5)
    np.testing.assert_allclose(result[0], looked_up(images[0], coordinates[:, 0]), atol=1e-5)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0, 20.0])
def test_smoothing_is_scipys_gaussian_filter(sigma):
    noise = np.random.default_rng(5).uniform(-1, 1, (28, 15)).astype(np.float32)
    smooth = smoothing(28, sigma) @ noise @ smoothing(15, sigma).T
    expected = ndimage.gaussian_filter(noise, sigma, mode="constant")
    np.testing.assert_allclose(smooth, expected, atol=1e-6)


def test_a_displacement_has_the_spread_of_smoothed_uniform_noise():
    # Var = α² · 1/3 · Σᵢⱼ (Gᵢ Gⱼ)²: the noise is independent from pixel to pixel.
    alpha, sigma = 34.0, 4.0
    fields = displacement(tremor((300, 28, 20), np.random.default_rng(6)), alpha, sigma)
    rows = np.sum(smoothing(28, sigma).astype(float) ** 2, axis=1)
    columns = np.sum(smoothing(20, sigma).astype(float) ** 2, axis=1)
    expected = alpha * np.sqrt(np.outer(rows, columns) / 3)
    assert fields.dtype == np.float32
    assert fields.shape == (2, 300, 28, 20)
    np.testing.assert_allclose(fields.std(axis=(0, 1)), expected, rtol=0.15)
    np.testing.assert_allclose(fields.mean(axis=(0, 1)), 0, atol=0.3)
    assert expected.max() == pytest.approx(1.4, abs=0.05)


def test_rows_columns_and_images_are_displaced_independently():
    fields = displacement(tremor((400, 12, 12), np.random.default_rng(7)), 1.0, 2.0)
    here = fields[:, :, 6, 6]
    assert abs(np.corrcoef(here[0], here[1])[0, 1]) < 0.2
    assert abs(np.corrcoef(here[0, :-1], here[0, 1:])[0, 1]) < 0.2


pixels = st.floats(0, 1, width=32)


@given(
    arrays(np.float32, (1, 3, 3), elements=pixels),
    arrays(np.float32, (2, 1, 3, 3), elements=st.floats(-2, 4, width=32)),
)
def test_values_in_0_to_1_stay_there_to_the_last_bit(image, coordinates):
    values = bilinear(image, coordinates)
    assert values.min() >= 0
    assert values.max() <= 1


@every_shape
def test_looking_up_every_pixel_at_its_place_gives_the_image_bit_for_bit(shape):
    images = some_images(shape=shape)
    coordinates = affine_grid(affine(6), *shape)
    np.testing.assert_array_equal(bilinear(images, coordinates), images)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(dtype):
    images = some_images(dtype=dtype)
    transforms = affine(6, rotation=10.0)
    assert transforms.dtype == np.float32
    assert warped(images, transforms).dtype == dtype
    assert bilinear(images, affine_grid(transforms, 28, 28)).dtype == dtype


def test_results_may_be_written_over_the_images():
    images = some_images()
    coordinates = affine_grid(affine(6, rotation=20.0, shift=(1.5, 0.0)), 28, 28)
    expected = bilinear(images, coordinates.copy())
    assert bilinear(images, coordinates, out=images) is images
    np.testing.assert_array_equal(images, expected)


def test_a_batch_is_its_images_one_by_one():
    images = some_images(50)
    transforms = affine(50, rotation=np.linspace(-30, 30, 50), shift=(0.5, -1.25))
    alone = [warped(images[i : i + 1], transforms[:, i : i + 1])[0] for i in range(50)]
    np.testing.assert_allclose(warped(images, transforms), alone, atol=1e-5)


def test_earlier_work_of_another_size_leaves_no_trace():
    images, transforms = some_images(3, (10, 8)), affine(3, shift=(-2.5, 3.5))
    expected = warped(images, transforms)
    warped(np.ones((9, 30, 33), np.float32), affine(9, rotation=45.0))
    np.testing.assert_array_equal(warped(images, transforms), expected)


def test_threads_do_not_write_into_each_others_work():
    images = some_images(20)
    motions = [affine(20, rotation=float(angle)) for angle in (-12, 5, 30, 77)]
    expected = [warped(images, motion) for motion in motions]
    wrong = []

    def work(number):
        for _ in range(30):
            if not np.array_equal(warped(images, motions[number]), expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
