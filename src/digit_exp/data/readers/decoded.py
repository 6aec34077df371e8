"""Keeps images that took long to decode, until the files that they were made from change."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from digit_exp.arrays import Pixels
from digit_exp.atomic import whole
from digit_exp.data.download import cache_folder

VERSION = 1
"""Of what decoding does; another number leaves older files unread."""


def decoded(files: Iterable[Path], how: object, decode: Callable[[], Pixels]) -> Pixels:
    """Return `decode()`, or what it returned for the same files.

    Files are the same if path, size and time of change are. `how` is what else the result depends
    on. A cache that cannot be written is no error.
    """
    try:
        stats = [(str(file.resolve()), file.stat()) for file in files]
    except OSError:  # decoding says of which file that is
        return decode()
    place = repr((VERSION, how, [name for name, _ in stats]))
    state = repr([(stat.st_size, stat.st_mtime_ns) for _, stat in stats])
    kept = cache_folder("decoded") / f"{_digest(place)}.npz"
    unusable = suppress(OSError, ValueError, KeyError, zipfile.BadZipFile)
    with unusable, np.load(kept, allow_pickle=False) as file:
        if str(file["state"]) == _digest(state):
            images: Pixels = file["images"]
            return images
    images = decode()
    with suppress(OSError), whole(kept) as draft, draft.open("wb") as file:
        np.savez(file, allow_pickle=False, images=images, state=np.array(_digest(state)))
    return images


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
