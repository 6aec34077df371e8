"""What can be made or downloaded again: compiled kernels of other versions, data sets, pictures."""

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

from digit_exp.data.download import cache_folder
from digit_exp.runs.folder import records_below
from digit_exp.runs.reuse.manage.garbage import Garbage, item
from digit_exp.tracking.tags import Tag

PACKAGE = Path(__file__).resolve().parents[3]
ABI = f"py{sys.version_info.major}{sys.version_info.minor}{sys.abiflags}"
"""How Numba calls this Python in the names of its files."""


def caches(outputs: Path) -> list[Garbage]:
    """Return what the caches hold that no run below `outputs` is on."""
    return [*_kernels(), *_downloads(outputs)]


def _kernels() -> Iterator[Garbage]:
    """Yield kernels that another Python or another Numba has compiled."""
    import numba

    from digit_exp.data.kernels import affine
    from digit_exp.nn.kernels import relu_backward

    elsewhere = {kernel.cache_folder for kernel in (affine, relu_backward)} - {None}
    folders = {*PACKAGE.rglob("__pycache__"), *elsewhere}
    for index in sorted(path for folder in folders if folder for path in folder.glob("*.nbi")):
        abi = index.stem.rpartition(".")[2]
        if abi != ABI or _version(index) != numba.__version__:
            for file in (index, *sorted(index.parent.glob(f"{index.stem}.*.nbc"))):
                yield item(file, "a kernel that another Python or Numba has compiled")


def _version(index: Path) -> str | None:
    """Return the version of Numba that wrote an index; None if it cannot be read."""
    try:
        with index.open("rb") as file:
            return str(pickle.load(file))
    except (OSError, pickle.UnpicklingError, EOFError, ValueError, AttributeError):
        return None


def _downloads(outputs: Path) -> Iterator[Garbage]:
    """Yield data sets that no run here is on, and pictures that were decoded."""
    used = {record.tags.get(Tag.DATA) for _, record in records_below(outputs)}
    for folder in sorted(path for path in cache_folder("").glob("*") if path.is_dir()):
        if folder.name not in used:
            yield item(folder, "in the cache; it is downloaded or read again when it is needed")
