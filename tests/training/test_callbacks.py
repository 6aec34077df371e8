import math

import numpy as np
import pytest

from digit_exp.training.callbacks import (
    EarlyStopping,
    LastCheckpoint,
    ModelCheckpoint,
    StopOnNonFinite,
)
from digit_exp.training.checkpoint import load_checkpoint

NAN, INF = math.nan, math.inf


def play(callback, state, values, monitor="val_acc"):
    """Let `callback` see epochs whose metric is scripted; the weights are the epoch's number."""
    for value in values:
        state.epoch += 1
        state.network.parameters.storage[:] = state.epoch
        metrics = {"train_loss": 1.0, monitor: value}
        callback.on_epoch_end(state, metrics)
        if state.stop_reason is not None:
            return


def weights_after(callback, state):
    callback.on_fit_end(state)
    return set(state.network.parameters.storage.tolist())


@pytest.mark.parametrize(
    ("mode", "patience", "min_delta", "values", "stop", "best"),
    [
        ("max", 2, 0.0, [0.5, 0.6, 0.55, 0.58, 0.9], 4, 2),
        ("max", 1, 0.0, [0.5, 0.4], 2, 1),
        ("max", 3, 0.0, [0.1, 0.2, 0.3, 0.4], None, 4),
        ("min", 2, 0.0, [1.0, 0.9, 1.1, 0.95, 0.1], 4, 2),
        pytest.param("max", 2, 0.0, [0.5, 0.5, 0.5], 3, 1, id="a tie is no improvement"),
        pytest.param("max", 2, 0.01, [0.5, 0.505, 0.509, 0.9], 3, 3, id="too small to go on"),
        pytest.param("max", 2, 0.01, [0.5, 0.506, 0.512, 0.51], None, 3, id="small steps add up"),
        pytest.param("min", 1, 0.1, [1.0, 0.95], 2, 2, id="best without min_delta"),
        pytest.param("max", 2, 0.0, [NAN, 0.5, NAN, NAN], 4, 2, id="NaN is never better"),
        pytest.param("min", 2, 0.0, [NAN, NAN, 0.1], 2, None, id="NaN from the start"),
        pytest.param("min", 2, 0.0, [INF, INF, 0.1], 2, None, id="infinite from the start"),
        pytest.param("max", 2, 0.0, [0.5, 0.4, 0.6, 0.5], None, 3, id="the count starts again"),
    ],
)
def test_early_stopping(state, mode, patience, min_delta, values, stop, best):
    callback = EarlyStopping(mode=mode, patience=patience, min_delta=min_delta)
    play(callback, state, values)
    assert state.stop_reason == (None if stop is None else "early_stopping")
    assert state.epoch == (stop or len(values))
    assert weights_after(callback, state) == {best or state.epoch}


def test_early_stopping_leaves_a_run_that_diverged_as_it_is(state):
    callback = EarlyStopping(mode="min", patience=1)
    play(callback, state, [0.5])
    state.stop_reason = "diverged"
    play(callback, state, [NAN])
    assert state.stop_reason == "diverged"
    assert weights_after(callback, state) == {2}


def test_without_restore_best_the_last_weights_stay(state):
    callback = EarlyStopping(patience=1, restore_best=False)
    play(callback, state, [0.5, 0.4])
    assert weights_after(callback, state) == {2}


def test_the_average_is_restored_where_one_is_evaluated(state):
    state.average = np.full_like(state.network.parameters.storage, 77)
    callback = EarlyStopping()
    play(callback, state, [0.5])
    assert weights_after(callback, state) == {77}


@pytest.mark.parametrize(
    ("monitor", "falling_is_better"),
    [("val_loss", True), ("train_loss", True), ("val_acc", False), ("train_acc", False)],
)
def test_auto_takes_the_direction_from_the_name(state, monitor, falling_is_better):
    callback = EarlyStopping(monitor, patience=1, min_delta=0)
    play(callback, state, [0.5, 0.4, 0.3], monitor)
    assert (state.stop_reason is None) == falling_is_better


