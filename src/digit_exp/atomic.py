"""Atomic writes: a reader sees the old file or the complete new one, also after a crash.

A file is written under a hidden name beside its place, and moved there when it is complete. A file
to which lines are appended may have half a line at its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield the path of a draft that becomes `path` when the `with` block ends without an error.

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
    """Write a text in UTF-8, atomically, and return the path."""
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8")
    return path


def append_lines(file: Path, lines: str, *, durable: bool = False) -> None:
    """Append lines in one write; if a killed process left half a line, after the end of that."""
    with file.open("ab+") as opened:
        if opened.tell() > 0:
            opened.seek(-1, os.SEEK_END)
            if opened.read() != b"\n":
                lines = f"\n{lines}"
        opened.write(lines.encode())
        if durable:
            opened.flush()
            os.fsync(opened.fileno())


def discard_drafts(folder: Path) -> None:
    """Remove the drafts of killed processes in `folder` and below it.

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
