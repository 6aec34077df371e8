"""Pictures that a person names, and what a run's network reads in them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digit_exp.arrays import Array, Pixels
from digit_exp.nn.network import Network
from digit_exp.runs.reuse.found_run import FoundRun, RunError
from digit_exp.runs.reuse.serving import image_shape
from digit_exp.training.calibration import tempered
from digit_exp.vision.decode import MAX_BYTES, Grey, PictureError, decode

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
"""Files of a folder that are taken for pictures."""
UNREAD = (".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".ico", ".dng")
"""Pictures that cannot be read, which is said of each rather than leaving it out."""
STDIN = "-"


@dataclass(frozen=True)
class Reading:
    """What came of one picture: a class with probabilities, or a problem."""

    name: str
    probabilities: Array | None = None  # (classes,)
    problem: str | None = None
    levels: Grey | None = None
    """The picture in grey, if it could be opened."""
    seen: Pixels | None = None
    """What the network saw, if a digit was found."""

    @property
    def digit(self) -> int | None:
        """The most probable class."""
        return None if self.probabilities is None else int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The probability of the class, 0 without one."""
        return 0.0 if self.probabilities is None else float(self.probabilities.max())

    def plain(self) -> dict[str, Any]:
        """Return the reading as JSON has it, under the names that the served model uses."""
        probabilities = [] if self.probabilities is None else self.probabilities.tolist()
        return {
            "image": self.name,
            "class": self.digit,
            "confidence": round(self.confidence, 6),
            "probabilities": [round(p, 6) for p in probabilities],
            "problem": self.problem or "",
        }


@dataclass(frozen=True)
class Reader:
    """The network of a run with the shape of its images and its temperature."""

    network: Network
    shape: tuple[int, int]
    temperature: float | None
    """None if the run has none: confidence is then the network's own."""

    @classmethod
    def of(cls, run: FoundRun) -> Reader:
        """Take the network that was tested; raises RunError if their shape is unknown."""
        network = run.network()
        return cls(network, image_shape(run, network), run.metrics.get("temperature"))

    def read(self, name: str, data: bytes) -> Reading:
        """Read one picture; a problem with it is part of the answer."""
        # here, because SciPy takes 0.2 s to import
        from digit_exp.vision.normalize import normalize
        from digit_exp.vision.segmentation import NoDigit

        try:
            levels = decode(data)
        except PictureError as error:
            return Reading(name, problem=f"cannot be read: {error}")
        try:
            seen = normalize(levels, self.shape)
        except NoDigit as refusal:
            return Reading(name, problem=f"no digit found: {refusal}", levels=levels)
        probabilities = tempered(self.network.logits(seen[None]), self.temperature or 1.0)
        return Reading(name, probabilities[0], levels=levels, seen=seen)


def pictures(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of files, of the pictures in folders, and of standard input (`-`).

    Raises RunError for what is not there, before anything is read.
    """
    files = [file for name in names for file in _files(name)]
    for file in files:
        if file == STDIN:
            yield "standard input", sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                yield file, stream.read(MAX_BYTES + 1)


def _files(name: str) -> list[str]:
    path = Path(name)
    if name == STDIN or path.is_file():
        return [name]
    if not path.is_dir():
        raise RunError(f"{name!r} is neither a file nor a folder; '-' is standard input")
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES + UNREAD)
    if not found:
        raise RunError(f"the folder {name!r} has no pictures ({', '.join(SUFFIXES)})")
    return [str(file) for file in found]


def as_table(readings: Sequence[Reading]) -> list[str]:
    """Return a line for each reading: name, class, confidence and the runners-up."""
    width = max((len(reading.name) for reading in readings), default=0)
    lines = []
    for reading in readings:
        if reading.probabilities is None:
            lines.append(f"{reading.name:<{width}}  {reading.problem}")
            continue
        order = np.argsort(-reading.probabilities, kind="stable")[1:4]
        others = ", ".join(f"{k} {reading.probabilities[k]:.1%}" for k in order)
        lines.append(
            f"{reading.name:<{width}}  {reading.digit}  {reading.confidence:7.2%}   then {others}"
        )
    return lines
