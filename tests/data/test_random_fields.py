"""Normal numbers and elastic deformations, beside those of SciPy."""

import numpy as np
import pytest
from scipy import ndimage, stats

from digit_exp.data.random_fields import (
    displacements,
    modes,
    numbers_of_displacement,
    smoothing,
    standard_normal,
)

ALPHA, SIGMA = 34.0, 4.0


def fields(count, height=28, width=28, *, alpha=ALPHA, sigma=SIGMA, seed=6):
    numbers = count * numbers_of_displacement(height, width, sigma)
    drawn = standard_normal(np.random.default_rng(seed), numbers)
    return displacements(drawn, height, width, alpha=alpha, sigma=sigma)


def scipy_fields(count, sigma):
    noise = np.random.default_rng(8).uniform(-1, 1, (count, 28, 28))
    return ALPHA * ndimage.gaussian_filter(noise, (0, sigma, sigma), mode="constant")


def test_standard_normal_numbers_are_normal():
    drawn = standard_normal(np.random.default_rng(0), 1_000_003)
    assert drawn.dtype == np.float32
    assert drawn.shape == (1_000_003,)
    assert stats.kstest(drawn, "norm").statistic < 1.6e-3  # the 1 % level of a million numbers
    moments = np.array([np.mean(drawn.astype(float) ** power) for power in range(1, 7)])
    assert (np.abs(moments - [0, 1, 0, 3, 0, 15]) < [0.004, 0.006, 0.02, 0.03, 0.1, 0.4]).all()


def test_standard_normal_numbers_are_independent_of_their_neighbours():
    drawn = standard_normal(np.random.default_rng(1), 500_000)
    for lag in (1, 2, 3, 4, 5):
        assert abs(np.corrcoef(drawn[lag:], drawn[:-lag])[0, 1]) < 0.006
        assert abs(np.corrcoef(drawn[lag:] ** 2, drawn[:-lag] ** 2)[0, 1]) < 0.006


def test_no_numbers_are_drawn_if_none_are_asked_for():
    assert standard_normal(np.random.default_rng(0), 0).shape == (0,)
    assert fields(0).shape == (0, 2, 28, 28)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0, 20.0])
def test_smoothing_is_scipys_gaussian_filter(sigma):
    noise = np.random.default_rng(5).uniform(-1, 1, (28, 15))
    smooth = smoothing(28, sigma) @ noise @ smoothing(15, sigma).T
    expected = ndimage.gaussian_filter(noise, sigma, mode="constant")
    np.testing.assert_allclose(smooth, expected, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0, 20.0])
def test_modes_give_the_covariance_of_noise_that_scipy_smooths(sigma):
    once = ndimage.gaussian_filter1d(np.eye(28), sigma, axis=0, mode="constant")
    covariance = once @ once.T
    found = modes(28, sigma)
    np.testing.assert_allclose(found.T @ found, covariance, atol=3e-5 * covariance.max())


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0, 20.0])
def test_the_signs_of_modes_are_fixed(sigma, monkeypatch):
    expected = modes(28, sigma)
    solve = np.linalg.eigh
    monkeypatch.setattr("numpy.linalg.eigh", lambda matrix: (solve(matrix)[0], -solve(matrix)[1]))
    np.testing.assert_array_equal(modes.__wrapped__(28, sigma), expected)


def test_few_modes_are_left_of_a_smooth_field():
    assert len(modes(28, 0.3)) == 28
    assert len(modes(28, 4.0)) == 8


@pytest.mark.parametrize("sigma", [2.0, 4.0])
def test_displacements_have_the_distribution_of_those_by_scipy(sigma):
    ours, theirs = fields(1500, sigma=sigma)[:, 0], scipy_fields(1500, sigma)
    np.testing.assert_allclose(ours.std(axis=0), theirs.std(axis=0), rtol=0.12)
    np.testing.assert_allclose(ours.mean(axis=0), 0, atol=0.14 * theirs.std())
    for y, x in [(0, 0), (14, 14), (3, 25), (20, 9)]:
        assert stats.ks_2samp(ours[:, y, x], theirs[:, y, x]).pvalue > 1e-3
    for lag in (1, 4, 8):  # how smooth they are
        here = [np.corrcoef(f[:, 14, 10], f[:, 14, 10 + lag])[0, 1] for f in (ours, theirs)]
        assert here[0] == pytest.approx(here[1], abs=0.12)


def test_the_values_of_the_paper_move_a_pixel_by_1_4():
    drawn = fields(300, 28, 20)
    assert drawn.dtype == np.float32
    assert drawn.shape == (300, 2, 28, 20)
    assert drawn[:, :, 14, 10].std() == pytest.approx(1.4, abs=0.1)


def test_rows_columns_and_images_are_displaced_independently():
    here = fields(400, 12, 12, alpha=1.0, sigma=2.0)[:, :, 6, 6]
    assert abs(np.corrcoef(here[:, 0], here[:, 1])[0, 1]) < 0.2
    assert abs(np.corrcoef(here[:-1, 0], here[1:, 0])[0, 1]) < 0.2
