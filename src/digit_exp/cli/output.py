"""What is printed must not cost a run: the reader of a pipe may go, the disk of a log be full."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDERR = 2


class _Output(io.FileIO):
    """A file that drops what it can no longer write, and says so once if that is news."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            # who closed the pipe or the terminal knows, and the error's own output has no other
            if error.errno not in (errno.EPIPE, errno.EIO) and self.fileno() != STDERR:
                print(f"the output is cut off: {error.strerror}", file=sys.stderr)
            return memoryview(data).nbytes


@contextmanager
def lasting_output() -> Iterator[None]:
    """Let standard output and error break off without an error, and write them line by line."""
    before = sys.stdout, sys.stderr
    sys.stderr = _lasting(sys.stderr)
    sys.stdout = _lasting(sys.stdout)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def _lasting(stream: TextIO) -> TextIO:
    try:
        stream.flush()
        file = _Output(stream.fileno(), "w", closefd=False)
    except (OSError, AttributeError):  # no file: in a notebook, a test, a program without a console
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=True,
    )
