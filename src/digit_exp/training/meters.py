"""The numbers of an epoch: loss and accuracy over its steps, norms layer by layer."""

import math

import numpy as np

from digit_exp.arrays import Array
from digit_exp.nn.parameters import Parameters


class EpochMeter:
    """Adds up what the steps of one epoch report about a network's `parameters`.

    - `gradient_norm`: ‖∂loss/∂θ‖ before clipping, averaged over the steps, and the same for the
      weights of each layer under `gradient_norms/<layer>`
    - `weight_norms/<layer>`: ‖W‖ after the epoch
    - `update_ratios/<layer>`: ‖ΔW‖ / ‖W‖ of the epoch's last step; around 1e-3 is healthy
    """

    def __init__(self, parameters: Parameters) -> None:
        names = parameters.weight_names
        self.gradient_norm = math.nan
        self._layers = [name.removesuffix(".weight") for name in names]
        self._weights = [parameters.value(name).reshape(-1) for name in names]
        self._grads = [parameters.grad(name).reshape(-1) for name in names]
        self._other_grads = parameters.grads[len(parameters.weights) :]
        self._before: list[Array] = []
        self._steps = self._images = self._correct = 0
        self._loss = self._norm = 0.0
        self._norms = [0.0] * len(names)

    def observe(self, loss: float, correct: int, images: int) -> None:
        """Add one step; its gradient is in the parameters."""
        self._steps += 1
        self._images += images
        self._correct += correct
        self._loss += loss * images
        total = float(np.dot(self._other_grads, self._other_grads))
        for i, grads in enumerate(self._grads):
            squares = float(np.dot(grads, grads))
            self._norms[i] += math.sqrt(squares)
            total += squares
        self.gradient_norm = math.sqrt(total)
        self._norm += self.gradient_norm

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
