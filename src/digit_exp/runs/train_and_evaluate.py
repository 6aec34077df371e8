"""The steps of a run: train, evaluate once on the test set, write the results into its folder."""

import logging
import time
from dataclasses import replace

from digit_exp.analysis.predictions import Predictions
from digit_exp.atomic import write_text
from digit_exp.nn.network import Network
from digit_exp.pruning.callback import PruneLosing
from digit_exp.runs import paths
from digit_exp.runs.active_run import ActiveRun
from digit_exp.runs.callbacks import callbacks_of
from digit_exp.runs.experiment import Experiment, PruningContext, Result
from digit_exp.runs.folder import TEST_METRIC, RunRecord
from digit_exp.runs.results.evaluate import (
    calibrate,
    evaluate_test_set,
    picture_kind,
    predict_split,
    write_model,
)
from digit_exp.runs.results.figures import draw
from digit_exp.runs.results.summary import (
    best_epoch,
    log_end,
    log_failures,
    markdown_note,
    write_config,
)
from digit_exp.runs.signals import Interruption
from digit_exp.threads import threads_for
from digit_exp.tracking.base import Status
from digit_exp.tracking.provenance import git_diff
from digit_exp.tracking.tags import Tag
from digit_exp.training.callbacks import SWEEP_OUT_OF_TIME
from digit_exp.training.checkpoint import save_network
from digit_exp.training.pace import epochs_that_fit
from digit_exp.training.state import TrainState

log = logging.getLogger(__name__)

STATUSES = {
    "diverged": Status.FAILED,
    "interrupted": Status.KILLED,
    "pruned": Status.KILLED,
    SWEEP_OUT_OF_TIME: Status.KILLED,
}
"""Of runs that stopped for a reason; all others have FINISHED."""


def train_and_evaluate(
    experiment: Experiment,
    run: ActiveRun,
    interruption: Interruption,
    pruning: PruningContext | None = None,
) -> Result:
    """Carry out a run and record its outcome; `pruning` is given for a job of a sweep."""
    run.record.tags |= experiment.provenance
    experiment = _with_fitted_epochs(experiment, run)
    _write_inputs(experiment, run)
    history = [] if experiment.start is None else experiment.start.history
    earlier = sum(metrics["epoch_seconds"] for metrics in history)  # of the processes before
    started = time.perf_counter()
    trainer = experiment.trainer(callbacks_of(experiment, run, interruption, pruning))
    with threads_for(experiment.network, experiment.config.trainer.threads):
        state = trainer.fit(experiment.train, experiment.val, experiment.start)
        seconds = earlier + time.perf_counter() - started
        summary = {**best_epoch(experiment.config, state.history), "training_seconds": seconds}
        status = STATUSES.get(state.stop_reason or "", Status.FINISHED)
        result = Result(status, summary, state.stop_reason)
        predictions = None
        if result.status is Status.FINISHED:
            summary |= _validate(experiment)
            if not state.history and "final_val_acc" in summary:  # nothing was trained
                summary["best_val_acc"] = summary["final_val_acc"]
            predictions = _test(experiment, summary)
    _write_outcome(experiment, run.record, result, state, predictions)
    result.not_written.extend(experiment.write_failures.messages())
    interruption.raise_if_asked()
    run.record.status, run.record.reason = result.status, result.stop_reason
    return result


def _write_inputs(experiment: Experiment, run: ActiveRun) -> None:
    """Write what is known before the first step."""
    data, folder = experiment.dataset, run.folder
    write_config(experiment.config, folder)
    shapes = {
        context: [len(split), *split.images.shape[1:]]
        for context, split in (("train", data.train), ("test", data.test))
    }
    run.record.dataset = {"name": data.name, "digest": data.digest, **shapes}
    if experiment.start is None:
        write_text(folder / paths.NETWORK, experiment.network.summary())
        if (diff := git_diff()) is not None:
            write_text(folder / paths.DIFF, diff)
    run.save()


def _validate(experiment: Experiment) -> dict[str, float]:
    """Write the validation predictions; return their accuracy and calibration, if any."""
    measured = dict[str, float]()
    if len(experiment.val):
        with experiment.write_failures.collect(paths.VAL_PREDICTIONS, Exception):
            val = predict_split(experiment.network, experiment.val)
            measured["final_val_acc"] = float(val.is_right.mean())
            with experiment.write_failures.collect("the temperature", Exception):
                measured |= calibrate(val)
            val.write(experiment.folder / paths.VAL_PREDICTIONS)
    return measured


def _test(experiment: Experiment, summary: dict[str, float]) -> Predictions | None:
    """Add the test metrics to `summary`; return the predictions, None if that failed."""
    with experiment.write_failures.collect(f"{TEST_METRIC} and test_loss", Exception):
        predictions, measured = evaluate_test_set(experiment.network, experiment.dataset.test)
        summary |= measured
        return predictions
    return None


def _write_outcome(
    experiment: Experiment,
    record: RunRecord,
    result: Result,
    state: TrainState,
    predictions: Predictions | None,
) -> None:
    """Write summary, test predictions, model and figures."""
    failures, network = experiment.write_failures, experiment.network
    # a resumed run may have the reason of its first part in its record
    if state.stop_reason is not None or experiment.start is not None:
        missed = state.callback_memory.get(PruneLosing.__name__, {})  # the epoch and the value
        record.tags |= {
            Tag.STOP_REASON: state.stop_reason or "completed",
            **{f"pruned.{name}": f"{value:.6g}" for name, value in missed.items()},
        }
    record.summary = result.summary
    record.tags |= {Tag.NOTE: markdown_note(experiment, result, state, record.run_id)}
    if state.stop_reason == "diverged" and isinstance(network, Network):
        with failures.collect(str(paths.LAST_FINITE), Exception):
            save_network(experiment.folder / paths.LAST_FINITE, network)
    temperature = result.summary.get("temperature")
    if predictions is not None:
        with failures.collect(paths.TEST_PREDICTIONS, Exception):
            predictions.write(experiment.folder / paths.TEST_PREDICTIONS)
    if result.status is Status.FINISHED and isinstance(network, Network):
        with failures.collect(paths.MODEL, Exception):
            data, file = experiment.dataset, experiment.folder / paths.MODEL
            form = getattr(experiment.config.data, "form", None)
            reads = picture_kind(data.name, form and form.value, data.named)
            write_model(file, network, data.image_shape, temperature or 1.0, reads)
    log_end(experiment, result, state)
    log.info("\ndrawing figures ...")
    draw(experiment, state, predictions, temperature)
    log_failures(experiment, result)


def _with_fitted_epochs(experiment: Experiment, run: ActiveRun) -> Experiment:
    """Return the experiment with as many epochs as fit into its time, if that is what it has."""
    settings = experiment.config.trainer
    if settings.fit_minutes is None or experiment.start is not None or not settings.epochs:
        return experiment
    log.info("measuring how many epochs fit into %g minutes", settings.fit_minutes)
    seconds = 60 * settings.fit_minutes
    fit = epochs_that_fit(experiment.trainer([]), experiment.train, experiment.val, seconds)
    least = 1 + getattr(experiment.config.schedule, "warmup_epochs", 0)
    epochs = min(max(fit, least), settings.epochs)
    log.info("trainer.fit_minutes=%g: %d epochs", settings.fit_minutes, epochs)
    run.record.tags |= {Tag.FITTED_EPOCHS: str(epochs)}
    return replace(experiment, epochs=epochs)
