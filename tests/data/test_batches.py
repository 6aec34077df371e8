import numpy as np
import pytest

from digit_exp.data.batches import batches
from digit_exp.data.dataset import Split


@pytest.fixture
def split():
    images = np.random.default_rng(0).integers(0, 256, (10, 3, 2), np.uint8)
    return Split.of(images, np.arange(10))


def test_batches_hold_every_row_once_and_the_last_is_incomplete(split):
    found = [(x.copy(), labels) for x, labels in batches(split, 4)]
    assert [x.shape for x, _ in found] == [(4, 3, 2), (4, 3, 2), (2, 3, 2)]
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in found]), np.arange(10))
    pixels = np.concatenate([x for x, _ in found])
    np.testing.assert_allclose(pixels, split.images / 255, rtol=2e-7)


def test_images_are_float32_from_0_to_1():
    extremes = np.array([[[0, 255]]], np.uint8)
    x, _ = next(batches(Split.of(extremes, np.zeros(1)), 1))
    assert x.dtype == np.float32
    assert x.tolist() == [[[0.0, 1.0]]]


def test_order_is_of_positions_in_the_split_not_of_rows_in_the_file(split):
    part = split.select(np.array([7, 2, 5]))
    x, labels = next(batches(part, 3, order=np.array([2, 0, 1])))
    np.testing.assert_array_equal(labels, [5, 7, 2])
    np.testing.assert_allclose(x, split.images[[5, 7, 2]] / 255, rtol=2e-7)


def test_a_batch_larger_than_the_split_is_the_split_and_takes_no_more_memory(split):
    assert [len(x) for x, _ in batches(split, 10**12)] == [10]


def test_a_split_without_rows_has_no_batches(split):
    assert list(batches(split.select(np.array([], np.intp)), 4)) == []


def test_a_reader_may_overwrite_its_batch(split):
    stored = split.images.copy()
    seen = []
    for x, _ in batches(split, 5):
        seen.append(x.copy())
        x[:] = 0.5
    np.testing.assert_array_equal(split.images, stored)
    np.testing.assert_allclose(np.concatenate(seen), stored / 255, rtol=2e-7)


def test_batches_share_one_buffer(split):
    iterator = batches(split, 5)
    first, _ = next(iterator)
    second, _ = next(iterator)
    assert np.shares_memory(first, second)


def test_batches_are_read_from_a_memory_mapped_file(split, tmp_path):
    split.images.tofile(tmp_path / "pixels")
    mapped = np.memmap(tmp_path / "pixels", np.uint8, mode="r", shape=split.images.shape)
    expected = [x.copy() for x, _ in batches(split, 4)]
    found = [x.copy() for x, _ in batches(Split.of(mapped, split.labels), 4)]
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
