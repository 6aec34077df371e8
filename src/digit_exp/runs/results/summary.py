"""The texts of a run: its start and end in the log, its name, its note, its configuration."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

from digit_exp.atomic import write_text
from digit_exp.config.overrides import override, typed, written
from digit_exp.config.schema import MonitorSettings, RunConfig
from digit_exp.config.serialize import as_yaml, differences, flatten, resolved
from digit_exp.nn.learner import Learner
from digit_exp.optim.schedules import Clock
from digit_exp.runs import paths
from digit_exp.runs.experiment import Experiment, Result
from digit_exp.runs.folder import TEST_METRIC, relative_to_cwd
from digit_exp.runs.initial_weights import unpinned
from digit_exp.tracking.base import Status
from digit_exp.training.callbacks import (
    OUT_OF_TIME,
    SWEEP_OUT_OF_TIME,
    Best,
    StopOnNonFinite,
)
from digit_exp.training.state import TrainState

log = logging.getLogger(__name__)

STOP_TEXTS = {
    None: "after the last epoch",
    "interrupted": "by a signal; continue with: python -m digit_exp resume=latest",
    OUT_OF_TIME: "at the end of trainer.minutes; continue with: python -m digit_exp resume=latest",
    SWEEP_OUT_OF_TIME: "at the end of sweep.minutes; the command of the sweep goes on",
    "pruned": "early: other runs of the sweep were better at this epoch",
    "diverged": "because the loss is not finite",
}


LONGEST_NAME, LONGEST_OF_SWEEP, LONGEST_WORD = 80, 250, 36
"""Characters of the name of a run, of one of a sweep (as MLflow has it), and of a word in it."""

CURVES = "![learning_curves](get-artifact?path=figures%2Flearning_curves.png&run_uuid={})"
"""The figure of a run as MLflow's page shows it, in Markdown."""

WORTH_TWO_THREADS = 7_000_000
"""Multiply-adds of the forward pass of a batch from which a second thread was measured to pay."""


def log_start(experiment: Experiment) -> None:
    """Log what is about to be trained."""
    config, data = experiment.config, experiment.dataset
    height, width = data.image_shape
    sizes = f"{len(experiment.train):,} training, {len(experiment.val):,} validation and"
    log.info("data: %s, %s %s test images", data.name, sizes, f"{len(data.test):,}")
    log.info("      of %d × %d pixels in %d classes", height, width, data.classes)
    for remark in data.remarks:
        log.warning("      %s", remark)
    log.info("\n%s\n", experiment.network.summary())
    changed = differences(config)
    for key, (default, value) in changed.items():
        log.info("changed: %s = %s (default %s)", key, written(value), written(default))
    if not changed:
        log.info("configuration: the defaults")
    log.info(
        "seed %d, %d thread(s), files in %s",
        config.seed,
        config.trainer.threads,
        relative_to_cwd(experiment.folder),
    )
    products = config.trainer.batch_size * experiment.network.multiply_adds
    if config.trainer.threads == 1 and products >= WORTH_TWO_THREADS:
        log.info(
            "trainer.threads=2 would make an epoch a tenth to two fifths shorter on two idle cores"
        )
    if config.trainer.epochs == 0:
        log.info("trainer.epochs=0: nothing is trained, the network is evaluated as it begins")
    elif config.trainer.batch_size > len(experiment.train):
        size, images = config.trainer.batch_size, len(experiment.train)
        log.info("trainer.batch_size=%d: each batch has all %d training images", size, images)
    if experiment.initial is not None:
        log.info("begins with the weights of %s", experiment.initial.source)
        log.info("optimizer and random numbers are new, and the schedule begins at its first step")
        if experiment.initial.remark is not None:
            log.warning("%s", experiment.initial.remark)
    if experiment.start is not None:
        log.info("resuming after epoch %d", experiment.start.epoch)


def log_end(experiment: Experiment, result: Result, state: TrainState) -> None:
    """Log how the run ended."""
    log.info("\nstopped %s", stop_text(experiment.config, state))
    if state.stop_reason == "diverged":
        log.info("%s", divergence_advice(experiment, state))
    for name, value in result.summary.items():
        log.info("  %-17s %s", name, f"{value:g}" if name.endswith("epoch") else f"{value:.4f}")


def stop_text(config: RunConfig, state: TrainState) -> str:
    """Return why training stopped, for a sentence."""
    if state.stop_reason != "early_stopping":
        return STOP_TEXTS[state.stop_reason]
    settings = config.trainer.early_stopping
    monitor, least = settings.monitor.value, settings.min_delta
    is_share = monitor.endswith("acc")
    amount = f"{100 * least:g} points" if is_share else f"{least:g}"
    change = f"{'rose' if is_share else 'fell'} by no more than {amount}"
    measured = "epochs" if config.trainer.eval_every == 1 else "evaluations"
    return f"early: {monitor} {change} in {settings.patience} {measured}"


def log_failures(experiment: Experiment, result: Result) -> None:
    """Log what could not be written, and how to get what is missing."""
    for sentence in experiment.write_failures.messages():
        log.error("could not be written: %s", sentence)
    if result.status is Status.FINISHED and TEST_METRIC not in result.summary:
        word = typed(override("resume", str(relative_to_cwd(experiment.folder))))
        log.error("the network is kept; to read the test set without training again:")
        log.error("  python -m digit_exp %s", word)


