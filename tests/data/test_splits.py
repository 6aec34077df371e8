import numpy as np
import pytest

from digit_exp.data.dataset import Split
from digit_exp.data.splits import class_counts, pixel_statistics, subset, train_val_split
from digit_exp.registry import ConfigError


def rng(seed=0):
    return np.random.default_rng(seed)


def split_with(counts):
    """Return a split with so many rows of each class, in random order."""
    labels = rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    return Split.of(np.zeros((len(labels), 1, 1), np.uint8), labels)


def rows(*splits):
    return np.concatenate([split.rows for split in splits]).tolist()


@pytest.mark.parametrize("stratified", [False, True])
def test_the_specification_s_split_is_54_000_and_6_000(stratified):
    split = split_with([6000] * 10)
    train, val = train_val_split(split, val_ratio=0.1, rng=rng(), stratified=stratified)
    assert (len(train), len(val)) == (54_000, 6_000)


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("val_ratio", [0.0, 0.1, 0.35, 0.99])
def test_every_row_is_in_one_part_with_its_label(stratified, val_ratio):
    split = split_with([40, 7, 1, 0, 55])
    train, val = train_val_split(split, val_ratio=val_ratio, rng=rng(), stratified=stratified)
    assert len(val) == int(len(split) * val_ratio)
    assert sorted(rows(train, val)) == list(range(len(split)))
    for part in (train, val):
        np.testing.assert_array_equal(part.labels, split.labels[part.rows])
        assert part.images is split.images


def test_the_parts_are_random_and_belong_to_the_generator():
    split = split_with([50, 50])
    first, again, other = (
        train_val_split(split, val_ratio=0.3, rng=rng(seed))[1].rows.tolist() for seed in (1, 1, 2)
    )
    assert first == again != other
    assert first != list(range(30))


@pytest.mark.parametrize("counts", [[500, 300, 200], [997, 3, 1], [11, 22, 33, 44], [1] * 17])
def test_stratified_parts_have_the_share_of_each_class_within_one(counts):
    split, share = split_with(counts), 0.3
    train, val = train_val_split(split, val_ratio=share, rng=rng(), stratified=True)
    exact = np.array(counts) * len(val) / len(split)
    assert (np.abs(class_counts(val, len(counts)) - exact) < 1).all()
    assert (np.abs(class_counts(train, len(counts)) - (counts - exact)) < 1).all()


def test_a_stratified_part_is_random_within_a_class():
    split = split_with([100, 100])
    parts = {tuple(subset(split, 20, rng(seed), stratified=True).rows) for seed in range(5)}
    assert len(parts) == 5


@pytest.mark.parametrize("stratified", [False, True])
def test_a_subset_has_the_size_asked_for(stratified):
    train, val = train_val_split(split_with([30, 20]), val_ratio=0.2, rng=rng())
    part = subset(train, 15, rng(), stratified)
    assert len(part) == len(set(rows(part))) == 15
    assert not set(rows(part)) & set(rows(val))


def test_a_subset_of_everything_is_everything():
    split = split_with([3, 4])
    assert rows(subset(split, 7, rng(), stratified=True)) == rows(split)


def test_a_subset_larger_than_the_set_is_refused():
    with pytest.raises(ConfigError, match=r"data.train_size: must be at most 7, .* got 8"):
        subset(split_with([3, 4]), 8, rng())


def test_class_counts_name_absent_classes_too():
    assert class_counts(split_with([3, 0, 2]), 5).tolist() == [3, 0, 2, 0, 0]


def test_pixel_statistics_are_those_of_the_split_s_rows():
    images = rng().integers(0, 256, (3000, 5, 4), np.uint8)
    split = Split.of(images, np.zeros(3000)).select(np.arange(0, 3000, 2))
    mean, std = pixel_statistics(split)
    pixels = images[::2] / 255
    assert (mean, std) == pytest.approx((pixels.mean(), pixels.std()), rel=1e-12)
    assert type(mean) is type(std) is float


def test_pixels_that_are_all_equal_cannot_be_standardized():
    with pytest.raises(ConfigError, match=r"data\.normalize: cannot be standardize"):
        pixel_statistics(split_with([3, 4]))
