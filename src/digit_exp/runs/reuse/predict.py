"""Predictions of a run's network for picture files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from digit_exp.arrays import Array, Pixels
from digit_exp.nn.network import Network
from digit_exp.runs.evaluate import write_model
from digit_exp.runs.reuse.found_run import FoundRun, RunError
from digit_exp.training.calibration import tempered
from digit_exp.vision.decode import MAX_BYTES, SUFFIXES, UNREAD, Grey, PictureError, decode

STDIN = "-"


@dataclass(frozen=True)
class Prediction:
    """The result for one picture: a class with probabilities, or a problem."""

    name: str
    probabilities: Array | None = None  # (classes,)
    problem: str | None = None
    levels: Grey | None = None
    """The picture in grey levels, if it could be decoded."""
    seen: Pixels | None = None
    """The input of the network, if a digit was found."""

    @property
    def digit(self) -> int | None:
        """The most probable class."""
        return None if self.probabilities is None else int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The probability of the class; 0 without one."""
        return 0.0 if self.probabilities is None else float(self.probabilities.max())

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON, with the names that the served model uses."""
        probabilities = [] if self.probabilities is None else self.probabilities.tolist()
        return {
            "image": self.name,
            "class": self.digit,
            "confidence": round(self.confidence, 6),
            "probabilities": [round(p, 6) for p in probabilities],
            "problem": self.problem or "",
        }


@dataclass(frozen=True)
class Predictor:
    """The network of a run, with its image shape and temperature."""

    network: Network
    shape: tuple[int, int]
    temperature: float | None
    """None if the run has none; the probabilities are then not calibrated."""

    @classmethod
    def of(cls, run: FoundRun) -> Predictor:
        """Return the predictor of a run; raises RunError if the image shape is unknown."""
        network = run.network()
        return cls(network, image_shape(run, network), run.metrics.get("temperature"))

    def predict(self, name: str, data: bytes) -> Prediction:
        """Classify one picture; a problem with it is part of the result."""
        # here, because SciPy takes 0.2 s to import
        from digit_exp.vision.normalize import normalize
        from digit_exp.vision.segmentation import NoDigit

        try:
            levels = decode(data)
        except PictureError as error:
            return Prediction(name, problem=f"cannot be read: {error}")
        try:
            seen = normalize(levels, self.shape)
        except NoDigit as refusal:
            return Prediction(name, problem=f"no digit found: {refusal}", levels=levels)
        return self.classify(Prediction(name, levels=levels, seen=seen))

    def classify(self, prepared: Prediction) -> Prediction:
        """Classify a picture that was prepared for images of the same shape."""
        if prepared.seen is None:
            return prepared
        logits = self.network.logits(prepared.seen[None])
        return replace(prepared, probabilities=tempered(logits, self.temperature or 1.0)[0])


def read_files(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of files, of pictures in folders, and of standard input (`-`).

    Raises RunError for a missing file before anything is read.
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
        raise RunError(f"{name!r} is not a file or folder; use '-' for standard input")
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES + UNREAD)
    if not found:
        raise RunError(f"the folder {name!r} has no pictures ({', '.join(SUFFIXES)})")
    return [str(file) for file in found]


def prediction_lines(predictions: Sequence[Prediction]) -> list[str]:
    """Return a line for each prediction: name, class, confidence, and the next three classes."""
    width = max((len(each.name) for each in predictions), default=0)
    lines = []
    for each in predictions:
        if each.probabilities is None:
            lines.append(f"{each.name:<{width}}  {each.problem}")
            continue
        order = np.argsort(-each.probabilities, kind="stable")[1:4]
        others = ", ".join(f"{k} {each.probabilities[k]:.1%}" for k in order)
        lines.append(f"{each.name:<{width}}  {each.digit}  {each.confidence:7.2%}   then {others}")
    return lines


def write_model_of(run: FoundRun, path: Path) -> Path:
    """Write the served network of a run to `path`."""
    network = run.network()
    temperature = run.metrics.get("temperature", 1.0)
    return write_model(path, network, image_shape(run, network), temperature)


def image_shape(run: FoundRun, network: Network) -> tuple[int, int]:
    """Return height and width of the images of a run; raises RunError if they are not known."""
    if network.shift_averaging is not None:
        return network.shift_averaging.height, network.shift_averaging.width
    side = round(network.inputs**0.5)
    if side**2 != network.inputs:
        raise RunError(f"{run.label} reads {network.inputs} pixels, which make no square image")
    return side, side
