import numpy as np
import pytest

from digit_exp.data.augmentations import (
    AUGMENTATIONS,
    Affine,
    Elastic,
    Full,
    Noise,
    Rotate,
    Scale,
    Shift,
)
from digit_exp.registry import ConfigError

every_augmentation = pytest.mark.parametrize("name", AUGMENTATIONS.names())
BUSY = [name for name in AUGMENTATIONS.names() if name != "none"]
"""Those that do something."""

PROBABILITIES = {"full": ("rotate_p", "shift_p", "scale_p", "shear_p", "elastic_p", "noise_p")}
ZERO_STRENGTH = {
    "rotate": {"degrees": 0.0},
    "shift": {"max_shift": 0.0},
    "scale": {"min_scale": 1.0, "max_scale": 1.0},
    "noise": {"std": 0.0},
    "elastic": {"alpha": 0.0},
}
ZERO_STRENGTH["affine"] = {
    **ZERO_STRENGTH["rotate"],
    **ZERO_STRENGTH["shift"],
    **ZERO_STRENGTH["scale"],
    "shear": 0.0,
}
ZERO_STRENGTH["full"] = {
    **ZERO_STRENGTH["affine"],
    **ZERO_STRENGTH["elastic"],
    **ZERO_STRENGTH["noise"],
}


def some_images(count=70, shape=(28, 28), dtype=np.float32):
    """Images with exact zeros and ones among their pixels; more than one block of them."""
    values = np.random.default_rng(0).uniform(-0.5, 1.5, (count, *shape))
    return values.clip(0, 1).astype(dtype)


def with_probability(name, p, **fields):
    probabilities = dict.fromkeys(PROBABILITIES.get(name, ("p",)), p)
    return AUGMENTATIONS[name](**probabilities, **fields)


def augmented(augmentation, images, seed=1):
    return augmentation(images.copy(), np.random.default_rng(seed))


def changed(before, after):
    return (before != after).any(axis=(1, 2))


@pytest.mark.parametrize("shape", [(28, 28), (9, 14), (20, 7), (1, 5), (200, 190)], ids=str)
@every_augmentation
def test_shape_dtype_and_range_are_kept(name, shape):
    for dtype in (np.float32, np.float64):
        images = some_images(12, shape, dtype)
        result = augmented(AUGMENTATIONS[name](), images)
        assert result.shape == images.shape
        assert result.dtype == dtype
        assert result.min() >= 0
        assert result.max() <= 1


@every_augmentation
def test_an_empty_batch_stays_empty(name):
    assert augmented(AUGMENTATIONS[name](), some_images(0)).shape == (0, 28, 28)


@every_augmentation
def test_the_same_generator_gives_the_same_result_and_another_a_different_one(name):
    images, augmentation = some_images(), AUGMENTATIONS[name]()
    first = augmented(augmentation, images)
    np.testing.assert_array_equal(augmented(augmentation, images), first)
    other = augmented(augmentation, images, seed=2)
    assert np.array_equal(other, first) == (name == "none")


@pytest.mark.parametrize("name", BUSY)
def test_zero_strength_is_the_identity_bit_for_bit(name):
    images = some_images()
    result = augmented(with_probability(name, 1.0, **ZERO_STRENGTH[name]), images)
    np.testing.assert_array_equal(result, images)


@pytest.mark.parametrize("name", BUSY)
def test_probability_zero_is_the_identity_bit_for_bit(name):
    images = some_images()
    np.testing.assert_array_equal(augmented(with_probability(name, 0.0), images), images)


@pytest.mark.parametrize("name", [name for name in BUSY if name != "shift"])
def test_probability_one_changes_every_image(name):
    images = some_images()
    assert changed(images, augmented(with_probability(name, 1.0), images)).all()


@pytest.mark.parametrize("name", [name for name in BUSY if name not in ("shift", "full")])
def test_a_share_p_of_the_images_changes(name):
    images = some_images(1000, (8, 8))
    for p in (0.3, 0.5):
        share = changed(images, augmented(with_probability(name, p), images)).mean()
        assert share == pytest.approx(p, abs=0.05)


@pytest.mark.parametrize("technique", PROBABILITIES["full"])
def test_every_probability_of_full_switches_its_technique_alone(technique):
    images = some_images(600, (12, 12))
    only = dict.fromkeys(PROBABILITIES["full"], 0.0) | {technique: 0.5}
    share = changed(images, augmented(Full(**only), images)).mean()
    # One whole-pixel shift in nine is by nothing, when sides have 12 pixels.
    expected = 0.5 * 8 / 9 if technique == "shift_p" else 0.5
    assert share == pytest.approx(expected, abs=0.06)


def one_pixel(row, column, count=400, shape=(21, 31)):
    images = np.zeros((count, *shape), np.float32)
    images[:, row, column] = 1
    return images


def test_a_shift_moves_a_pixel_by_whole_pixels_up_to_the_share_of_each_side():
    result = augmented(Shift(p=1.0, max_shift=0.1), one_pixel(10, 15))
    images, rows, columns = np.nonzero(result)
    np.testing.assert_array_equal(images, np.arange(400))
    assert (result[images, rows, columns] == 1).all()
    assert set(rows - 10) == {-2, -1, 0, 1, 2}
    assert set(columns - 15) == {-3, -2, -1, 0, 1, 2, 3}


