"""Images in CSV files as Kaggle has them: a label and the pixels of one image on each line."""

from __future__ import annotations

import csv
import gzip
import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digit_exp.arrays import Pixels
from digit_exp.data.assemble import Images, assemble, hold_out
from digit_exp.data.dataset import Dataset
from digit_exp.data.idx import DataError
from digit_exp.data.readers.decoded import decoded

Shape = tuple[int, int]
Table = NDArray[np.uint8]
"""Labels in the first column, pixels in the others."""

BYTE = 255
LEAST = 2
"""Columns: a label and a pixel."""


def read_csv(
    train: str, test: str | None, label: str, shape: Shape | None, test_ratio: float
) -> Dataset:
    """Read the CSV files. Raises DataError, which names the file and the line.

    Without a file for testing, a share of the lines is held out. Without a shape, images are
    square.
    """
    images = _read(Path(train).expanduser(), label, shape)
    if test is None:
        return assemble("csv", *hold_out(*images, test_ratio))
    return assemble("csv", images, _read(Path(test).expanduser(), label, shape))


def _read(path: Path, label: str, shape: Shape | None) -> Images:
    if not path.is_file():
        raise DataError(f"{path} is not a file. Give a CSV file, gzipped or not")
    table = decoded([path], label, lambda: _parse(path, label))
    height, width = shape or (math.isqrt(table.shape[1] - 1),) * 2
    if height * width != table.shape[1] - 1:
        raise DataError(
            f"{path} has {table.shape[1] - 1} pixels on a line, which make no image of {height} ×"
            f" {width}. Set data.height and data.width"
        )
    pixels: Pixels = np.ascontiguousarray(table[:, 1:]).reshape(-1, height, width)
    return pixels, table[:, 0].astype(np.intp)


def _parse(path: Path, label: str) -> Table:
    column, skipped = _label_column(path, label)
    try:
        values = np.loadtxt(
            path,
            np.int32,
            comments=None,
            delimiter=",",
            skiprows=skipped,
            ndmin=2,
            encoding="utf-8-sig",  # as Excel writes it
            quotechar='"',
        )
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{path}{_place(str(error), skipped)}. Each line must have the same number of whole"
            " numbers, separated by commas"
        ) from error
    outside = (values < 0) | (values > BYTE)
    if outside.any():
        line, at = (int(place[0]) for place in np.nonzero(outside))
        what = "label" if at == column else "pixel"
        raise DataError(
            f"{path}, line {line + skipped + 1}, column {at + 1}: the {what} {values[line, at]} is"
            f" not from 0 to {BYTE}"
        )
    return np.concatenate([values[:, [column]], np.delete(values, column, 1)], 1).astype(np.uint8)


def _place(error: str, skipped: int) -> str:
    """Say in which line of the file NumPy found what it did not expect."""
    if found := re.search(r"string (.*) to int32 at row (\d+), column (\d+)", error):
        text, row, column = found.groups()
        return f", line {int(row) + skipped + 1}, column {column}: {text} is no whole number"
    if found := re.search(r"columns changed from (\d+) to (\d+) at row (\d+)", error):
        expected, got, row = found.groups()
        return f", line {int(row) + skipped}: it has {got} columns, not {expected}"
    return f": {error}"


def _label_column(path: Path, label: str) -> tuple[int, int]:
    """Return the column of the labels, and how many lines the header has: none or one.

    Without a header the label comes first.
    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig") as file
        ):
            reader = csv.reader(file)
            first, second = ([cell.strip() for cell in next(reader, [])] for _ in range(2))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file: {error}") from error
    if len(first) < LEAST or not (second or _is_number(first[0])):
        raise DataError(f"{path} holds no lines with a label and pixels, separated by commas")
    if all(map(_is_number, first)):
        return 0, 0
    if label not in first:
        names = ", ".join(first[:3])
        raise DataError(
            f"{path} has no column {label!r}; it begins with {names}. Set data.label to the column"
            " of the classes. A file without labels, as Kaggle's test.csv, cannot be used"
        )
    return first.index(label), 1


def _is_number(cell: str) -> bool:
    return cell.lstrip("-").replace(".", "", 1).isdigit()
