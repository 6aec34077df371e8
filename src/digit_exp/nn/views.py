"""Several looks at an image, of which a trained network is asked the mean opinion.

A multilayer perceptron knows no neighbourhood: a digit that lies a pixel further on is another
input. So it errs on it by chance in part, and the mean of several looks errs less.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from digit_exp.arrays import Array
from digit_exp.registry import ConfigError, Problem

COUNT = 5
"""The image where it is, and moved down, up, to the right and to the left."""


@dataclass(frozen=True)
class Views:
    """An image of `height` × `width` and its copies moved by a number of `pixels` each way.

    p = Σᵥ softmax(zᵥ) / 5  with the logits zᵥ of each view. What leaves the frame is lost.
    """

    height: int
    width: int
    pixels: int

    def __post_init__(self) -> None:
        if not 1 <= self.pixels < min(self.height, self.width):
            sides = f"{self.height} × {self.width}"
            message = f"must be at least 1 and less than the sides, {sides}, got {self.pixels}"
            raise ConfigError(Problem("shifts", message))

    def spec(self) -> dict[str, int]:
        """Return the values that make the same views again."""
        return asdict(self)

    def of(self, x: Array) -> Array:
        """Return the views of images `(n, inputs)`: `(5 n, inputs)`, one view after the other."""
        images = x.reshape(len(x), self.height, self.width)
        views = np.zeros((COUNT, *images.shape), x.dtype)
        still, down, up, right, left = views
        move = self.pixels
        still[...] = images
        down[:, move:], up[:, :-move] = images[:, :-move], images[:, move:]
        right[:, :, move:], left[:, :, :-move] = images[:, :, :-move], images[:, :, move:]
        return views.reshape(-1, x.shape[1])

    def mean(self, logits: Array) -> Array:
        """Return the logits of the mean probabilities, `(n, classes)`."""
        logits = logits - logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        together: Array = np.logaddexp.reduce(logits.reshape(COUNT, -1, logits.shape[1]), axis=0)
        together -= np.log(COUNT).astype(logits.dtype)
        return together
