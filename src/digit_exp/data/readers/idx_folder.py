"""The four IDX files of a data set in one folder, by any of their usual names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from digit_exp.arrays import Pixels
from digit_exp.data import idx
from digit_exp.data.assemble import assemble
from digit_exp.data.dataset import Dataset
from digit_exp.data.idx import DataError

TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
FILES = (*TRAIN, *TEST)


def read_folder(
    name: str, folder: str | Path, *, transpose: bool = False, first_label: int = 0
) -> Dataset:
    """Read the four IDX files of `folder`, by any of their usual names or those of their publisher.

    `transpose` swaps rows and columns; `first_label` is the label that becomes class 0.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise DataError(f"data.dir: {folder} is not a folder. Give the one with the IDX files")
    train_images, train_labels, test_images, test_labels = (_find(folder, file) for file in FILES)
    train = idx.read_images(train_images), idx.read_labels(train_labels) - first_label
    test = idx.read_images(test_images), idx.read_labels(test_labels) - first_label
    if (least := min(train[1].min(), test[1].min())) < 0:
        raise DataError(
            f"{folder} has the label {least + first_label}, below data.first_label={first_label}."
            " Set it to the smallest label of the files"
        )
    if transpose:
        train, test = ((_transposed(images), labels) for images, labels in (train, test))
    try:
        return assemble(name, train, test)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def _transposed(images: Pixels) -> Pixels:
    turned: Pixels = np.ascontiguousarray(images.swapaxes(1, 2))
    return turned


def _find(folder: Path, file: str) -> Path:
    dotted = file.replace("-idx", ".idx")  # an unpacker of long ago wrote the dot
    names = (file, dotted, f"{file}.gz", f"{dotted}.gz")
    for name in names:
        if (folder / name).exists():
            return folder / name
    # as EMNIST and QMNIST call them: emnist-digits-test-images-idx3-ubyte.gz
    ending = file.partition("-idx")[0].replace("t10k", "test")
    found = {path.name.removesuffix(".gz"): path for path in folder.glob(f"*-{ending}-idx*")}
    if len(found) == 1:
        return found.popitem()[1]
    if found:
        listed = ", ".join(sorted(found))
        raise DataError(
            f"{folder} has several files of one kind: {listed}. Keep one data set there"
        )
    raise DataError(f"{folder} lacks a file: it must hold one of {', '.join(names)}")
