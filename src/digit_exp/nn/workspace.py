"""Memory for what a step computes and nobody keeps, made once and used again at every step."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import DTypeLike

from digit_exp.arrays import Array
from digit_exp.team import shared


class Workspace:
    """Memory that is lent in the size that is asked for.

    `is_common` if members of a team have to see what the others write there.
    """

    def __init__(self, *, is_common: bool = True) -> None:
        self.is_common = is_common
        self._memory: Array = np.empty(0)
        self._is_fixed = False

    def __call__(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Return an uninitialised array, valid until the next call."""
        size = math.prod(shape)
        memory = self._memory
        if memory.size < size or memory.dtype != dtype:
            memory = np.empty(size, dtype)
            if not self._is_fixed:
                self._memory = memory
        return memory[:size].reshape(shape)

    def fix(self) -> None:
        """Be in the memory of a team that starts later, in the present size, until `free`.

        Whoever asks for more meanwhile gets memory of their own.
        """
        if self.is_common:
            self._memory = shared(self._memory.shape, self._memory.dtype)
            self._is_fixed = True

    def free(self) -> None:
        """Let go of all memory."""
        self._memory, self._is_fixed = np.empty(0), False


@contextmanager
def in_common(workspaces: Iterable[Workspace]) -> Iterator[None]:
    """Let all that lies there be seen by all members of a team that starts inside the block."""
    workspaces = list(workspaces)
    try:
        for workspace in workspaces:
            workspace.fix()
        yield
    finally:
        for workspace in workspaces:
            workspace.free()
