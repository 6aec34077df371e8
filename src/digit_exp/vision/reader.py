"""Reads the digits of a picture: finds them, classifies them, and says how sure it is of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import detector
from .decode import Grey
from .normalize import Glyph, Pixels, fill, glyphs

Array = NDArray[np.float32]
Classify = Callable[[Pixels], Array]
"""Returns calibrated probabilities `(n, classes)` of images `(n, height, width)`."""

DIGITS, CHARACTERS, WHOLE = "digits", "characters", "whole"

SURE = 0.2
"""Confidence below which a reading is unsure,"""
SURE_TURNED = 0.6
"""and that of a shape that is doubtful as it stands, and read by turning it."""
NO_DIGIT = 0.95
"""Probability that a shape is no digit, from which on it is called so."""
CLEAR = 0.8
"""Confidence from which on no turn and no split is tried."""
TURNS = {0: 0.6, -15: 0.1, 15: 0.1, -30: 0.1, 30: 0.1}
"""Degrees by which the digits that people show are turned, and the probability of each."""
JOINED = 0.5
"""Confidence from which on several shapes, of which some are unsure, are taken for one digit."""
PAIR = 0.5
"""Probability from which on a shape is cut, as two digits that touch,"""
CUT = 0.5
"""and the confidence that each part must have."""
PARTS = 0.02
"""How frequent parts that are no digits are, for each such shape among all shapes."""
WIDE = 0.8
"""Ratio of width to height from which on a shape may be two digits."""
CUTS = 7
"""Places at which such a shape is cut, between a quarter and three quarters of its width."""


TINY = 1e-6
"""The least probability that a shape is no digit."""


@dataclass(frozen=True)
class Reading:
    """What was read at one place of a picture."""

    box: tuple[float, float, float, float]
    """Left, top, right and bottom, as shares of the picture's width and height."""
    seen: Pixels
    """The input of the network."""
    probabilities: Array
    """One for each class; the rest to 1 is the probability that it is no digit."""
    problem: str = ""
    """Why it is no digit, if it is none."""
    least: float = SURE
    """The confidence from which on it is sure."""

    @property
    def digit(self) -> int | None:
        """The most probable class, None if it is no digit."""
        return None if self.problem else int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The probability of the class."""
        return 0.0 if self.problem else float(self.probabilities.max())

    @property
    def is_sure(self) -> bool:
        """Whether the confidence is high enough to rely on."""
        return self.confidence >= self.least

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "box": [round(share, 4) for share in self.box],
            "class": self.digit,
            "confidence": round(self.confidence, 6),
            "unsure": not self.is_sure,
            "problem": self.problem,
        }


def answer(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return plain values for all that was read in a picture; probabilities only of one digit."""
    one = readings[0] if len(readings) == 1 else None
    rows = [] if one is None or one.problem else one.probabilities.tolist()
    return {
        "class": one.digit if one else None,
        "confidence": round(min(reading.confidence for reading in readings), 6),
        "probabilities": [round(share, 6) for share in rows],
        "unsure": not all(reading.is_sure for reading in readings),
        "problem": one.problem if one else "",
        "digits": [reading.plain() for reading in readings],
    }


def read(levels: Grey, shape: tuple[int, int], classify: Classify, kind: str) -> list[Reading]:
    """Return what is read in a picture, in reading order; raise NoDigit if nothing is there.

    `kind` is what the network was trained on: DIGITS, CHARACTERS of any form, or WHOLE pictures.
    Only of digits it is known which shapes are none, and what turned and touching ones look like.
    """
    if kind == WHOLE:
        seen = fill(levels, shape)
        return [Reading((0.0, 0.0, 1.0, 1.0), seen, classify(seen[None])[0])]
    reader = _Reader(shape, classify, kind == DIGITS and shape == (detector.SIDE, detector.SIDE))
    shapes = glyphs(levels)
    found = [reading for glyph in shapes for reading in reader.read(glyph)]
    if reader.digits and len(shapes) > 1 and not all(each.is_sure for each in found):
        (whole,) = reader.views(glyphs(levels, joined=True))
        if whole.confidence >= JOINED:
            return [whole]
    return found


