"""Files that are whole or absent: what a crash, a full disk or a signal interrupts leaves no trace.

A file is written beside its place, under a hidden name, and moved there when it is complete.
Whoever opens it meanwhile finds the old file or the new one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield the place of a draft that becomes `path` when the `with` block ends without an error.

    The folder is made. `durable`: wait until the disk has it, so that not even a power cut can
    leave an empty file. Raises OSError, and then the old file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path)
    try:
        yield draft
        if durable:
            _reach_the_disk(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write a text in UTF-8, whole or not at all, and return the path."""
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8")
    return path


def discard_drafts(folder: Path) -> None:
    """Remove what killed processes have left in `folder` and in the folders below it.

    Only for a folder on which no other process works.
    """
    for draft in folder.rglob(".*.draft"):
        draft.unlink(missing_ok=True)


def _draft(path: Path) -> Path:
    # a file name may have 255 bytes, and the draft's is longer than the file's
    stem = path.name.encode()[:200].decode(errors="ignore")
    return path.with_name(f".{stem}.{os.getpid()}.draft")


def _reach_the_disk(file: Path) -> None:
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())
