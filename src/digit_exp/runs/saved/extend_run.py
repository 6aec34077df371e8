"""A longer run of one that has ended: `resume=RUN trainer.epochs=40`.

It is a run of its own, in its own folder, which begins with the whole state of the other one.
"""

import logging
import math
import shutil
from dataclasses import replace
from pathlib import Path

from digit_exp.config.parse import from_mapping
from digit_exp.config.schema import RunConfig
from digit_exp.nn.learner import Learner
from digit_exp.optim.schedules import Clock
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.experiment import Experiment, Result
from digit_exp.runs.folder import FINAL_REASONS, RunRecord
from digit_exp.runs.results.summary import log_start
from digit_exp.runs.runner import load_run_checkpoint, start_run
from digit_exp.runs.signals import Interruption
from digit_exp.runs.train_and_evaluate import train_and_evaluate
from digit_exp.tracking.tags import Tag
from digit_exp.training.checkpoint import Checkpoint

log = logging.getLogger(__name__)


def require_longer(folder: Path, epochs: int) -> None:
    """Raise ConfigError unless the run in `folder` has ended and can be made longer."""
    record = RunRecord.read(folder)
    name = record.run_id or folder
    if Tag.COMMITTEE in record.tags:
        raise _refusal(f"the run {name} is a committee, whose members are not trained together")
    if record.reason in FINAL_REASONS:
        raise _refusal(f"the run {name} is {record.reason}; a longer one would begin with that")
    if not record.is_over:
        raise _refusal(f"the run {name} has not ended; resume it without trainer.epochs first")
    checkpoint = load_run_checkpoint(folder / paths.LAST_CHECKPOINT)
    if epochs <= (done := checkpoint.state.epoch):
        problem = f"must be more than the {done} epochs of the run {name}, got {epochs}"
        raise ConfigError.at("trainer.epochs", problem)
    longer_config(checkpoint, epochs)


def longer_config(checkpoint: Checkpoint, epochs: int) -> RunConfig:
    """Return the configuration of the longer run."""
    config = from_mapping(checkpoint.config["run"])
    return replace(config, trainer=replace(config.trainer, epochs=epochs, fit_minutes=None))


def run_longer(
    origin: Path, epochs: int, folder: Path, interruption: Interruption
) -> tuple[Result, list[str]]:
    """Go on from the end of the run in `origin`, as a run of its own in `folder`.

    Returns what `execute` does.
    """
    checkpoint = load_run_checkpoint(origin / paths.LAST_CHECKPOINT)
    checkpoint.state.stop_reason = None
    for memory in checkpoint.state.callback_memory.values():
        if "wait" in memory:  # else a run that early stopping ended would end again at once
            memory["wait"] = 0
    config = longer_config(checkpoint, epochs)
    experiment = Experiment.prepare(config, folder, checkpoint)
    log_start(experiment)
    _log_schedule(experiment, checkpoint)
    checkpoints = folder / paths.LAST_CHECKPOINT.parent
    checkpoints.mkdir(parents=True, exist_ok=True)
    for file in (origin / paths.LAST_CHECKPOINT.parent).glob("[!.]*.npz"):
        if file.name != paths.LAST_CHECKPOINT.name:  # the best epoch may be one of the first run
            shutil.copy2(file, checkpoints)
    tags = {
        Tag.ORIGIN: RunRecord.read(origin).run_id or str(origin),
        Tag.ORIGIN_EPOCHS: str(checkpoint.state.epoch),
    }
    with start_run(config, folder, origin=tags) as run:
        result = train_and_evaluate(experiment, run, interruption)
    return result, run.tracker.where()


def _log_schedule(experiment: Experiment, checkpoint: Checkpoint) -> None:
    """Log how the learning rate goes on: the schedule is that of all epochs of the longer run."""
    config, state = experiment.config, checkpoint.state
    if isinstance(experiment.network, Learner):
        return  # it has no schedule
    steps = math.ceil(len(experiment.train) / config.trainer.batch_size)
    clock = Clock(state.step, steps, config.trainer.epochs)
    rate = config.optimizer.lr * config.schedule.factor(clock, state.schedule_memory)
    before = state.history[-1]["learning_rate"] if state.history else math.nan
    log.info(
        "the schedule is that of %d epochs: the learning rate was %.3g and goes on at %.3g",
        config.trainer.epochs,
        before,
        rate,
    )


def _refusal(message: str) -> ConfigError:
    return ConfigError.at("resume", message)
