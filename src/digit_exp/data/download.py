"""Downloads the files of a data set once, into a cache folder.

pooch checks every file and gives it its name when it is complete. What it lacks is added here:
several mirrors, transfers that continue after an interruption, and a lock, so that processes that
start together download a file once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path

from filelock import FileLock

from digit_exp.data.idx import DataError

TIMEOUT = 30.0
"""Seconds without a byte after which the next mirror is tried."""
ROUNDS = 5
"""How often all mirrors are tried, as long as each round makes progress."""
MAX_BYTES = 1 << 28
"""No file here is larger: more is not read."""
CHUNK = 1 << 13
"""Bytes that are read at once; an interruption loses less than that."""


def cache_folder(dataset: str) -> Path:
    """Return the folder for the files of `dataset`, below `$DIGIT_EXP_CACHE` if that is set."""
    if chosen := os.environ.get("DIGIT_EXP_CACHE"):
        return Path(chosen).expanduser() / dataset
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():  # the XDG standard: unset, empty and relative are the same
        caches = Path.home() / ".cache"
    return caches / "digit_exp" / dataset


def fetch(name: str, mirrors: Sequence[str], sha256: str, folder: Path) -> Path:
    """Return `folder/name`, and download it first if it is missing or damaged.

    A mirror is the address of a folder, with a slash at its end. Raises DataError with the reason
    for every mirror.
    """
    path = folder / name
    try:
        if not is_genuine(path, sha256):
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f"{name}.lock"):
                _download(path, mirrors, sha256)
    except OSError as error:
        raise DataError(
            f"the cache folder {folder} cannot be used ({error.strerror}): set DIGIT_EXP_CACHE to"
            " one that can be written, or give a folder with the files, data.dir=FOLDER"
        ) from error
    return path


def is_genuine(path: Path, sha256: str) -> bool:
    """Check a cached file without importing pooch, which is slow."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _download(path: Path, mirrors: Sequence[str], sha256: str) -> None:
    from pooch import Pooch

    part = path.with_name(f"{path.name}.part")
    failures: dict[str, str] = {}
    for _ in range(ROUNDS):
        before = _size(part)
        for mirror in mirrors:
            source = Pooch(path.parent, mirror, registry={path.name: f"sha256:{sha256}"})
            try:
                source.fetch(path.name, downloader=partial(_transfer, part))
                return
            except OSError as error:  # requests raises subclasses of it
                failures[mirror + path.name] = str(error)
            except ValueError:  # pooch found another checksum, and deleted the file
                failures[mirror + path.name] = "it sends another file: the checksum is wrong"
        if _size(part) == before:
            break
    reasons = "".join(f"\n  {url}: {reason}" for url, reason in failures.items())
    raise DataError(
        f"{path.name} could not be downloaded from any mirror:{reasons}\n"
        "Try again later (what arrived is kept), or get the files in another way and give their"
        " folder: data.dir=FOLDER"
    )


def _transfer(part: Path, url: str, target: str, _: object) -> None:
    """Append to `part` what is missing of the file at `url`, and move it to `target`.

    pooch then checks it. Mirrors have the same file, so one continues what another began.
    """
    import requests

    start = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, headers=headers, timeout=TIMEOUT, stream=True) as response:
        if not start or response.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            response.raise_for_status()
            continues = response.status_code == HTTPStatus.PARTIAL_CONTENT
            with part.open("ab" if continues else "wb") as file:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    if file.tell() > MAX_BYTES:
                        break
    part.replace(target)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