def test_what_is_shifted_out_is_gone_and_what_comes_in_is_zero():
    images = np.ones((200, 10, 10), np.float32)
    result = augmented(Shift(p=1.0, max_shift=0.5), images)
    assert set(np.unique(result)) == {0.0, 1.0}
    assert result.sum(axis=(1, 2)).min() == 25


def places(images):
    """Return the centre of mass of each image, from the middle of the image."""
    height, width = images.shape[1:]
    mass = images.sum(axis=(1, 2))
    rows = images.sum(axis=2) @ (np.arange(height) - (height - 1) / 2) / mass
    columns = images.sum(axis=1) @ (np.arange(width) - (width - 1) / 2) / mass
    return rows, columns


def test_a_rotation_turns_evenly_up_to_the_angle_both_ways():
    rows, columns = places(augmented(Rotate(p=1.0, degrees=15.0), one_pixel(10, 29)))
    angles = np.degrees(np.arctan2(-rows, columns))
    assert np.abs(angles).max() < 16.5
    np.testing.assert_allclose(np.percentile(angles, [10, 50, 90]), [-12, 0, 12], atol=2)


def test_a_scale_moves_outward_and_inward_within_its_range():
    _, columns = places(augmented(Scale(p=1.0, min_scale=0.5, max_scale=1.2), one_pixel(10, 25)))
    assert columns.min() == pytest.approx(5, abs=0.5)
    assert columns.max() == pytest.approx(12, abs=0.5)


def test_affine_leans_turns_scales_and_shifts_by_parts_of_a_pixel():
    still = {"p": 1.0} | ZERO_STRENGTH["affine"]
    start = one_pixel(2, 15)
    for fields, spread in [
        ({"max_shift": 0.1}, (2.1, 3.1)),
        ({"shear": 30.0}, (0.0, 8 * np.tan(np.radians(30)))),
        ({"degrees": 30.0}, (None, 4.0)),
        ({"min_scale": 0.5, "max_scale": 1.0}, (None, 0.0)),
    ]:
        rows, columns = places(augmented(Affine(**still | fields), start))
        for moved, limit in ((rows + 8, spread[0]), (columns, spread[1])):
            if limit is not None:
                assert np.abs(moved).max() == pytest.approx(limit, abs=0.4), fields
    _, columns = places(augmented(Affine(**still | {"max_shift": 0.1}), start))
    assert np.abs(columns - np.round(columns)).max() > 0.3


def test_noise_has_the_standard_deviation_and_is_clipped():
    grey = np.full((40, 28, 28), 0.5, np.float32)
    noise = augmented(Noise(p=1.0, std=0.05), grey) - 0.5
    assert noise.std() == pytest.approx(0.05, rel=0.03)
    assert noise.mean() == pytest.approx(0, abs=0.001)
    black = augmented(Noise(p=1.0, std=0.2), np.zeros_like(grey))
    assert np.mean(black == 0) == pytest.approx(0.5, abs=0.02)


def test_an_elastic_deformation_is_smooth_and_as_far_as_the_paper_has_it():
    # A ramp shows where its values were looked up.
    ramp = np.tile(np.linspace(0, 1, 28, dtype=np.float32), (200, 28, 1))
    inner = augmented(Elastic(p=1.0), ramp)[:, 8:20, 8:20] * 27 - np.arange(8, 20)
    assert inner.std() == pytest.approx(1.38, abs=0.15)
    neighbours = np.diff(inner, axis=1)
    assert neighbours.std() < inner.std() / 3


def test_full_resamples_once():
    # The tent over one pixel is 2 wide. These motions make it no wider than 2.6 and so reach three
    # rows at most; resampled twice, it would be 4 wide.
    motions = with_probability("full", 1.0, alpha=0.0, std=0.0, max_scale=1.0)
    rows = [np.nonzero(image)[0] for image in augmented(motions, one_pixel(10, 15))]
    assert max(np.ptp(reached) for reached in rows) == 2


def test_full_adds_its_noise_last_and_to_the_background_too():
    result = augmented(with_probability("full", 1.0), one_pixel(10, 15))
    assert np.mean(result > 0) == pytest.approx(0.5, abs=0.02)


def test_the_images_are_changed_where_they_are():
    images = some_images()
    for name in AUGMENTATIONS.names():
        assert AUGMENTATIONS[name]()(images, np.random.default_rng(0)) is images


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("rotate", {"p": 1.5}, r"p: must be in \[0, 1\], got 1.5"),
        ("rotate", {"degrees": -1.0}, r"degrees: must be in \[0, 180\], got -1.0"),
        ("shift", {"max_shift": 1.0}, r"max_shift: must be in \[0, 1\), got 1.0"),
        ("scale", {"min_scale": 0.0}, "min_scale: must be greater than 0, got 0.0"),
        ("scale", {"min_scale": 2.0}, r"min_scale: must not be greater than max_scale \(1.1\)"),
        ("affine", {"shear": 90.0}, r"shear: must be in \[0, 90\), got 90.0"),
        ("affine", {"max_scale": 0.5}, "min_scale: must not be greater than max_scale"),
        ("full", {"max_scale": 0.5}, "min_scale: must not be greater than max_scale"),
        ("elastic", {"sigma": 0.0}, "sigma: must be greater than 0, got 0.0"),
        ("noise", {"std": -0.1}, "std: must be at least 0, got -0.1"),
    ],
)
def test_wrong_values_are_refused_with_what_is_allowed(name, fields, message):
    with pytest.raises(ConfigError, match=message):
        AUGMENTATIONS[name](**fields)
