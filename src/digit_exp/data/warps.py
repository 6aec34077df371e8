"""Images resampled: the geometry behind the augmentations, for whole batches at once.

Coordinates say for every pixel of the result where in the image its value is looked up, so they run
against the motion that is seen. They count as `scipy.ndimage` does: a row, then a column, and the
middle of the first pixel is (0, 0). However many motions are put together, an image is resampled
once. Nothing here knows a probability or a range.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from digit_exp.arrays import Array

Transforms = Array
"""For a row and a column of each image, the factors of (y, x, 1): shape `(2, n, 3)`."""

Coordinates = Array
"""For each pixel of each image, a row and a column: shape `(2, n, height, width)`."""

Tremor = NDArray[np.int16]
"""A random whole number for each coordinate, before it is smoothed: shape as theirs."""

Chosen = NDArray[np.intp]
"""Numbers of images in a batch, shape `(chosen,)`."""

STAY = np.array([[[1, 0, 0]], [[0, 1, 0]]], np.float32)
"""The transform that moves nothing."""


class WorkMemory(threading.local):
    """Arrays that are written anew in every call, kept by each thread for its next one.

    Fresh memory costs a page fault every 4 KB: three times the arithmetic that is done in it.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, DTypeLike], NDArray[Any]] = {}

    def __call__(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array with anything in it, which is valid until the same name is asked for."""
        size = math.prod(shape)
        held = self._held.get((name, dtype))
        if held is None or held.size < size:
            held = self._held[name, dtype] = np.empty(size, dtype)
        return held[:size].reshape(shape)


work = WorkMemory()


def affine(
    count: int,
    *,
    rotation: Array | float = 0.0,
    shear: Array | float = 0.0,
    scale: Array | float = 1.0,
    shift: Sequence[Array | float] = (0.0, 0.0),
) -> Transforms:
    """Return the transforms of `count` images that are sheared, scaled, rotated and then shifted.

    Rotation (counter-clockwise) and shear (upper rows go right) are in degrees and, like the scale,
    about the middle of the image; a shift is in pixels (down, right). All may differ by image:
    p ↦ A⁻¹ (p − t),  A = R(rotation) H(shear) · scale.
    """
    turn, lean = np.radians(rotation), np.radians(shear)
    cos, sin, slope = np.cos(turn), np.sin(turn), np.tan(lean)
    result = np.empty((2, 3, count), np.float32)
    result[0, 0], result[0, 1] = cos, sin
    result[1, 0], result[1, 1] = slope * cos - sin, slope * sin + cos
    result[:, :2] /= np.asarray(scale, np.float32)
    down, right = shift
    result[:, 2] = -(result[:, 0] * down + result[:, 1] * right)
    return result.transpose(0, 2, 1)


def affine_grid(
    transforms: Transforms, height: int, width: int, out: Coordinates | None = None
) -> Coordinates:
    """Return the coordinates of affine transforms about the middle of the image."""
    # One matrix product, (2n, 3) · (3, pixels), is faster than any broadcast sum.
    middle = np.array([(height - 1) / 2, (width - 1) / 2], np.float32)
    factors = transforms.copy()
    factors[..., 2] += middle[:, None]
    flat = None if out is None else out.reshape(-1, height * width)
    grid = np.matmul(factors.reshape(-1, 3), _centred_pixels(height, width), out=flat)
    return grid.reshape(2, -1, height, width)


@lru_cache(maxsize=8)
def _centred_pixels(height: int, width: int) -> Array:
    """Return (y, x, 1) for every pixel, counted from the middle: shape `(3, height · width)`."""
    y, x = np.indices((height, width), np.float32)
    y -= (height - 1) / 2
    x -= (width - 1) / 2
    return np.stack([y.ravel(), x.ravel(), np.ones(height * width, np.float32)])


def tremor(shape: tuple[int, ...], rng: np.random.Generator) -> Tremor:
    """Draw U(−2¹⁵, 2¹⁵) for the rows and columns of images of `shape` (n, height, width)."""
    size = 2 * math.prod(shape)
    # Smoothing makes 16 random bits as good as any number, and 64 cost no more than a float.
    bits = rng.integers(0, 2**64, -(-size // 4), np.uint64).view(np.int16)
    return bits[:size].reshape(2, *shape)


def displacement(drawn: Tremor, alpha: float, sigma: float) -> Coordinates:
    """Return the elastic deformations (Simard et al. 2003) that a tremor comes to.

    Δ = α G_σ ∗ U(−1, 1), for rows and for columns; the noise ends at the edge of the image.
    **The result is valid until the next call**, which overwrites it.
    """
    *_, height, width = drawn.shape
    noise = work("tremor", drawn.shape, np.float32)
    np.copyto(noise, drawn)
    rows, columns = smoothing(height, sigma) * (alpha / 2**15), smoothing(width, sigma)
    half = np.matmul(noise, columns.T, out=work("half", noise.shape, np.float32))
    return np.matmul(rows, half, out=work("displacement", noise.shape, np.float32))


@lru_cache(maxsize=16)
def smoothing(size: int, sigma: float) -> Array:
    """Return the matrix G that smooths a column of `size` pixels: a Gaussian cut off at 4 σ.

    G·column = scipy.ndimage.gaussian_filter(column, sigma, mode="constant").
    """
    radius = int(4 * sigma + 0.5)
    distance = np.arange(-radius, radius + 1)
    total = np.exp(-0.5 * (distance / sigma) ** 2).sum()
    pixel = np.arange(size)
    distance = np.abs(pixel[:, None] - pixel)
    weights = np.exp(-0.5 * (distance / sigma) ** 2) / total
    matrix: Array = np.where(distance <= radius, weights, 0).astype(np.float32)
    matrix.setflags(write=False)  # everyone gets the same one
    return matrix


def bilinear(images: Array, coordinates: Coordinates, out: Array | None = None) -> Array:
    """Return the values at `coordinates`, which are overwritten. Outside an image all is zero.

    Equals `scipy.ndimage.map_coordinates(order=1, mode="grid-constant")`. Values in [0, 1] stay
    there to the last bit. `out` may be `images`.
    """
    count, height, width = images.shape
    # Zeros around every image: what lies outside is looked up there, and no pixel has to be tested
    # for whether it exists. Beyond the far sides there are two, the second for the lower right
    # neighbour of the first.
    padded = work("padded", (count, height + 3, width + 3), images.dtype)
    padded.fill(0)
    padded[:, 1:-2, 1:-2] = images
    coordinates += 1
    last = np.array([height + 1, width + 1], np.float32).reshape(2, 1, 1, 1)
    np.clip(coordinates, np.float32(0), last, out=coordinates)

    corner = np.floor(coordinates, out=work("corner", coordinates.shape, np.float32))
    coordinates -= corner
    down, right = coordinates  # the way from the upper left of four pixels, in [0, 1)
    index = _flat_index(corner, padded.shape)

    left, side = work("neighbours", (2, 2, *images.shape), images.dtype)
    flat = padded.reshape(-1)
    for row, start in enumerate((0, width + 3)):
        # Moving the array spares moving the index; mode="wrap" is the fastest, and nothing wraps.
        np.take(flat[start:], index, out=left[row], mode="wrap")
        np.take(flat[start + 1 :], index, out=side[row], mode="wrap")
    # a + t (b − a) with b − a rounded never leaves [0, 1]; (1 − t) a + t b may.
    side -= left
    side *= right
    left += side
    upper, lower = left
    lower -= upper
    lower *= down
    values: Array = np.add(upper, lower, out=out)
    return values


def _flat_index(corner: Coordinates, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return where in an array of `shape` (n, height, width) the whole coordinates are."""
    count, height, width = shape
    # In int32 until the last step: half the memory, and no slow conversion of floats to int64.
    row, column = work("whole", corner.shape, np.int32)
    np.copyto(row, corner[0], casting="unsafe")
    np.copyto(column, corner[1], casting="unsafe")
    row *= width
    row += column
    row += np.arange(0, count * height * width, height * width, dtype=np.int32)[:, None, None]
    index = work("index", row.shape, np.intp)
    index[...] = row
    return index


def warp(
    images: Array,
    transforms: Transforms,
    bent: Chosen | None = None,
    displacements: Coordinates | None = None,
) -> None:
    """Resample, in place, those images that move: by a transform, or `bent` by a displacement.

    A displacement is added to where the transform looks, so it is in the pixels of the original.
    """
    still = np.all(transforms == STAY, axis=(0, 2))
    if bent is None or displacements is None:
        chosen, bends = np.flatnonzero(~still), 0
    else:
        # The bent ones go first, so that their displacements are added to a slice.
        still[bent] = True
        chosen, bends = np.concatenate([bent, np.flatnonzero(~still)]), len(bent)
    if len(chosen) == 0:
        return
    _, height, width = images.shape
    shape = (len(chosen), height, width)
    moving = np.take(images, chosen, axis=0, out=work("moving", shape, images.dtype), mode="clip")
    coordinates = work("coordinates", (2, *shape), np.float32)
    affine_grid(transforms[:, chosen], height, width, out=coordinates)
    if bends:
        coordinates[:, :bends] += displacements
    images[chosen] = bilinear(moving, coordinates, out=moving)