def test_epochs_without_evaluation_do_not_count(state):
    callback = EarlyStopping(patience=2, min_delta=0)
    play(callback, state, [0.5])
    for _ in range(5):
        state.epoch += 1
        callback.on_epoch_end(state, {"train_loss": 1.0})
    assert state.stop_reason is None
    play(callback, state, [0.4, 0.4])
    assert state.stop_reason == "early_stopping"


def test_early_stopping_goes_on_counting_after_a_resume(state, tmp_path):
    play(EarlyStopping(patience=3), state, [0.5, 0.4, 0.4])
    file = LastCheckpoint(tmp_path / "last.npz")
    file.on_epoch_end(state, {})
    resumed = load_checkpoint(tmp_path / "last.npz").state
    callback = EarlyStopping(patience=3)
    play(callback, resumed, [0.4])
    assert resumed.stop_reason == "early_stopping"
    assert weights_after(callback, resumed) == {1}


@pytest.mark.parametrize("make", [EarlyStopping, lambda m: ModelCheckpoint("x.npz", monitor=m)])
def test_an_unknown_metric_is_an_error_that_lists_those_there_are(state, make):
    with pytest.raises(KeyError, match=r"'val_accuracy' is not measured.*train_loss, val_acc"):
        play(make("val_accuracy"), state, [0.5])


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode must be 'auto', 'min' or 'max', got 'maximum'"):
        EarlyStopping(mode="maximum")


@pytest.mark.parametrize(
    ("loss", "reason"),
    [(0.0, None), (1e300, None), (NAN, "diverged"), (INF, "diverged"), (-INF, "diverged")],
)
def test_a_loss_that_is_no_number_stops_training(state, loss, reason):
    StopOnNonFinite().on_step_end(state, loss)
    assert state.stop_reason == reason


def test_the_weights_before_the_loss_was_no_number_come_back(state):
    callback, storage = StopOnNonFinite(every=2), state.network.parameters.storage
    callback.on_fit_start(state)
    for state.step in range(1, 6):
        storage[:] = state.step
        callback.on_step_end(state, 0.5)
    state.step, storage[:] = 6, NAN
    callback.on_step_end(state, NAN)
    assert (storage == 4).all()  # of an even step: copies are not made at each
    memory = state.callback_memory["StopOnNonFinite"]
    assert (memory["step"], memory["kept"]) == (6, 4)


def test_weights_that_are_not_finite_are_never_kept(state):
    callback, storage = StopOnNonFinite(every=1), state.network.parameters.storage
    storage[:] = 1
    callback.on_fit_start(state)
    storage[0] = INF
    callback.on_step_end(state, 0.5)  # the loss of the step before is still finite
    callback.on_step_end(state, INF)
    assert (storage == 1).all()


@pytest.mark.parametrize("metrics", [{"train_loss": INF}, {"train_loss": 1.0, "val_loss": NAN}])
def test_a_last_step_that_was_too_large_is_seen_by_validation(state, metrics):
    callback = StopOnNonFinite()
    callback.on_fit_start(state)
    callback.on_epoch_end(state, metrics)
    assert state.stop_reason == "diverged"


def names(folder):
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize(
    ("options", "values", "epochs"),
    [
        ({"keep": 0}, [0.5, 0.4, 0.6, 0.6, 0.7], [1, 3, 5]),
        ({"keep": 0, "mode": "min"}, [0.5, 0.4, 0.6, 0.3], [1, 2, 4]),
        ({"keep": 0}, [NAN, 0.5, NAN, 0.6], [2, 4]),
        ({"keep": 0}, [NAN, NAN], []),
        ({"keep": 1}, [0.5, 0.4, 0.6], [3]),
        ({"keep": 2}, [0.5, 0.6, 0.7, 0.1], [2, 3]),
        ({"keep": 0, "save_best_only": False}, [0.5, NAN, 0.3], [1, 2, 3]),
        ({"keep": 0, "save_best_only": False, "every": 2}, [0.5] * 5, [2, 4]),
        ({"keep": 2, "save_best_only": False}, [0.5] * 5, [4, 5]),
        ({"keep": 0, "every": 2}, [0.9, 0.5, 0.9, 0.6, 0.9, 0.55], [2, 4]),
    ],
)
def test_model_checkpoint_keeps_the_right_epochs(state, tmp_path, options, values, epochs):
    folder = tmp_path / "files"
    play(ModelCheckpoint(folder / "{epoch}.npz", **options), state, values)
    assert names(folder) == [f"{epoch}.npz" for epoch in epochs]
    for epoch in epochs:
        assert load_checkpoint(folder / f"{epoch}.npz").state.epoch == epoch


