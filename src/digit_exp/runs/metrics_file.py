"""Metrics over time as a file: a line of JSON for each point, null for what is not finite."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

from digit_exp.atomic import append_lines
from digit_exp.tracking.base import Epoch


def read(file: Path, counter: str = "epoch") -> list[Epoch]:
    """Return the points of a file, the first one first; a line that was cut off is left out.

    `counter` is the key of a point's number. Raises OSError if there is no file.
    """
    found: dict[int, Epoch] = {}
    for line in file.read_bytes().splitlines():
        try:
            values = json.loads(line)
            number, at = values.pop(counter), values.pop("time")
        except (ValueError, KeyError):
            continue
        metrics = {name: math.nan if value is None else value for name, value in values.items()}
        found[number] = Epoch(number, at, metrics)
    return [found[number] for number in sorted(found)]


def append(file: Path, points: Iterable[Epoch], counter: str = "epoch") -> None:
    """Append points to a file; also after half a line, of a process that was killed."""
    append_lines(file, "".join(_line(point, counter) for point in points))


def _line(point: Epoch, counter: str) -> str:
    finite = {
        name: float(value) if math.isfinite(value) else None
        for name, value in point.metrics.items()
    }
    return json.dumps({counter: point.number, "time": point.time, **finite}) + "\n"
