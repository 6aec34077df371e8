"""A sampler of Optuna, with a seed of its own for every place of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from digit_exp.registry import ConfigError, Problem, did_you_mean

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass(frozen=True)
class Sampler:
    """A sampler of Optuna by the name of its class, with its keyword arguments."""

    name: str = "TPESampler"
    seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def at(self, place: int) -> BaseSampler:
        """Return the sampler for one place of the search; raises ConfigError if there is none."""
        from optuna import samplers

        known = [name for name in samplers.__all__ if name.endswith("Sampler")]
        known = [name for name in known if not name.startswith("Base")]
        if self.name not in known:
            near = did_you_mean(self.name, known)
            message = f"unknown sampler {self.name!r}.{near} Known: {', '.join(known)}"
            raise ConfigError(Problem("hydra.sweeper.sampler", message))
        seed = {} if self.seed is None else {"seed": self._seed(place)}
        try:
            sampler: BaseSampler = getattr(samplers, self.name)(**seed, **self.options)
        except (TypeError, ValueError) as error:
            message = f"{self.name} cannot be made with these options: {error}"
            raise ConfigError(Problem("hydra.sweeper.sampler_options", message)) from error
        return sampler

    def _seed(self, place: int) -> int:
        assert self.seed is not None
        if self.name == "QMCSampler":  # one sequence, whose position is kept in the study
            return self.seed
        return int(np.random.SeedSequence([self.seed, place]).generate_state(1)[0])
