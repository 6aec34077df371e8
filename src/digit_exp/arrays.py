"""Type aliases shared by all packages."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
"""Real numbers: float32 in a run, float64 in a gradient check."""

Labels = NDArray[np.intp]
"""Class numbers, one a row, shape `(n,)`. Labels are never one-hot."""

Pixels = NDArray[np.uint8]
"""Images as they are stored, shape `(n, height, width)`, 0 to 255."""

Metrics = Mapping[str, float]
"""Named numbers: `train_loss`, `val_acc`, `learning_rate`, ..."""
