import gzip
import hashlib
import os
import struct

import numpy as np
import pytest

from digit_exp.data import idx
from digit_exp.data.idx import DataError, read_images, read_labels

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx_bytes(values, kind=0x08, shape=None):
    shape = values.shape if shape is None else shape
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + values.tobytes()


@pytest.fixture(params=["plain", "gzipped"])
def write(request, tmp_path):
    """Write bytes to a file whose name says nothing about whether they are compressed."""

    def write(content):
        path = tmp_path / "data"
        path.write_bytes(content if request.param == "plain" else gzip.compress(content))
        return path

    return write


def test_images_come_back_as_written(write):
    images = read_images(write(idx_bytes(IMAGES)))
    np.testing.assert_array_equal(images, IMAGES)
    assert images.dtype == np.uint8
    assert not images.flags.writeable


def test_labels_come_back_as_integers(write):
    labels = read_labels(write(idx_bytes(np.array([3, 255, 0], np.uint8))))
    np.testing.assert_array_equal(labels, [3, 255, 0])
    assert labels.dtype == np.intp


def test_a_file_that_is_not_compressed_is_mapped_into_memory(tmp_path):
    path = tmp_path / "images.gz"  # the content decides, not the name
    path.write_bytes(idx_bytes(IMAGES))
    base = read_images(path)
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_sha256_is_that_of_the_uncompressed_file():
    assert idx.sha256(IMAGES) == hashlib.sha256(idx_bytes(IMAGES)).hexdigest()
    assert idx.sha256(IMAGES[0, 0]) == hashlib.sha256(idx_bytes(IMAGES[0, 0])).hexdigest()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty: get the file again"),
        (idx_bytes(IMAGES[0, 0]), r"holds labels .*, not images: are the files swapped"),
        (idx_bytes(IMAGES, kind=0x0C), "holds 32-bit integers, and only unsigned bytes"),
        (idx_bytes(IMAGES, kind=0x0D), "holds 32-bit floats, and only unsigned bytes .*0 to 255"),
        (idx_bytes(IMAGES[..., None]), "has 4 dimensions, and images have 3: are these colours"),
        (idx_bytes(IMAGES[0]), "has 2 dimensions, and images have 3: reshape each row"),
        (b"\x01" + idx_bytes(IMAGES)[1:], "does not hold images in the IDX format"),
        (b"<!DOCTYPE html><html>", "Is it a web page"),
        (idx_bytes(IMAGES)[:9], "is cut off within its header"),
        (idx_bytes(IMAGES)[:-1], r"promises 2 × 3 × 4 bytes, and 23 follow\. Get the file"),
        (idx_bytes(IMAGES) + b"x", "goes on after the 2 × 3 × 4 bytes"),
        (idx_bytes(IMAGES, shape=(0, 3, 4)), "holds nothing: its header says 0 × 3 × 4 bytes"),
        (idx_bytes(IMAGES, shape=(2, 0, 4)), "holds nothing"),
        (idx_bytes(IMAGES, shape=(2**32 - 1,) * 3), "is cut off"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(write, content, complaint):
    path = write(content)
    with pytest.raises(DataError, match=complaint) as refusal:
        read_images(path)
    assert str(refusal.value).startswith(str(path))


def test_images_are_not_labels(write):
    with pytest.raises(DataError, match=r"holds images .*not labels"):
        read_labels(write(idx_bytes(IMAGES)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-12],
        lambda packed: packed[:-8] + bytes(4) + packed[-4:],  # the CRC
        lambda packed: packed[:30] + b"\xff\xff" + packed[32:],
        lambda packed: packed + b"<html>",
        lambda packed: packed[:5],
    ],
    ids=["cut off", "wrong CRC", "overwritten", "garbage after it", "cut off early"],
)
def test_damaged_gzip_is_refused(tmp_path, damage):
    path = tmp_path / "images.gz"
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    path.write_bytes(damage(gzip.compress(idx_bytes(noise))))
    with pytest.raises(DataError, match=r"images\.gz is damaged gzip .*: get the file again"):
        read_images(path)


def test_a_bomb_is_not_decompressed(tmp_path, monkeypatch):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES) + bytes(100_000_000)))
    taken, read = [], gzip.GzipFile.read

    def counted(self, size=-1):
        data = read(self, size)
        taken.append(len(data))
        return data

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    with pytest.raises(DataError, match="goes on after"):
        read_images(path)
    assert sum(taken) == len(idx_bytes(IMAGES)) + 1


def test_a_header_that_no_file_of_this_size_can_keep_allocates_nothing(tmp_path, monkeypatch):
    path = tmp_path / "liar.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES, shape=(60_000, 28, 28))))
    monkeypatch.setattr(np, "empty", lambda *_: pytest.fail("memory was taken"))
    with pytest.raises(DataError, match="promises 60,000 × 28 × 28 bytes"):
        read_images(path)


def test_images_that_do_not_fit_into_memory_get_an_advice(tmp_path, monkeypatch):
    path = tmp_path / "huge.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES)))

    def empty(*_):
        raise MemoryError

    monkeypatch.setattr(np, "empty", empty)
    with pytest.raises(DataError, match="decompress it with gunzip"):
        read_images(path)


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe is not a file"):
        read_images(tmp_path / "pipe")
    with pytest.raises(DataError, match="is not a file"):
        read_images(tmp_path)
    with pytest.raises(DataError, match="nothing does not exist"):
        read_images(tmp_path / "nothing")


def test_a_file_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    path.write_bytes(idx_bytes(IMAGES))

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(DataError, match="secret cannot be read: Permission denied"):
        read_images(path)
