"""What a command line would do: its jobs, what is known of each, and how long training will take.

Nothing is created, downloaded or changed: stores and folders are only read, if they are there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from digit_exp.config.compose import Plan
from digit_exp.config.convert import plain
from digit_exp.config.parse import from_mapping
from digit_exp.config.schema import Backend, RunConfig
from digit_exp.config.serialize import flatten
from digit_exp.data.dataset import Dataset
from digit_exp.data.idx import DataError
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.experiment import epochs_of, load_data, train_val_splits
from digit_exp.runs.saved.extend_run import longer_config
from digit_exp.runs.saved.lookup import OUTPUTS
from digit_exp.sweeps.identity import config_hash
from digit_exp.sweeps.launch import FOLDER, search_space, sweep_name, swept_keys
from digit_exp.sweeps.preview.duration import EpochTime, RecordedEpochs, Work
from digit_exp.sweeps.previous import (
    PreviousRun,
    checkpoint_in_folder,
    previous_in_folder,
    previous_trial,
)
from digit_exp.sweeps.search.space import categorical
from digit_exp.sweeps.search.study import count_ended, require_search
from digit_exp.tracking.mlflow.sweep_runs import Sweep, find_sweep
from digit_exp.training.checkpoint import Checkpoint

State = Literal["new", "resumed", "done", "running", "failing"]
"""Starts, goes on, is reused, is run by another process, or cannot start."""


@dataclass(frozen=True)
class PlannedJob:
    """What would be done for one job."""

    number: int
    values: Mapping[str, object]
    """The values of the keys in which jobs differ."""
    epochs: int
    """As configured."""
    state: State = "new"
    remark: str = ""
    """Why it fails, who runs it, or what must be downloaded."""
    epochs_done: int = 0
    parameters: int | None = None
    epoch: EpochTime | None = None

    @property
    def seconds(self) -> float | None:
        """Estimated training time without early stopping; None if epochs cannot be timed."""
        if self.state not in ("new", "resumed"):
            return 0.0
        return None if self.epoch is None else self.epoch.seconds * (self.epochs - self.epochs_done)


@dataclass(frozen=True)
class DryRun:
    """What a command line would do."""

    jobs: Sequence[PlannedJob]
    sweep: str | None = None
    folder: Path | None = None
    varied: Sequence[str] = ()
    jobs_at_a_time: int = 1
    space: Mapping[str, Any] = field(default_factory=dict)
    """What a search chooses from, by key."""
    trials: int | None = None
    """The number of candidates of a search; `jobs` then has one, with their common values."""
    trials_done: int = 0
    replicates: int = 1
    """The number of seeds with which each candidate is trained."""

    @property
    def seconds(self) -> float | None:
        """Estimated training time of all jobs; None if one cannot be timed."""
        times = [job.seconds for job in self.jobs]
        if any(time is None for time in times):
            return None
        factor = (
            1 if self.trials is None else max(0, self.trials - self.trials_done) * self.replicates
        )
        return factor * sum(time for time in times if time) / self.jobs_at_a_time


def dry_run(plan: Plan) -> DryRun:
    """Return what `plan` would do. Raises what the command itself would refuse."""
    if not plan.is_sweep:
        return DryRun([_Preview().at(0, plan.jobs[0], [])])
    require_search(plan)
    name, sweeper = sweep_name(plan), plan.hydra["sweeper"]
    at_a_time = sweeper.get("n_jobs") or plan.hydra["launcher"].get("n_jobs") or 1
    found = DryRun([], name, FOLDER / name, jobs_at_a_time=max(1, at_a_time))
    if plan.trials is not None:
        return replace(
            found,
            jobs=[_Preview().at(0, plan.jobs[0], [])],
            space={**_listed(plan), **search_space(plan)},
            trials=plan.trials,
            trials_done=count_ended(sweeper["storage"], name),
            replicates=max(1, len(plan.seeds)),
        )
    preview = _Preview(FOLDER / name, _sweep(plan.jobs[0], name), plan.launch["sweep"]["rerun"])
    varied = swept_keys(plan)
    jobs = [preview.at(number, config, varied) for number, config in enumerate(plan.jobs)]
    return replace(found, jobs=jobs, varied=varied)


def _listed(plan: Plan) -> dict[str, Any]:
    """Return the values that a command line lists, among which a search chooses, too."""
    values = [flatten(config) for config in plan.jobs]
    found = {key: [one[key] for one in values if key in one] for key in swept_keys(plan)}
    return {
        key: categorical([value for place, value in enumerate(each) if value not in each[:place]])
        for key, each in found.items()
        if key != "seed"
    }


def dry_resume(checkpoint: Checkpoint, epochs: int | None = None) -> DryRun:
    """Return what would become of a run that is resumed, or of a longer run of so many epochs."""
    config = from_mapping(checkpoint.config["run"])
    if epochs is not None:
        config = longer_config(checkpoint, epochs)
    job = replace(_Preview().at(0, config, []), remark="", epochs=epochs_of(checkpoint, config))
    return DryRun([replace(job, state="resumed", epochs_done=checkpoint.state.epoch)])


def _sweep(config: RunConfig, name: str) -> Sweep | None:
    tracking = config.tracking
    if tracking.backend is Backend.none:
        return None
    return find_sweep(name, uri=tracking.uri, experiment=tracking.experiment)


class _Preview:
    """Examines jobs one by one; what several of them need is read once."""

    def __init__(
        self, folder: Path | None = None, sweep: Sweep | None = None, rerun: bool = False
    ) -> None:
        self._folder = folder
        self._sweep = sweep
        self._rerun = rerun
        self._recorded = RecordedEpochs(OUTPUTS)
        self._sizes: dict[str, tuple[int, int] | None] = {}

    def at(self, number: int, config: RunConfig, varied: Sequence[str]) -> PlannedJob:
        """Return what would become of a job."""
        values, epochs = flatten(config), config.trainer.epochs
        shown = {key: values[key] for key in varied if key in values}
        if config.data.needs_download():
            return PlannedJob(number, shown, epochs, remark="its data are downloaded first")
        try:
            dataset = load_data(config.data)
            images = len(train_val_splits(config, dataset)[0])
        except (DataError, ConfigError) as error:
            return PlannedJob(number, shown, epochs, "failing", str(error))
        size = self._size(config, dataset)
        if size is None:
            return PlannedJob(number, shown, epochs, "failing", "not enough memory for its network")
        multiply_adds, parameters = size
        state, remark, done = self._state(config, dataset.digest)
        if not multiply_adds:  # a model of another library, which nobody can time
            return PlannedJob(number, shown, epochs, state, remark, done)
        work = Work(images, multiply_adds, config.trainer.batch_size)
        time = self._recorded.time_of(config, work)
        if (minutes := config.trainer.fit_minutes) is not None and epochs > 0:
            epochs = max(1, min(epochs, int(60 * minutes / time.seconds)))
            fitted = f"about {epochs} epochs fit into {minutes:g} minutes; measured when it begins"
            remark = remark or fitted
        return PlannedJob(number, shown, epochs, state, remark, done, parameters, time)

    def _state(self, config: RunConfig, digest: str) -> tuple[State, str, int]:
        """Return what is known of a job, a remark, and how many epochs are done."""
        if self._folder is None or self._rerun:
            return "new", "", 0
        identity = config_hash(config, digest)
        folder = self._folder / identity
        if self._sweep is None:
            found = previous_in_folder(folder)
        else:
            found = previous_trial(self._trials.get(identity), folder)
        if found.runner is not None:
            return "running", found.runner, 0
        if found.is_over:
            return "done", "", 0
        done = self._epochs_done(found, folder)
        return ("new", "", 0) if done is None else ("resumed", "", done)

    @cached_property
    def _trials(self) -> Mapping[str, Any]:
        return {} if self._sweep is None else self._sweep.by_hash()

    def _epochs_done(self, found: PreviousRun, folder: Path) -> int | None:
        """Return after which epoch a job is resumed, None if it starts from the beginning."""
        local = checkpoint_in_folder(folder)
        if self._sweep is None:
            return None if local is None else local.state.epoch
        if found.trial is None:
            return None
        if local is not None and local.config["run_id"] == found.trial.run_id:
            return local.state.epoch
        if not self._sweep.has(found.trial.run_id, paths.LAST_CHECKPOINT):
            return None
        history = self._sweep.history(found.trial, "train_loss")
        return max((int(epoch["epoch"]) for epoch in history), default=0)

    def _size(self, config: RunConfig, dataset: Dataset) -> tuple[int, int] | None:
        """Return the multiply-adds of a forward pass, and how many parameters there are."""
        key = json.dumps([plain(config.model), dataset.image_shape, dataset.classes])
        if key not in self._sizes:
            try:
                network = config.model.build(dataset.image_shape, dataset.classes, seed=0)
            except MemoryError:
                self._sizes[key] = None
            else:
                self._sizes[key] = network.multiply_adds, network.size
        return self._sizes[key]
