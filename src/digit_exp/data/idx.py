"""The IDX format, in which MNIST and its successors are published.

A header (two zero bytes, the type of a value, the number of dimensions, then each dimension as a
big-endian 32-bit integer) and after it the values. The sizes in a header are checked against the
file before memory is allocated, so that a damaged or hostile file cannot exhaust it.
"""

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Sequence
from io import BufferedIOBase, BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digit_exp.arrays import Labels, Pixels

Bytes = NDArray[np.uint8]

UNSIGNED_BYTE = 0x08
TYPES = {
    UNSIGNED_BYTE: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floats",
    0x0E: "64-bit floats",
}
"""The kinds of values of the format, by their number in the header."""
SEVERAL_LABELS = bytes([0, 0, 0x0C, 2])
"""How a file of labels begins that has several 32-bit integers for each image."""
GZIP_MAGIC = b"\x1f\x8b"
MAX_DEFLATE_RATIO = 1032
"""Deflate cannot do better: 258 bytes for two bits (zlib's technical notes)."""

CHUNK = 1 << 20


class DataError(ValueError):
    """Data that cannot be used. The message names the file and says what to do."""


def read_images(path: Path) -> Pixels:
    """Return the images in `path`, gzipped or not, read-only.

    A file that is not compressed is memory-mapped: it may be larger than the memory.
    """
    return _read(path, dimensions=3)


def read_labels(path: Path) -> Labels:
    """Return the labels in `path`, gzipped or not.

    QMNIST has several 32-bit integers for each image, of which the first is the label.
    """
    values = _read(path, dimensions=1)
    if values.ndim == 3:
        values = np.ascontiguousarray(values[:, 0]).view(">i4")[:, 0]
        if not 0 <= values.min() <= values.max() <= 255:
            least, most = values.min(), values.max()
            raise DataError(f"{path} has labels from {least} to {most}, and they are 0 to 255")
    return values.astype(np.intp)


def sha256(values: Bytes) -> str:
    """Return the SHA-256 of the uncompressed IDX file that holds `values`."""
    digest = hashlib.sha256(_header(values.shape))
    digest.update(np.ascontiguousarray(values).reshape(-1).data)
    return digest.hexdigest()


def _header(shape: Sequence[int]) -> bytes:
    return _magic(len(shape)) + struct.pack(f">{len(shape)}I", *shape)


def _magic(dimensions: int) -> bytes:
    return bytes([0, 0, UNSIGNED_BYTE, dimensions])


def _read(path: Path, dimensions: int) -> Bytes:
    if not path.is_file():  # opening a pipe would block
        what = "is not a file" if path.exists() else "does not exist"
        raise DataError(f"{path} {what}: give the path of an IDX file")
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] == GZIP_MAGIC:
                with gzip.GzipFile(fileobj=file) as stream:
                    return _read_gzipped(path, stream, dimensions)
            return _map(path, file, dimensions)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        reason = str(error).rstrip(".")
        raise DataError(f"{path} is damaged gzip ({reason}): get the file again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _map(path: Path, file: BufferedReader, dimensions: int) -> Bytes:
    shape = _read_shape(path, file, dimensions)
    start = file.tell()
    _check_length(path, shape, path.stat().st_size - start)
    return np.asarray(np.memmap(path, np.uint8, mode="r", offset=start, shape=shape))


def _read_gzipped(path: Path, stream: gzip.GzipFile, dimensions: int) -> Bytes:
    shape = _read_shape(path, stream, dimensions)
    most = MAX_DEFLATE_RATIO * path.stat().st_size
    if math.prod(shape) > most:
        raise DataError(
            f"{path} is cut off or no data set: its header promises {_described(shape)}, and a"
            f" compressed file of this size holds {most:,} at most. Get the file again"
        )
    values = _empty(path, shape)
    _check_length(path, shape, _fill(values, stream))
    values.flags.writeable = False
    return values.reshape(shape)


def _read_shape(path: Path, stream: BufferedIOBase, dimensions: int) -> tuple[int, ...]:
    magic = stream.read(4)
    is_several = magic == SEVERAL_LABELS and dimensions == 1
    if not magic:
        raise DataError(f"{path} is empty: get the file again")
    if magic != _magic(dimensions) and not is_several:
        raise DataError(f"{path} {_other(magic, dimensions)}")
    count = 2 if is_several else dimensions
    sizes = stream.read(4 * count)
    if len(sizes) < 4 * count:
        raise DataError(f"{path} is cut off within its header: get the file again")
    shape = (*struct.unpack(f">{count}I", sizes), *([4] if is_several else []))  # of bytes
    if 0 in shape:
        raise DataError(f"{path} holds nothing: its header says {_described(shape)}")
    return shape


def _other(magic: bytes, dimensions: int) -> str:
    """Return what a file with another header is, and what to do."""
    kind = "labels" if dimensions == 1 else "images"
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES:
        return (
            f"does not hold {kind} in the IDX format: it begins with {magic!r}, and must begin"
            f" with {_magic(dimensions)!r} (unsigned bytes, {dimensions}-dimensional)."
            " Is it a web page that was saved as data?"
        )
    if magic[2] != UNSIGNED_BYTE:
        return (
            f"holds {TYPES[magic[2]]}, and only unsigned bytes (0 to 255) are read. Convert it:"
            " scale pixels to 0 to 255, and write it with type 0x08"
        )
    found = magic[3]
    if {found, dimensions} == {1, 3}:
        other = "labels" if found == 1 else "images"
        return f"holds {other} (IDX, {found}-dimensional), not {kind}: are the files swapped?"
    advice = {
        2: "reshape each row to height × width",
        4: "are these colours? Convert each image to grey, one value a pixel",
    }
    return (
        f"has {found} dimensions, and {kind} have {dimensions}:"
        f" {advice.get(found, 'convert it') if dimensions == 3 else 'convert it'}"
    )


def _empty(path: Path, shape: Sequence[int]) -> Bytes:
    try:
        return np.empty(math.prod(shape), np.uint8)
    except MemoryError as error:
        raise DataError(
            f"{path} does not fit into the memory ({_described(shape)}): decompress it with gunzip,"
            " and it is read from the disk as needed"
        ) from error


def _fill(values: Bytes, stream: BufferedIOBase) -> int:
    """Fill `values` and return how many bytes came, one more than fit if there are any."""
    view, filled = values.data, 0
    while filled < len(view) and (count := stream.readinto(view[filled : filled + CHUNK])):
        filled += count
    return filled + len(stream.read(1))  # reading on to the end also checks the CRC


def _check_length(path: Path, shape: Sequence[int], found: int) -> None:
    if found < math.prod(shape):
        raise DataError(
            f"{path} is cut off: its header promises {_described(shape)}, and {found:,} follow."
            " Get the file again"
        )
    if found > math.prod(shape):
        raise DataError(
            f"{path} goes on after the {_described(shape)} that its header promises."
            " Get the file again"
        )


def _described(shape: Sequence[int]) -> str:
    """Return such as `60,000 × 28 × 28 bytes`."""
    return " × ".join(f"{size:,}" for size in shape) + " bytes"
