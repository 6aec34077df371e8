"""Files from the net, kept in a cache folder: resumable, checked, complete or absent.

A transfer goes to a `.part` file, which a later try continues. Only a file whose checksum is
right gets its final name, in one step. Mirrors compress the same data differently, and some
publish the checksum of the archive, others that of its contents: either of them proves a file.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from filelock import FileLock

from digit_exp.data.idx import DataError

TIMEOUT = 30.0
"""Seconds without a byte before a mirror is given up."""

TRIES = 5
"""How often one mirror is asked, as long as each time brings new bytes."""

MAX_BYTES = 1 << 28
"""No file here is larger, neither as it travels nor decompressed. More is cut off."""

CHUNK = 1 << 18


def cache_folder(dataset: str) -> Path:
    """Return the folder for the files of `dataset`, below `$DIGIT_EXP_CACHE` if that is set."""
    if chosen := os.environ.get("DIGIT_EXP_CACHE"):
        return Path(chosen).expanduser() / dataset
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():  # the XDG standard: unset, empty and relative are the same
        caches = Path.home() / ".cache"
    return caches / "digit_exp" / dataset


def fetch(name: str, mirrors: Sequence[str], sha256: str, folder: Path) -> Path:
    """Return `folder/name`, downloaded from the first of `mirrors` that has it, if it must be.

    A mirror is the address of a folder, with a slash at its end. `sha256` is that of the file as
    it travels or of what it decompresses to. Raises DataError, with what became of every mirror.
    """
    path = folder / name
    if path.is_file() and _is_genuine(path, sha256):
        return path
    with _locked(path):
        if path.is_file() and _is_genuine(path, sha256):  # another process was faster
            return path
        _download(path, [mirror + name for mirror in mirrors], sha256)
    return path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from the same file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f"{path.name}.lock"))
        lock.acquire()
    except OSError as error:
        raise DataError(
            f"the cache folder {path.parent} cannot be written ({error.strerror}): set"
            " DIGIT_EXP_CACHE to one that can, or give a folder with the files, data.dir=FOLDER"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _download(path: Path, urls: Sequence[str], sha256: str) -> None:
    failures = []
    for url in urls:
        # each mirror has a part of its own: the bytes of one do not continue those of another
        part = path.with_name(f"{path.name}.{zlib.crc32(url.encode()):08x}.part")
        try:
            _obtain(url, part, sha256)
        except (OSError, HTTPException) as error:
            failures.append(f"\n  {url}: {error}")
        except DataError as error:
            failures.append(f"\n  {url}: {error}")
            part.unlink()
        else:
            part.replace(path)
            for leftover in path.parent.glob(f"{path.name}.*.part"):
                leftover.unlink()
            return
    raise DataError(
        f"{path.name} could not be downloaded from any mirror:{''.join(failures)}\n"
        "Try again later (what arrived is kept), or get the files in another way and give their"
        " folder: data.dir=FOLDER"
    )


def _obtain(url: str, part: Path, sha256: str) -> None:
    """Bring the file at `url` to `part` and check it."""
    continued = part.exists()
    _transfer_patiently(url, part)
    if continued and not _is_genuine(part, sha256):
        part.unlink()  # perhaps two halves of different versions: once more, from the first byte
        _transfer_patiently(url, part)
    if not _is_genuine(part, sha256):
        with part.open("rb") as file:
            beginning = file.read(15)
        raise DataError(f"its checksum is wrong, it is something else ({beginning!r}...)")


def _transfer_patiently(url: str, part: Path) -> None:
    """Transfer, and after an interruption go on, as long as that brings new bytes."""
    for tries_left in reversed(range(TRIES)):
        before = _size(part)
        try:
            _transfer(url, part)
            break
        except (OSError, HTTPException):
            if not tries_left or _size(part) <= before:
                raise


def _transfer(url: str, part: Path) -> None:
    """Append what is missing of the file at `url`, or write all of it if the server insists."""
    start = _size(part)
    headers = {"User-Agent": "digit-exp"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            return  # nothing is missing: the checksum tells whether it is right
        raise
    with response:
        continues = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        with part.open("ab" if start and continues else "wb") as file:
            _receive(response, file)


def _receive(response: HTTPResponse, file: BinaryIO) -> None:
    while chunk := response.read(CHUNK):
        file.write(chunk)
        if file.tell() > MAX_BYTES:
            raise DataError(f"sends more than the {MAX_BYTES:,} bytes that any file here has")
    if response.length:
        raise ConnectionError(f"the connection ended {response.length:,} bytes too early")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_genuine(path: Path, sha256: str) -> bool:
    """Tell whether the file, or what it decompresses to, has this checksum."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
            return True
    try:
        return _decompressed_sha256(path) == sha256
    except (OSError, EOFError, zlib.error):  # no gzip, or a damaged one
        return False


def _decompressed_sha256(path: Path) -> str | None:
    """Return the SHA-256 of the contents of a gzip file, or None if there are too many."""
    digest, total = hashlib.sha256(), 0
    with gzip.open(path) as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            total += len(chunk)
            if total > MAX_BYTES:
                return None
    return digest.hexdigest()
