"""What is printed: tables, JSON, and streams that never end a run.

The reader of a pipe may go, the disk of a log be full, a terminal lack a character.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import math
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDOUT, STDERR = 1, 2
GAP = "  "
WIDEST_RULE = 100
READABLE = "digit_exp.readable"
"""The name, for Python's codecs, of what is done with a character that an encoding lacks."""
PLAIN = {"×": "x", "─": "-", "−": "-", "–": "-", "…": "...", "→": "->", "±": "+-", "·": "-"}
"""What stands for such a character, if it is to be more than a question mark."""


def columns(
    title: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int] = ()
) -> str:
    """Return lines with aligned columns, those at `numbers` to the right. No cell is cut.

    >>> print(columns(["run", "acc"], [["a", "98.1"], ["long", "7"]], [1]), end="")
    run    acc
    ──────────
    a     98.1
    long     7
    """
    cells = [title, *rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(title))]
    lines = []
    for row in cells:
        padded = [
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(GAP.join(padded).rstrip())
    lines.insert(1, "─" * min(WIDEST_RULE, len(GAP.join("x" * width for width in widths))))
    return "\n".join(lines) + "\n"


def print_json(value: object) -> None:
    """Print strict JSON: a number that is not finite becomes null."""
    print(json.dumps(_finite(value), indent=2, allow_nan=False))


class Finding(Protocol):
    """What a command has found out, for a person and for a program."""

    def lines(self) -> Iterable[str]:
        """Return it as lines of text."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""


def print_finding(found: Finding, *, json: bool) -> None:
    """Print what a command has found out."""
    if json:
        print_json(found.as_json())
    else:
        print(*found.lines(), sep="\n")


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


class _Output(io.FileIO):
    """A file that drops what it can no longer write, and says so once if that is news.

    There is no buffer in front of it. When a signal ends a write by an exception, a buffer would
    not know that the line was written, and write it again.
    """

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            view = memoryview(data).cast("B")
            written = 0
            while written < len(view):  # a pipe may take a part
                written += super().write(view[written:]) or 0
            return written
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
    sys.stderr = _lasting(sys.stderr or _nowhere(STDERR))
    sys.stdout = _lasting(sys.stdout or _nowhere(STDOUT))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def _nowhere(number: int) -> TextIO:
    """Return a stream for one that was closed before the start, as by `>&-`.

    Its number is taken, if it is free: else a file that is opened later would get it, and whatever
    other programs write to their standard output.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.fstat(number)
    except OSError:
        os.dup2(nowhere, number)
    return open(nowhere, "w", encoding="utf-8", closefd=False)


def _lasting(stream: TextIO) -> TextIO:
    try:
        stream.flush()
        file = _Output(stream.fileno(), "w", closefd=False)
    except (OSError, AttributeError):  # no file: in a notebook, a test, a program without a console
        return stream
    return io.TextIOWrapper(
        file,
        encoding=stream.encoding,
        errors=READABLE,
        line_buffering=True,
    )


def _readable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return what stands for a character that the encoding of a terminal lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letter, end = error.object[error.start], error.start + 1
    if "\udc80" <= letter <= "\udcff":  # a byte of a file name, which need not be text
        return letter.encode("ascii", "surrogateescape"), end
    return PLAIN.get(letter, "?"), end


codecs.register_error(READABLE, _readable)
