"""Pictures in folders, one for each class, become images of one size.

FOLDER/CLASS/*.png, of which a share is held out for testing; or FOLDER/train/CLASS/*.png and
FOLDER/test/CLASS/*.png.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from digit_exp.arrays import Pixels
from digit_exp.data.assemble import Images, assemble, hold_out
from digit_exp.data.dataset import Dataset
from digit_exp.data.idx import DataError
from digit_exp.data.readers.decoded import decoded
from digit_exp.vision.decode import SUFFIXES, UNREAD, PictureError, decode
from digit_exp.vision.normalize import fill, normalize
from digit_exp.vision.segmentation import NoDigit

TRAIN, TEST = ("train", "training"), ("test", "testing")
MAX_CLASSES = 256
MOST = 10
"""Damaged files that an error names."""

Shape = tuple[int, int]


def read_pictures(
    folder: str | Path, shape: Shape, is_character: bool, test_ratio: float
) -> Dataset:
    """Read the pictures of `folder`. Raises DataError, which names each file that is unusable."""
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise DataError(f"data.dir: {folder} is not a folder. Give the one with the classes")
    train, test = (_subfolder(folder, names) for names in (TRAIN, TEST))
    if (train is None) != (test is None):
        there, lacking = ("train", "test") if train else ("test", "train")
        raise DataError(
            f"{folder} has a folder {there}, but no {lacking}. Give both, or put the folders of the"
            " classes directly into it"
        )
    classes = _classes(train or folder)
    files = _files(train or folder, classes)
    _require_pictures(train or folder, files)
    images = _read(files, shape, is_character)
    if test is None:
        parts = hold_out(*images, test_ratio)
    else:
        if unknown := set(_classes(test)) - set(classes):
            raise DataError(f"{test} has the class {min(unknown)!r}, which {train} has not")
        tested = _files(test, classes)
        if not any(tested.values()):
            raise DataError(f"the folders of {test} hold no pictures ({', '.join(SUFFIXES)})")
        parts = images, _read(tested, shape, is_character)
    return replace(assemble("folder", *parts), classes=len(classes), named=classes)


def _subfolder(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _classes(folder: Path) -> list[str]:
    """Return the names of the classes: in the order of their numbers if all are numbers."""
    names = [
        each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")
    ]
    if not 2 <= len(names) <= MAX_CLASSES:
        raise DataError(
            f"{folder} holds {len(names)} folders of pictures, one for each class; 2 to"
            f" {MAX_CLASSES} are allowed"
        )
    are_numbers = all(name.isdecimal() for name in names)
    return sorted(names, key=lambda name: (int(name) if are_numbers else 0, name))


def _require_pictures(folder: Path, files: Mapping[str, Sequence[Path]]) -> None:
    """Raise DataError if a class has nothing to be learnt from."""
    for name, pictures in files.items():
        if not pictures:
            raise DataError(
                f"{folder / name} has no pictures ({', '.join(SUFFIXES)}). Put some in, or remove"
                " the folder"
            )


def _files(folder: Path, classes: Sequence[str]) -> dict[str, list[Path]]:
    """Return the pictures of each class, those that cannot be read among them."""
    return {name: _pictures(folder / name) if (folder / name).is_dir() else [] for name in classes}


def _read(files: Mapping[str, Sequence[Path]], shape: Shape, is_character: bool) -> Images:
    every = [file for some in files.values() for file in some]
    labels = np.repeat(np.arange(len(files)), [len(some) for some in files.values()])
    images = decoded(every, (shape, is_character), lambda: _decode_all(every, shape, is_character))
    return images, labels


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES + UNREAD)


def _decode_all(files: Sequence[Path], shape: Shape, is_character: bool) -> Pixels:

    def one(file: Path) -> Pixels | str:
        try:
            levels = decode(file.read_bytes())
            return normalize(levels, shape) if is_character else fill(levels, shape)
        except (PictureError, NoDigit, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            return f"{file}: {reason or error}"

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(one, files))
    if wrong := [result for result in results if isinstance(result, str)]:
        more = f"\n  and {len(wrong) - MOST} more" if len(wrong) > MOST else ""
        raise DataError(
            f"{len(wrong)} of {len(files)} pictures cannot be used; mend or remove them:\n  "
            + "\n  ".join(wrong[:MOST])
            + more
        )
    return np.stack([result for result in results if not isinstance(result, str)])
