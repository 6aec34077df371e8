"""Makes a data set of training and test arrays, if they fit together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from digit_exp.arrays import Labels, Pixels
from digit_exp.data import idx
from digit_exp.data.dataset import Dataset, Split
from digit_exp.data.idx import DataError
from digit_exp.data.splits import train_val_split
from digit_exp.rng import Rng

Images = tuple[Pixels, Labels]
"""Images with their labels."""


def assemble(name: str, train: Images, test: Images) -> Dataset:
    """Make a data set of images and labels. Raises DataError if they do not fit together."""
    _check_fit(train, test)
    (train_images, train_labels), (test_images, test_labels) = train, test
    return Dataset(
        name=name,
        train=Split.of(train_images, train_labels),
        test=Split.of(test_images, test_labels),
        classes=int(max(train_labels.max(), test_labels.max())) + 1,
        digest=combined(
            idx.sha256(values.astype(np.uint8, copy=False)) for values in (*train, *test)
        ),
        remarks=[
            *_first_label(train_labels, test_labels),
            *_not_trained(train_labels, test_labels),
        ],
    )


def hold_out(images: Pixels, labels: Labels, test_ratio: float) -> tuple[Images, Images]:
    """Divide into training and test images, of every class its share, the same ones each time."""
    parts = train_val_split(
        Split.of(images, labels), val_ratio=test_ratio, rng=Rng(0)("test"), stratified=True
    )
    train, test = ((images[part.rows], part.labels) for part in parts)
    if not len(test[1]):
        raise DataError(
            f"{test_ratio} of {len(labels)} images leaves none for testing. Set data.test_ratio"
            " higher, or give a test set"
        )
    return train, test


def _first_label(train: Labels, test: Labels) -> Iterator[str]:
    least, most = min(train.min(), test.min()), max(train.max(), test.max())
    if least:
        classes = "class 0 has" if least == 1 else f"classes 0 to {least - 1} have"
        yield (
            f"labels go from {least} to {most}: {classes} no image;"
            f" if {least} is the first class, set data.first_label={least} (data=idx)"
        )


def _not_trained(train: Labels, test: Labels) -> Iterator[str]:
    unknown = np.setdiff1d(test, train)
    if len(unknown):
        share = np.isin(test, unknown).mean()
        yield (
            f"{share:.1%} of the test images have a label that no training image has"
            f" ({', '.join(map(str, unknown[:5]))}{', ...' if len(unknown) > 5 else ''}):"
            " the network cannot learn it, and reads them wrong. Take both files from the same set"
        )


def combined(sha256: Iterable[str]) -> str:
    """Return the digest of a data set whose files, decompressed, have these checksums."""
    return hashlib.sha256("".join(sha256).encode()).hexdigest()


def _check_fit(train: Images, test: Images) -> None:
    for part, (images, labels) in {"training": train, "test": test}.items():
        if len(images) != len(labels):
            raise DataError(
                f"there are {len(images)} {part} images, but {len(labels)} {part} labels."
                " Take both files from the same set"
            )
    here, there = (" × ".join(map(str, images.shape[1:])) for images, _ in (train, test))
    if here != there:
        raise DataError(
            f"training images have {here} pixels, test images {there}. They must agree:"
            " take all files from the same set"
        )
    labels = train[1]
    if labels.min() == labels.max():
        raise DataError(
            f"all training labels are {labels[0]}, and a classifier needs at least two classes."
            " Give a training set with more of them"
        )
