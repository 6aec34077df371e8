"""The numbers of an epoch: loss and accuracy over its steps, norms layer by layer."""

import math
from itertools import chain, islice

import numpy as np

from digit_exp.nn.parameters import Parameters
from digit_exp.nn.workspace import Workspace
from digit_exp.parts import Part
from digit_exp.team import spread

PIECE = 2**16
"""Numbers whose squares are summed at a time, so that a sum is the same whoever adds them up."""


class EpochMeter:
    """Adds up what the steps of one epoch report about a network's `parameters`.

    - `gradient_norm`: ‖∂loss/∂θ‖ before clipping, averaged over the steps, and the same for the
      weights of each layer under `gradient_norms/<layer>`
    - `weight_norms/<layer>`: ‖W‖ after the epoch
    - `update_ratios/<layer>`: ‖ΔW‖ / ‖W‖ of the epoch's last step; around 1e-3 is healthy
    """

    def __init__(self, parameters: Parameters, squares: Workspace | None = None) -> None:
        self.gradient_norm = math.nan
        self._layers = [name.removesuffix(".weight") for name in parameters.weight_names]
        self._weights = [parameters.value(name).reshape(-1) for name in parameters.weight_names]
        grads = [parameters.grad(name).reshape(-1) for name in parameters.weight_names]
        grads.append(parameters.grads[len(parameters.weights) :])
        self._pieces = [[g[i : i + PIECE] for i in range(0, len(g), PIECE)] for g in grads]
        count = sum(map(len, self._pieces))
        self._squares = (squares or Workspace())((count,), np.float64)
        self._before: list[np.ndarray] = []
        self._steps = self._images = self._correct = 0
        self._loss = self._norm = 0.0
        self._norms = [0.0] * len(self._layers)

    def observe(self, loss: float, correct: int, images: int) -> None:
        """Take in one step, whose gradient stands in the parameters."""
        self._steps += 1
        self._images += images
        self._correct += correct
        self._loss += loss * images
        spread(self._square)
        squares = iter(self._squares.tolist())
        sums = [sum(islice(squares, len(pieces))) for pieces in self._pieces]
        for i in range(len(self._layers)):
            self._norms[i] += math.sqrt(sums[i])
        self.gradient_norm = math.sqrt(sum(sums))
        self._norm += self.gradient_norm

    def _square(self, part: Part) -> None:
        """Write the sums of squares of this part of the pieces."""
        pieces = list(chain(*self._pieces))
        first, last = (len(pieces) * (part.index + i) // part.count for i in (0, 1))
        for i in range(first, last):
            self._squares[i] = np.dot(pieces[i], pieces[i])

    def keep_weights(self) -> None:
        """Remember the weights before the last update, to measure that update."""
        self._before = [weights.copy() for weights in self._weights]

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the epoch by name."""
        means = {
            "train_loss": self._loss / self._images,
            "train_acc": self._correct / self._images,
            "gradient_norm": self._norm / self._steps,
        }
        for i, layer in enumerate(self._layers):
            norm = float(np.linalg.norm(self._weights[i]))
            means[f"gradient_norms/{layer}"] = self._norms[i] / self._steps
            means[f"weight_norms/{layer}"] = norm
            if self._before:
                change = float(np.linalg.norm(self._weights[i] - self._before[i]))
                means[f"update_ratios/{layer}"] = change / norm if norm else 0.0
        return means