@dataclass(frozen=True)
class _Reader:
    shape: tuple[int, int]
    classify: Classify
    digits: bool

    def read(self, glyph: Glyph) -> list[Reading]:
        """Read a shape as it stands; if that is doubtful, as two digits, or by several turns."""
        (plain,) = self.views([glyph])
        if glyph.problem or not self.digits or plain.confidence >= CLEAR:
            return [plain]
        parts = self._cut(glyph, plain)
        if parts and min(part.confidence for part in parts) >= CUT:
            return parts
        turned = self.views([glyph.turned(degrees) for degrees in TURNS if degrees])
        return [_mixture([plain, *turned], list(TURNS.values()))]

    def views(self, some: list[Glyph]) -> list[Reading]:
        seen = np.stack([glyph.pixels(self.shape) for glyph in some])
        probabilities = self.classify(seen)
        other = np.zeros(len(seen), np.float32)
        if self.digits:
            found = detector.probabilities(seen)
            other = found[:, detector.DIGITS :].sum(axis=1)
            agreed = probabilities * found[:, : detector.DIGITS]
            probabilities = agreed / (agreed.sum(axis=1) + other)[:, None]
            other = 1 - probabilities.sum(axis=1)
        return [
            Reading(glyph.box, pixels, row, glyph.problem or _problem(share))
            for glyph, pixels, row, share in zip(some, seen, probabilities, other, strict=True)
        ]

    def _cut(self, glyph: Glyph, plain: Reading) -> list[Reading]:
        """Return the readings beside the best cut, if the shape may be two digits."""
        height, width = glyph.strength.shape
        pair = detector.probabilities(plain.seen[None])[0, detector.PAIR]
        if width < WIDE * height or pair < PAIR:
            return []
        pairs = [self.views(list(parts)) for parts in _parts(glyph, width)]
        best = max(pairs, key=lambda two: min(part.probabilities.max() for part in two), default=[])
        return [_as_part(part, pair) for part in best]


def _as_part(part: Reading, pair: np.floating) -> Reading:
    """Return what is read if the shape is a pair, in which parts are digits far more often."""
    digits = part.probabilities.sum()
    probabilities = pair * part.probabilities / (digits + PARTS * (1 - digits))
    return replace(part, probabilities=probabilities, problem=_problem(1 - probabilities.sum()))


def _mixture(turned: list[Reading], shares: list[float]) -> Reading:
    """Return what is read if each turn has its share of all digits; its picture is the likeliest.

    The probabilities of each turn are odds against what is no digit, and these add up.
    """
    others = [max(1 - float(each.probabilities.sum()), TINY) for each in turned]
    odds = [
        share / other * each.probabilities
        for share, other, each in zip(shares, others, turned, strict=True)
    ]
    best = turned[int(np.argmax([each.max() for each in odds]))]
    total = np.sum(odds, axis=0)
    other = 1 / (1 + total.sum())
    least = SURE if turned[0].is_sure else SURE_TURNED
    return replace(best, probabilities=total * other, problem=_problem(other), least=least)


def _parts(glyph: Glyph, width: int) -> Iterator[tuple[Glyph, Glyph]]:
    """Cut where there is little ink: at the best places, each its own tenth of the width."""
    ink = glyph.strength.sum(axis=0)
    edges = np.linspace(width / 4, 3 * width / 4, CUTS + 1).astype(int)
    for start, stop in pairwise(edges):
        if stop > start:
            at = start + int(np.argmin(ink[start:stop]))
            if 0 < at < width and ink[:at].any() and ink[at:].any():
                yield glyph.part(0, at), glyph.part(at, width)


def _problem(other: np.floating) -> str:
    return "the shape does not look like a digit" if other >= NO_DIGIT else ""