def divergence_advice(experiment: Experiment, state: TrainState) -> str:
    """Return where the run diverged, and what to try."""
    config = experiment.config
    memory = state.callback_memory[StopOnNonFinite.__name__]
    steps = math.ceil(len(experiment.train) / config.trainer.batch_size)
    where = f"  at step {memory['step']}, the loss was {memory['loss']}"
    if isinstance(experiment.network, Learner):
        return f"{where}; see what the model says of its own learning rate"
    clock = Clock(memory["step"] - 1, steps, experiment.epochs)
    rate = config.optimizer.lr * config.schedule.factor(clock, state.schedule_memory)
    clipped = config.optimizer.clip_norm
    return (
        f"  at step {memory['step']}, in epoch {clock.epoch + 1}, the loss was {memory['loss']};"
        f" the learning rate was {rate:.3g}\n"
        f"  the finite weights after step {memory['kept']} are in"
        f" {experiment.folder / paths.LAST_FINITE}\n"
        f"  try optimizer.lr={config.optimizer.lr / 10:.3g}, or limit the gradient:"
        f" optimizer.clip_norm={1.0 if clipped is None else clipped / 10:.3g}"
    )


def run_name(config: RunConfig, keys: Sequence[str] = ()) -> str:
    """Return a name such as `lr=0.01 hidden=[256,128]`.

    It has the values of `keys`, whole if MLflow takes so much, as other runs of the sweep differ in
    nothing else; without keys it has what differs from the defaults, and is short.
    """
    if config.run_name is not None:
        return config.run_name
    values = flatten(config)
    named = keys or [key for key in differences(config) if not key.startswith("tracking")]
    named = [key for key in named if key in values]
    if "start_from" in values and isinstance(values["start_from"], str):
        values["start_from"] = unpinned(values["start_from"])[0]
    words = [f"{_short_key(key, named)}={_short_text(values[key])}" for key in named]
    return _fitting(words, LONGEST_OF_SWEEP if keys else LONGEST_NAME) or "defaults"


def _fitting(words: Sequence[str], longest: int) -> str:
    """Return the words; if there are too many, those that fit, and the number of the others."""
    if len(" ".join(words)) <= longest:
        return " ".join(words)
    some = [_without_middle(word) for word in words]
    texts = (
        " ".join([*some[:count], f"+{len(some) - count}"]) for count in range(len(some), 0, -1)
    )
    return next(text for text in texts if len(text) <= longest).removesuffix(" +0")


def _short_key(key: str, others: Sequence[str]) -> str:
    """Return the end of a key from a dot on, so long that no other key has it."""
    parts = key.split(".")
    ends = (".".join(parts[start:]) for start in range(len(parts) - 1, 0, -1))
    is_unique = (
        end for end in ends if sum(f".{other}".endswith(f".{end}") for other in others) == 1
    )
    return next(is_unique, key)


def _without_middle(word: str) -> str:
    """Return a word without its middle if it is long: the ends of a path tell most."""
    half = LONGEST_WORD // 2
    return word if len(word) <= LONGEST_WORD else f"{word[:half]}…{word[-half:]}"


def _short_text(value: object) -> str:
    """Return a short text of a value: a search produces numbers with seventeen digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else written(value)


def markdown_note(
    experiment: Experiment, result: Result, state: TrainState, run_id: str | None = None
) -> str:
    """Return the outcome in Markdown, for the run's page; with its curves, if it is in MLflow."""
    data = experiment.dataset
    numbers = [f"| {name} | {value:.4g} |" for name, value in result.summary.items()]
    changed = [
        f"`{key}={written(value)}`" for key, (_, value) in differences(experiment.config).items()
    ]
    accuracies = {"test": "test_acc", "validation": "best_val_acc"}
    outcome = ", ".join(
        f"{100 * result.summary[metric]:.2f} % {split} accuracy"
        for split, metric in accuracies.items()
        if metric in result.summary
    )
    return "\n".join(
        [
            *([f"**{outcome}**", ""] if outcome else []),
            f"{data.name}, {experiment.network.size:,} parameters,"
            f" seed {experiment.config.seed}; stopped {stop_text(experiment.config, state)}.",
            f"Changed from the defaults: {', '.join(changed) or 'nothing'}.",
            *([] if run_id is None else ["", CURVES.format(run_id)]),
            "",
            "| | |",
            "|---|---|",
            *numbers,
        ]
    )


def write_config(config: RunConfig, folder: Path) -> Path:
    """Write the configuration with every default spelled out."""
    return write_text(folder / paths.CONFIG, as_yaml(resolved(config)))


def monitor_of(config: RunConfig) -> MonitorSettings:
    """Return the settings that choose the best epoch: early stopping's, else the checkpoint's."""
    settings = config.trainer
    return settings.early_stopping if settings.early_stopping.enabled else settings.checkpoint


def best_epoch(config: RunConfig, history: list[dict[str, float]]) -> dict[str, float]:
    """Return the epoch with the best monitored metric, with its validation metrics."""
    watched = monitor_of(config)
    best = Best(watched.monitor.value, watched.mode.value)
    found: dict[str, float] | None = None
    for metrics in history:
        value = metrics.get(best.monitor, math.nan)
        if best.improves(value, None if found is None else found[best.monitor]):
            found = metrics
    if found is None:
        return {}
    values = {f"best_{name}": found[name] for name in ("val_acc", "val_loss") if name in found}
    return {"best_epoch": found["epoch"], **values}
