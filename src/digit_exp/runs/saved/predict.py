"""Predictions of a run's network for picture files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digit_exp.arrays import Array, Pixels
from digit_exp.nn.learner import Learner
from digit_exp.nn.network import Network
from digit_exp.runs.results.calibration import tempered
from digit_exp.runs.results.evaluate import picture_kind, write_model
from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.training.checkpoint import CheckpointError
from digit_exp.vision.decode import MAX_BYTES, SUFFIXES, UNREAD, Grey, PictureError, decode

if TYPE_CHECKING:
    from digit_exp.vision.reader import Reading

STDIN = "-"


@dataclass(frozen=True)
class Prediction:
    """The result for one picture: what was read, or a problem."""

    name: str
    readings: Sequence[Reading] = ()
    """Of each digit, in reading order."""
    problem: str | None = None
    levels: Grey | None = None
    """The picture in grey levels, if it could be decoded."""
    names: Sequence[str] = ()
    """Of the classes."""

    @property
    def one(self) -> Reading | None:
        """The only digit, if there is one and no more."""
        found = self.readings[0] if len(self.readings) == 1 else None
        return None if found is None or found.problem else found

    @property
    def seen(self) -> Pixels | None:
        """The input of the network: of several digits side by side."""
        return np.hstack([each.seen for each in self.readings]) if self.readings else None

    @property
    def probabilities(self) -> Array | None:
        """The probabilities of the classes, if there is one digit."""
        return self.one.probabilities if self.one else None

    @property
    def digit(self) -> int | None:
        """The most probable class, if there is one digit."""
        return self.one.digit if self.one else None

    @property
    def confidence(self) -> float:
        """The probability of the class, the lowest one of several; 0 without one."""
        return min((each.confidence for each in self.readings), default=0.0)

    @property
    def is_sure(self) -> bool:
        """Whether every digit is clear."""
        return bool(self.readings) and all(each.is_sure for each in self.readings)

    @property
    def is_read(self) -> bool:
        """Whether there is a digit at all."""
        return any(each.digit is not None for each in self.readings)

    @property
    def text(self) -> str:
        """The names of the classes in reading order, `?` for what is no digit."""
        words = [
            "?" if k is None else self.names[k] for k in (each.digit for each in self.readings)
        ]
        return ("" if all(len(word) == 1 for word in words) else " ").join(words)

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON, with the names that the served model uses."""
        from digit_exp.vision.reader import answer

        found: dict[str, Any] = {"class": None, "confidence": 0.0, "probabilities": []}
        found |= answer(self.readings) if self.readings else {"unsure": True, "digits": []}
        problem = self.problem or found.get("problem", "")
        return {"image": self.name, **found, "text": self.text, "problem": problem}


@dataclass(frozen=True)
class Predictor:
    """The network of a run, with its image shape and temperature."""

    network: Network | Learner
    shape: tuple[int, int]
    temperature: float | None
    """None if the run has none; the probabilities are then not calibrated."""
    names: Sequence[str]
    """Of the classes."""
    reads: str
    """What pictures are read for: see `vision.reader`."""

    @classmethod
    def of(cls, run: FoundRun) -> Predictor:
        """Return the predictor of a run; raises RunError if the image shape is unknown."""
        network = run.model()
        shape, names = image_shape(run, network), run.class_names(network.classes)
        return cls(network, shape, run.metrics.get("temperature"), names, kind_of(run, names))

    def predict(self, name: str, data: bytes) -> Prediction:
        """Classify one picture; a problem with it is part of the result."""
        try:
            levels = decode(data)
        except PictureError as error:
            return Prediction(name, problem=f"cannot be read: {error}")
        return self.classify(Prediction(name, levels=levels))

    def classify(self, picture: Prediction) -> Prediction:
        """Classify what is in a picture that was decoded."""
        # here, because SciPy takes 0.2 s to import
        from digit_exp.vision.reader import read
        from digit_exp.vision.segmentation import NoDigit

        if picture.levels is None:
            return picture
        found = Prediction(picture.name, levels=picture.levels, names=self.names)
        try:
            readings = read(picture.levels, self.shape, self._probabilities, self.reads)
        except NoDigit as refusal:
            return replace(found, problem=f"no digit found: {refusal}")
        (only, *others) = readings
        problem = f"no digit found: {only.problem}" if only.problem and not others else None
        return replace(found, readings=readings, problem=problem)

    def _probabilities(self, seen: Pixels) -> Array:
        return tempered(self.network.logits(seen), self.temperature or 1.0)


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
    """Return a line for each prediction: name, what was read, confidence, and more about it."""
    width = max((len(each.name) for each in predictions), default=0)
    return [
        f"{each.name:<{width}}  "
        + (each.problem or f"{each.text}  {each.confidence:7.2%}{_unsure(each)}  {_more(each)}")
        for each in predictions
    ]


def _more(found: Prediction) -> str:
    """Return the next three classes of one digit, or place and confidence of each of several."""
    if (probabilities := found.probabilities) is not None:
        order = np.argsort(-probabilities, kind="stable")[1:4]
        return " then " + ", ".join(f"{found.names[k]} {probabilities[k]:.1%}" for k in order)
    parts = [
        f"{'?' if each.digit is None else found.names[each.digit]} {each.confidence:.1%}"
        f"{_unsure(each)} at {each.box[0]:.0%}, {each.box[1]:.0%}"
        for each in found.readings
    ]
    return " " + "; ".join(parts)


def _unsure(found: Prediction | Reading) -> str:
    return "" if found.is_sure else " unsure"


def write_model_of(run: FoundRun, path: Path) -> Path:
    """Write the served network of a run to `path`."""
    network = run.network()
    temperature = run.metrics.get("temperature", 1.0)
    reads = kind_of(run, run.class_names(network.classes))
    return write_model(path, network, image_shape(run, network), temperature, reads)


def kind_of(run: FoundRun, names: Sequence[str]) -> str:
    """Return what the network of a run reads in pictures."""
    try:
        config = run.config
    except (RunError, CheckpointError):
        return "characters"
    return picture_kind(str(config.get("data")), config.get("data.form"), names)


def image_shape(run: FoundRun, network: Network | Learner) -> tuple[int, int]:
    """Return height and width of the images of a run; raises RunError if they are not known."""
    if isinstance(network, Learner):
        return network.shape
    if network.shift_averaging is not None:
        return network.shift_averaging.height, network.shift_averaging.width
    with suppress(RunError, CheckpointError):
        height, width = (run.config.get(f"data.{side}") for side in ("height", "width"))
        if isinstance(height, int) and isinstance(width, int) and height * width == network.inputs:
            return height, width
    side = round(network.inputs**0.5)
    if side**2 != network.inputs:
        raise RunError(f"{run.label} reads {network.inputs} pixels, which make no square image")
    return side, side