def test_the_file_name_tells_epoch_and_metrics(state, tmp_path):
    name = "epoch{epoch:02d}-{val_loss:.2f}-{val_acc:.4f}.npz"
    callback = ModelCheckpoint(tmp_path / name)
    state.epoch = 7
    callback.on_epoch_end(state, {"epoch": 7, "val_loss": 0.125, "val_acc": 0.97561})
    assert names(tmp_path) == ["epoch07-0.12-0.9756.npz"]


def test_an_epoch_without_evaluation_has_nan_in_its_file_name(state, tmp_path):
    callback = ModelCheckpoint(tmp_path / "{epoch}-{val_acc:.4f}.npz", save_best_only=False)
    state.epoch = 1
    callback.on_epoch_end(state, {"train_loss": 1.0})
    assert names(tmp_path) == ["1-nan.npz"]


def test_best_only_writes_nothing_where_nothing_was_evaluated(state, tmp_path):
    state.epoch = 1
    ModelCheckpoint(tmp_path / "best.npz").on_epoch_end(state, {"train_loss": 1.0})
    assert names(tmp_path) == []


def test_a_plain_file_name_is_overwritten_by_the_best(state, tmp_path):
    play(ModelCheckpoint(tmp_path / "best.npz"), state, [0.5, 0.7, 0.6])
    assert load_checkpoint(tmp_path / "best.npz").state.epoch == 2


def test_two_model_checkpoints_do_not_delete_each_others_files(state, tmp_path):
    best = ModelCheckpoint(tmp_path / "best-{epoch}.npz")
    newest = ModelCheckpoint(tmp_path / "newest-{epoch}.npz", save_best_only=False)
    for value in [0.5, 0.4]:
        state.epoch += 1
        for callback in (best, newest):
            callback.on_epoch_end(state, {"val_acc": value})
    assert names(tmp_path) == ["best-1.npz", "newest-2.npz"]


def test_a_resumed_model_checkpoint_knows_its_best_and_its_files(state, tmp_path):
    path = tmp_path / "best-{epoch}.npz"
    play(ModelCheckpoint(path), state, [0.5])
    resumed = load_checkpoint(tmp_path / "best-1.npz").state
    play(ModelCheckpoint(path), resumed, [0.4, 0.6])
    assert names(tmp_path) == ["best-3.npz"]


def test_a_file_that_somebody_deleted_does_not_end_training(state, tmp_path):
    callback = ModelCheckpoint(tmp_path / "{epoch}.npz")
    play(callback, state, [0.5])
    (tmp_path / "1.npz").unlink()
    play(callback, state, [0.6])
    assert names(tmp_path) == ["2.npz"]


def test_the_config_is_in_every_checkpoint(state, tmp_path):
    config = {"seed": 7}
    play(ModelCheckpoint(tmp_path / "best.npz", config=config), state, [0.5])
    LastCheckpoint(tmp_path / "last.npz", config).on_fit_start(state)
    for name in ("best.npz", "last.npz"):
        assert load_checkpoint(tmp_path / name).config == config


def test_the_last_state_is_there_from_the_start_and_follows_every_epoch(state, tmp_path):
    callback = LastCheckpoint(tmp_path / "last.npz")
    callback.on_fit_start(state)
    assert load_checkpoint(tmp_path / "last.npz").state.epoch == 0
    play(callback, state, [0.5, 0.4])
    assert load_checkpoint(tmp_path / "last.npz").state.epoch == 2
