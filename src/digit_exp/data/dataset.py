"""The data of a run: uint8 images with integer labels, never copied, never one-hot.

A `Split` refers to rows of an image array. Choosing a subset chooses row numbers, so that the
training and validation sets share the memory of the file they come from, memory-mapped or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digit_exp.arrays import Labels, Pixels

Rows = NDArray[np.intp]
"""Row numbers, shape `(n,)`."""


@dataclass(frozen=True)
class Split:
    """Some rows of an image array and their labels."""

    images: Pixels  # (all rows, height, width); shared between splits
    rows: Rows  # (n,): which of them belong to this split
    labels: Labels  # (n,): one for each of `rows`

    @classmethod
    def of(cls, images: Pixels, labels: Labels) -> Split:
        """Make a split of all rows."""
        return cls(images, np.arange(len(images)), labels.astype(np.intp, copy=False))

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, positions: Rows) -> Split:
        """Return the split that has the rows at `positions` of this one."""
        return Split(self.images, self.rows[positions], self.labels[positions])


@dataclass(frozen=True)
class Dataset:
    """A training set and a test set with the names of their classes.

    `digest` is the SHA-256 of the decompressed files, or of what made the data: two data sets
    with one digest are the same to the bit.
    """

    name: str
    train: Split
    test: Split
    classes: int
    digest: str
    remarks: Sequence[str] = ()
    """Warnings about the data, and what to set."""
    named: Sequence[str] = ()
    """The names of the classes, if they have names and are not numbers."""

    @property
    def class_names(self) -> list[str]:
        """What each class is called: by its name, or else by its number."""
        numbers = [str(number) for number in range(self.classes)]
        return list(self.named) if len(self.named) == self.classes else numbers

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of an image, in pixels."""
        height, width = self.train.images.shape[1:]
        return height, width
