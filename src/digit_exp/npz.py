"""Files of named arrays: a zip without compression and without pickle, as NumPy writes it.

A file may come from anybody. Sizes that it claims are checked against the file before memory is
taken: reading needs at most a few times the size of the file.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.lib import format as npy

from digit_exp.atomic import whole

Arrays = dict[str, np.ndarray]


class ArchiveError(ValueError):
    """A file without complete arrays; the message says what is wrong with it."""


def write_arrays(path: Path, entries: Mapping[str, np.ndarray]) -> Path:
    """Write arrays to `path`, atomically, and return the path."""
    with whole(path, durable=True) as draft, draft.open("wb") as file:
        np.savez(file, allow_pickle=False, **entries)
    return path


def read_arrays(path: Path) -> Arrays:
    """Return the arrays in `path`; raise ArchiveError if it is damaged or not from this program."""
    if not path.is_file():  # opening a pipe would block
        raise ArchiveError("there is no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_harm(archive.infolist(), path.stat().st_size)
            return {
                info.filename.removesuffix(".npy"): _array(archive, info)
                for info in archive.infolist()
            }
    except ArchiveError:
        raise
    # RuntimeError: a damaged flag claims that an entry is encrypted or of a later format
    except (zipfile.BadZipFile, EOFError, RuntimeError, UnicodeError) as error:
        reason = str(error) or "it ends too early"
        raise ArchiveError(f"it is damaged or no .npz file ({reason})") from error
    except (ValueError, OSError, MemoryError) as error:
        raise ArchiveError(f"it cannot be read ({error})") from error


def refuse_harm(entries: list[zipfile.ZipInfo], size: int) -> None:
    """Raise ArchiveError unless all entries fit into a file of `size` bytes, one after another."""
    names = [entry.filename for entry in entries]
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        # Ours never are; refusing keeps the memory needed below the size of the file.
        raise ArchiveError("it holds compressed entries, so it is not ours")
    for name in names:
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise ArchiveError(f"its entry {name!r} is a path out of it, so it is not ours")
    if len(set(names)) < len(names):
        raise ArchiveError("it holds two entries of one name")
    if sum(entry.file_size for entry in entries) > size:
        raise ArchiveError("its entries lie one over the other, or claim to be larger than it is")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    entry = f"its entry {info.filename.removesuffix('.npy')}"
    try:
        file = io.BytesIO(archive.read(info))  # which checks the CRC
        if (version := npy.read_magic(file)) != (1, 0):
            raise ValueError(f"it has version {version} of the format")
        shape, _, dtype = npy.read_array_header_1_0(file)
    except zipfile.BadZipFile as error:
        raise ArchiveError(f"{entry} is damaged ({error})") from error
    # NumPy takes a header for a piece of Python
    except (ValueError, SyntaxError, TokenError, TypeError, RecursionError, MemoryError) as error:
        raise ArchiveError(f"{entry} is no array ({error})") from error
    if dtype.hasobject:
        raise ArchiveError(f"{entry} holds Python objects, which could run a program")
    if math.prod(shape) * dtype.itemsize != file.getbuffer().nbytes - file.tell():
        raise ArchiveError(f"{entry} is not as large as its header says")
    file.seek(0)
    array: np.ndarray = npy.read_array(file, allow_pickle=False)
    return array
