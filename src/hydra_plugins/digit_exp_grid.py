"""Where Hydra finds the sweeper of a grid, in the namespace in which it looks for sweepers."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from hydra._internal.core_plugins import basic_sweeper
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf


class GridSweeper(basic_sweeper.BasicSweeper):
    """Launches the jobs as `compose` has composed and checked them, without parsing them again."""

    def sweep(self, arguments: list[str]) -> list[JobReturn]:
        """Launch every job, `max_batch_size` at a time; in a race, seed by seed."""
        assert self.config is not None
        assert self.hydra_context is not None
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        loader: Any = self.hydra_context.config_loader
        count = len(loader.planned) // loader.rounds
        returned: list[JobReturn] = []
        losses: list[list[float]] = [[] for _ in range(count)]
        for first in range(0, len(loader.planned), count):
            # the best show how large the noise is, so that the others may be dropped at once
            order = sorted(range(count), key=lambda place: fmean(losses[place] or [0.0]))
            results = self._launch([loader.planned[first + place] for place in order], first)
            for place, result in zip(order, results, strict=True):
                losses[place].append(_loss(result, loader.rises))
            returned += results
        return returned

    def _launch(self, jobs: Sequence[list[str]], first: int) -> list[JobReturn]:
        assert self.launcher is not None
        size, returned = self.max_batch_size or len(jobs), list[JobReturn]()
        for start in range(0, len(jobs), size):
            batch = jobs[start : start + size]
            returned += self.launcher.launch(batch, initial_job_idx=first + start)
        return returned


def _loss(result: JobReturn, rises: bool) -> float:
    """Return what a job came to such that less is better; it may have come to nothing."""
    value = result.return_value if result.status is JobStatus.COMPLETED else None
    if not isinstance(value, int | float) or not math.isfinite(value):
        return math.inf
    return -value if rises else value
