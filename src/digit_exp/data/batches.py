"""Mini-batches: rows of stored bytes become float32 images in [0, 1].

This is the inner loop of training, so a batch is gathered and converted in two buffers that are
made once. Nothing is allocated from batch to batch.
"""

from collections.abc import Iterator

import numpy as np

from digit_exp.arrays import Array, Labels
from digit_exp.data.dataset import Rows, Split
from digit_exp.parts import Part
from digit_exp.team import spread


def batches(
    split: Split, batch_size: int, order: Rows | None = None, images: Array | None = None
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
    shape = (min(batch_size, len(rows)), *split.images.shape[1:])
    pixels = np.empty(shape, np.uint8)
    images = np.empty(shape, np.float32) if images is None else images
    scale = np.float32(1 / 255)
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        x = images[: len(chosen)]

        def fetch(part: Part, chosen: Rows = chosen, x: Array = x) -> None:
            own = part.of(len(x))
            # mode="raise" would gather into a copy first
            stored = np.take(split.images, chosen[own], axis=0, out=pixels[own], mode="clip")
            np.copyto(x[own], stored)  # a cast alone is faster than a product of bytes and floats
            x[own] *= scale

        spread(fetch)
        yield x, labels[start : start + batch_size]
