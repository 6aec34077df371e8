"""The contract of a model of another library, which the runner trains as it trains a network.

The runner keeps order, seeds, augmentation, metrics, callbacks, checkpoints, tracking and reports.
The learner is given one batch after the other.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from digit_exp.arrays import Array, Labels, Pixels
from digit_exp.nn.losses import softmax

Arrays = Mapping[str, NDArray[Any] | float]
"""Named arrays or numbers; none of Python objects."""

Packed = NDArray[np.uint8]
"""The bytes of named arrays."""

NUMBERS = re.compile(r"[<>|][biufc]\d{1,2}")
"""How NumPy writes the types of numbers and truth values."""


class Learner:
    """A classifier that learns batch by batch. A subclass writes these four methods.

    - `learn(x, labels, rng)`: learn from a batch of training, and return its logits, `(n, classes)`
    - `forward(x)`: return the logits of images; must be the same for an image alone or in a batch
    - `arrays()`: return everything that learning changes, as named arrays or numbers
    - `load(arrays)`: take what `arrays` returned, into a learner made with the same arguments

    Images `x` are float32 in [0, 1], of shape `(n, height, width)`, and valid until the next batch.
    Logits are any real numbers of which the softmax is the probabilities; logarithms of
    probabilities are some. `rng` is made anew for each epoch from the seed of the run, and must be
    the only source of random numbers: then a run that is resumed ends with the same bits as one
    that was not interrupted.
    """

    batch = 1024
    """How many images are given to `forward` at once."""

    in_blocks = False
    """See `Network.in_blocks`."""

    multiply_adds = 0
    """Not known."""

    def __init__(self, shape: tuple[int, int], classes: int) -> None:
        """Take height and width of the images, and the number of classes."""
        self.shape = shape
        self.classes = classes

    def learn(self, x: Array, labels: Labels, rng: np.random.Generator) -> Array:
        """Learn from a batch; return its logits, before or after that."""
        raise NotImplementedError

    def forward(self, x: Array) -> Array:
        """Return the logits of images."""
        raise NotImplementedError

    def arrays(self) -> Arrays:
        """Return the whole state; it may have fewer arrays before the first batch."""
        raise NotImplementedError

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take a state that `arrays` returned."""
        raise NotImplementedError

    def summary(self) -> str:
        """Return a description for the log and for `network.txt`."""
        rows = [f"  {name:<24} {np.shape(value)}" for name, value in self.arrays().items()]
        return "\n".join([f"{type(self).__name__}, a model of another library", *rows])

    @property
    def inputs(self) -> int:
        """How many pixels an image has."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """How many numbers the state has."""
        return sum(np.size(array) for array in self.arrays().values())

    def logits(self, images: Pixels | Array) -> Array:
        """Return the logits of uint8 images or of pixels in [0, 1], in float32."""
        if images.shape[1:] != self.shape:
            height, width = self.shape
            raise ValueError(f"images must have the shape (n, {height}, {width})")
        found = np.empty((len(images), self.classes), np.float32)
        for start in range(0, len(images), self.batch):
            x = images[start : start + self.batch].astype(np.float32)
            if images.dtype == np.uint8:
                x *= np.float32(1 / 255)
            found[start : start + len(x)] = self._checked("forward", self.forward(x), len(x))
        return found

    def trained_on(self, x: Array, labels: Labels, rng: np.random.Generator) -> Array:
        """Learn from a batch and return its logits, in an array that may be overwritten."""
        return self._checked("learn", self.learn(x, labels, rng), len(x))

    def _checked(self, method: str, logits: ArrayLike, images: int) -> Array:
        """Return a copy in float32; raise ValueError if the logits have another shape."""
        found = np.asarray(logits).astype(np.float32)
        if found.shape != (wanted := (images, self.classes)):
            name = f"{type(self).__name__}.{method}"
            raise ValueError(f"{name} must return logits of shape {wanted}, got {found.shape}")
        return found

    def predict_proba(self, images: Pixels | Array) -> Array:
        """Return probabilities, shape `(n, classes)`."""
        return softmax(self.logits(images))

    def predict(self, images: Pixels | Array) -> Labels:
        """Return the most probable class of each image."""
        classes: Labels = self.predict_proba(images).argmax(axis=1)
        return classes

    @property
    def storage(self) -> Packed:
        """The state as one vector of bytes, for checkpoints."""
        return packed(self.arrays())

    def restore(self, storage: NDArray[Any]) -> None:
        """Take a state that `storage` returned."""
        self.load(unpacked(storage))

    def numbers(self) -> Array:
        """Return all numbers of the state as one vector, to compare two of them."""
        found = [np.ravel(array).astype(np.float64) for array in self.arrays().values()]
        return np.concatenate([np.empty(0), *found])

    def spec(self) -> dict[str, Any]:
        """Return what a checkpoint says of it; who has made it is in the run's configuration."""
        return {"learner": {"shape": list(self.shape), "classes": self.classes}}


class SavedLearner(Learner):
    """The state of a learner in a checkpoint; `LearnerModel.build` makes one that can load it."""

    def __init__(self, shape: tuple[int, int], classes: int, storage: NDArray[Any]) -> None:
        super().__init__(shape, classes)
        self._arrays = unpacked(storage)

    def arrays(self) -> Arrays:
        return self._arrays


def packed(arrays: Arrays) -> Packed:
    """Return named arrays as one vector of bytes: the length of a header in JSON, it, and the data.

    Raises TypeError for an array of Python objects.
    """
    found = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if not NUMBERS.fullmatch(array.dtype.str):
            raise TypeError(f"arrays(): {name!r} holds {array.dtype}, and a state holds numbers")
    header = json.dumps([[name, a.dtype.str, list(a.shape)] for name, a in found.items()]).encode()
    data = b"".join(array.tobytes() for array in found.values())
    return np.frombuffer(len(header).to_bytes(8, "little") + header + data, np.uint8)


def unpacked(storage: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return what `packed` made a vector of; raise ValueError if it did not.

    >>> unpacked(packed({"w": np.ones((2, 1)), "t": np.array(3)}))["w"].shape
    (2, 1)
    """
    content = storage.tobytes()
    start = 8 + int.from_bytes(content[:8], "little")
    found: dict[str, NDArray[Any]] = {}
    for name, kind, shape in json.loads(content[8:start]):
        if not NUMBERS.fullmatch(kind) or min(shape, default=0) < 0:
            raise ValueError(f"{name} is no array of numbers")
        dtype = np.dtype(kind)
        count = math.prod(shape)
        if count * dtype.itemsize > len(content) - start:
            raise ValueError(f"{name} is larger than the file")
        array = np.frombuffer(content, dtype, count, start).reshape(shape)
        found[name] = array.copy()  # that can be written to
        start += array.nbytes
    return found
