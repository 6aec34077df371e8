"""Loops over the pixels of images: resampling and noise in one pass over an image in the cache.

Coordinates count as in `scipy.ndimage`: a row, then a column, and the centre of the first pixel is
(0, 0). They say where in the image the value of an output pixel is looked up, so they are the
inverse of the motion that is seen. Coordinates are float32; pixels keep the type of the images.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from digit_exp.arrays import Array
from digit_exp.jit import inline, kernel

Mask = NDArray[np.bool_]
"""Which images of a batch are meant, shape `(n,)`."""

ZERO, ONE = np.float32(0), np.float32(1)


@kernel
def affine(motions: Array, height: int, width: int, out: Array) -> None:
    """Write the coordinate transform of each image: p ↦ c + A⁻¹ (p − c − t), c the image's centre.

    A = R(rotation) H(shear) · scale;  the rows of `motions` are rotation and shear in degrees
    (counter-clockwise; upper rows go right), scale, and the shifts t down and right. `out` has
    shape `(n, 2, 3)`: for a row and a column, the factors of (y, x, 1).
    """
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    for i in range(len(out)):
        turn, slope = math.radians(motions[0, i]), math.tan(math.radians(motions[1, i]))
        cos, sin, scale = math.cos(turn), math.sin(turn), motions[2, i]
        y, x = middle_y + motions[3, i], middle_x + motions[4, i]
        a, b = cos / scale, sin / scale
        c, d = (slope * cos - sin) / scale, (slope * sin + cos) / scale
        out[i, 0, 0], out[i, 0, 1], out[i, 0, 2] = a, b, middle_y - (a * y + b * x)
        out[i, 1, 0], out[i, 1, 1], out[i, 1, 2] = c, d, middle_x - (c * y + d * x)


@kernel
def warp(images: Array, transforms: Array, elastic: Mask, fields: Array) -> None:
    """Resample images in place, bilinearly, at  transform · (y, x, 1) + field.

    scipy.ndimage.map_coordinates(image, coordinates, order=1, mode="grid-constant"). The images
    of the mask `elastic` have the `fields`, in order: shape `(elastic.sum(), 2, height, width)`.
    Values in [0, 1] stay there to the last bit.
    """
    _, height, width = images.shape
    grid = _grid(height, width)
    coordinates, cells = np.empty_like(grid), np.empty((height, width), np.int32)
    # Zeros around the image: one row and column before it, and two behind, so that a clipped
    # coordinate and its lower right neighbour exist.
    values = np.zeros((height + 3, width + 3), images.dtype)
    steps = np.zeros_like(values)
    used = 0
    for i in range(len(images)):
        if not elastic[i] and _is_identity(transforms[i]):
            continue
        _pad(images[i], values, steps)
        _transform(transforms[i], grid, coordinates)
        if elastic[i]:
            _add(fields[used], coordinates)
            used += 1
        _split(coordinates, cells)
        _interpolate(values, steps, cells, coordinates, images[i])


@inline
def _grid(height: int, width: int) -> Array:
    """Return the row and the column of every pixel: np.indices((height, width), np.float32)."""
    grid = np.empty((2, height, width), np.float32)
    for y in range(height):
        for x in range(width):
            grid[0, y, x], grid[1, y, x] = y, x
    return grid


@inline
def _is_identity(transform: Array) -> bool:
    for axis in range(2):
        for factor in range(3):
            if transform[axis, factor] != (ONE if axis == factor else ZERO):
                return False
    return True


@inline
def _pad(image: Array, values: Array, steps: Array) -> None:
    """Copy an image into the middle of `values`; `steps` are the differences to the right."""
    height, width = image.shape
    for y in range(height):
        row = values[y + 1]
        for x in range(width):
            row[x + 1] = image[y, x]
    here, right, step = values.reshape(-1), values.reshape(-1)[1:], steps.reshape(-1)
    for i in range(right.size):
        step[i] = right[i] - here[i]


@inline
def _transform(transform: Array, grid: Array, out: Array) -> None:
    """Write transform · (y, x, 1) for every pixel of the output."""
    y, x = grid[0].reshape(-1), grid[1].reshape(-1)
    for axis in range(2):
        a, b, c = transform[axis, 0], transform[axis, 1], transform[axis, 2]
        coordinate = out[axis].reshape(-1)
        for pixel in range(coordinate.size):
            coordinate[pixel] = a * y[pixel] + b * x[pixel] + c


@inline
def _add(field: Array, coordinates: Array) -> None:
    """Add a field to the coordinates."""
    source, target = field.reshape(-1), coordinates.reshape(-1)
    for i in range(target.size):
        target[i] += source[i]


@inline
def _split(coordinates: Array, cells: NDArray[np.int32]) -> None:
    """Leave of each coordinate its fraction; `cells` are the whole parts, an index into `values`.

    Coordinates outside the padded image, and those that are not a number, are moved to its edge.
    """
    height, width = cells.shape
    stride, bottom, right = width + 3, np.float32(height + 1), np.float32(width + 1)
    rows, columns, cell = coordinates[0].reshape(-1), coordinates[1].reshape(-1), cells.reshape(-1)
    for i in range(cell.size):
        y, x = rows[i] + ONE, columns[i] + ONE
        y = y if y > ZERO else ZERO
        x = x if x > ZERO else ZERO
        y = y if y < bottom else bottom
        x = x if x < right else right
        row, column = np.int32(y), np.int32(x)
        rows[i], columns[i] = y - np.float32(row), x - np.float32(column)
        cell[i] = row * stride + column


@inline
def _interpolate(
    values: Array, steps: Array, cells: NDArray[np.int32], fractions: Array, out: Array
) -> None:
    """Interpolate between four neighbours, along the two rows and then down."""
    height, width = out.shape
    value, step, below = values.reshape(-1), steps.reshape(-1), np.uintp(width + 3)
    for y in range(height):
        for x in range(width):
            cell, down, right = np.uintp(cells[y, x]), fractions[0, y, x], fractions[1, y, x]
            # Of a, b and t in [0, 1], a + t (b − a) is too, however it is rounded.
            upper = value[cell] + right * step[cell]
            lower = value[cell + below] + right * step[cell + below]
            out[y, x] = upper + down * (lower - upper)


@kernel
def look_up(table: Array, uniform: Array, out: Array) -> None:
    """Look up four numbers of 12 bits for each number in [0, 1), the lowest bits first.

    out = table[(uniform * 2**48).astype(int)[:, None] >> [0, 12, 24, 36] & 4095].ravel()
    """
    for i in range(uniform.size):
        bits = np.uint64(uniform[i] * 2.0**48)
        for j in range(4):
            out[4 * i + j] = table[bits & np.uint64(4095)]
            bits >>= np.uint64(12)


@kernel
def add_noise(images: Array, chosen: Mask, noise: Array, std: np.float32) -> None:
    """images[chosen] = np.clip(images[chosen] + std * noise.reshape(-1, height, width), 0, 1)."""
    _, height, width = images.shape
    start = 0
    for i in range(len(images)):
        if chosen[i]:
            for y in range(height):
                row, addend = images[i, y], noise[start : start + width]
                for x in range(width):
                    row[x] = min(max(row[x] + std * addend[x], ZERO), ONE)
                start += width
