"""Mini-batches: rows of stored bytes become float32 images in [0, 1], in one pass."""

from collections.abc import Iterator

import numpy as np

from digit_exp.arrays import Array, Labels, Pixels
from digit_exp.data.dataset import Rows, Split
from digit_exp.jit import kernel

SCALE = np.float32(1 / 255)


def batches(
    split: Split, batch_size: int, order: Rows | None = None
) -> Iterator[tuple[Array, Labels]]:
    """Yield images `(batch, height, width)` and labels, `batch_size` rows at a time.

    `order` holds positions in the split, such as a permutation of them; without it, rows come as
    they stand. The last batch is smaller if the rows do not come out even. **The images are valid
    until the next batch**, which overwrites them. A reader may overwrite them too.

    A pixel is `v · (1/255)` in float32, which may differ from `v / 255` in the last bit.
    """
    rows, labels = split.rows, split.labels
    if order is not None:
        rows, labels = rows[order], labels[order]
    pixels = split.images.reshape(len(split.images), -1)
    images = np.empty((min(batch_size, len(rows)), *split.images.shape[1:]), np.float32)
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        x = images[: len(chosen)]
        gather(pixels, chosen, SCALE, x.reshape(len(x), -1))
        yield x, labels[start : start + batch_size]


@kernel
def gather(images: Pixels, rows: Rows, scale: np.float32, out: Array) -> None:
    """Take rows of flat images and scale their pixels:  `out[:] = images[rows] * scale`.

    Raises IndexError if there is no such row.
    """
    for i in range(rows.size):
        if not 0 <= rows[i] < images.shape[0]:
            raise IndexError("a row number is not that of an image")
        image, x = images[rows[i]], out[i]
        for pixel in range(x.size):
            x[pixel] = np.float32(image[pixel]) * scale
