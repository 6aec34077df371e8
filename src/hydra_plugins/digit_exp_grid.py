"""Where Hydra finds the sweeper of a grid, in the namespace in which it looks for sweepers."""

from pathlib import Path

from hydra._internal.core_plugins import basic_sweeper
from omegaconf import OmegaConf


class GridSweeper(basic_sweeper.BasicSweeper):
    """Launches the jobs as `plan` has composed and checked them, without parsing them again."""

    def sweep(self, arguments: list[str]) -> list[object]:
        """Launch every job, `max_batch_size` at a time."""
        assert self.config is not None
        assert self.hydra_context is not None
        assert self.launcher is not None
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        jobs = self.hydra_context.config_loader.planned  # type: ignore[attr-defined]
        size = self.max_batch_size or len(jobs)
        returned: list[object] = []
        for start in range(0, len(jobs), size):
            returned += self.launcher.launch(jobs[start : start + size], initial_job_idx=start)
        return returned
