"""A run among others: when it stops, what it remembers, and what a whole sweep saves."""

import math

import numpy as np
import pytest

from digit_exp.data.dataset import Split
from digit_exp.nn.builder import NetworkBuilder
from digit_exp.optim.optimizers import SGD
from digit_exp.pruning.callback import PruneLosing
from digit_exp.pruning.pruners import PRUNERS, Hyperband, Median, SuccessiveHalving, Unpruned
from digit_exp.training.callbacks import EarlyStopping, LastCheckpoint
from digit_exp.training.checkpoint import load_checkpoint
from digit_exp.training.state import TrainState
from digit_exp.training.trainer import Trainer

NAN = math.nan
AT_ONCE = Median(startup_runs=1, warmup_epochs=0)


def new_state():
    return TrainState(NetworkBuilder().input(3).dense(2).build(), slots={})


def end_epoch(callbacks, state, **metrics):
    """Finish an epoch as the trainer does: first the history, then the callbacks."""
    state.epoch += 1
    state.history.append({"epoch": state.epoch, **metrics})
    for callback in callbacks:
        callback.on_epoch_end(state, state.history[-1])


def play(callback, values, monitor="val_acc", state=None):
    """Let `callback` see scripted epochs until it stops the run; None is one not evaluated."""
    state = state or new_state()
    for value in values:
        end_epoch([callback], state, train_loss=1.0, **({} if value is None else {monitor: value}))
        if state.stop_reason is not None:
            break
    return state


def against(*runs, pruner=AT_ONCE, number=99, epochs=20, **options):
    """Return the callback of a run whose rivals have these values at the epochs 1, 2, ..."""
    rivals = {i: dict(enumerate(run, start=1)) for i, run in enumerate(runs)}
    return PruneLosing(pruner, lambda: rivals, number=number, epochs=epochs, **options)


@pytest.mark.parametrize(
    ("own", "stop"),
    [
        pytest.param([0.5, 0.61, 0.7], None, id="never behind"),
        pytest.param([0.5, 0.59, 0.9], 2, id="behind at epoch 2"),
        pytest.param([0.7, 0.1, 0.1], None, id="its best counts, not its latest"),
        pytest.param([0.4, 0.6, 0.7], None, id="a tie is not behind"),
        pytest.param([NAN, 0.9, 0.9], 1, id="NaN loses"),
        pytest.param([0.4, NAN, 0.9], 2, id="NaN adds nothing"),
        pytest.param([0.7, NAN, NAN], None, id="NaN takes nothing away"),
    ],
)
def test_a_run_stops_when_its_best_is_behind(own, stop):
    state = play(against([0.4, 0.6, 0.65]), own)
    assert state.stop_reason == (None if stop is None else "pruned")
    assert state.epoch == (stop or len(own))


def test_it_remembers_the_epoch_and_the_threshold():
    callback = against([0.4, 0.6], [0.4, 0.8])
    state = play(callback, [0.5, 0.6])
    assert callback.memory(state) == {"epoch": 2, "threshold": pytest.approx(0.7)}


def test_a_loss_is_better_when_it_is_lower_and_its_threshold_is_a_loss():
    callback = against([0.9, 0.5], monitor="val_loss")
    assert play(callback, [0.8, 0.4], "val_loss").stop_reason is None
    state = play(callback, [0.8, 0.6], "val_loss")
    assert (state.stop_reason, callback.memory(state)["threshold"]) == ("pruned", 0.5)


def test_a_mode_beats_the_metrics_name():
    callback = against([0.5], monitor="score", mode="max")
    assert play(callback, [0.4], "score").stop_reason == "pruned"


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode must be 'auto', 'min' or 'max', got 'best'"):
        against(mode="best")


def test_without_rivals_a_run_goes_on():
    assert play(against(), [0.1, NAN]).stop_reason is None


def test_a_run_is_no_rival_of_itself():
    rivals = {7: {1: 0.9}}  # what an interrupted attempt of run 7 left in the store
    callback = PruneLosing(AT_ONCE, lambda: rivals, number=7, epochs=20)
    assert play(callback, [0.1]).stop_reason is None


def test_rivals_are_looked_up_only_when_something_is_asked():
    looked_up = []
    state = new_state()

    def rivals():
        looked_up.append(state.epoch)
        return {}

    callback = PruneLosing(SuccessiveHalving(eta=3), rivals, number=0, epochs=27)
    play(callback, np.linspace(0, 1, 27), state=state)
    assert looked_up == [1, 3, 9]


def test_without_pruner_nothing_is_looked_up():
    def rivals():
        raise AssertionError("there is nothing to ask")

    play(PruneLosing(Unpruned(), rivals, number=0, epochs=20), [0.1] * 10)


def test_after_the_last_epoch_no_run_is_pruned():
    assert play(against([0.9, 0.9], epochs=1), [0.1]).stop_reason is None


def test_an_epoch_without_evaluation_is_made_up_for_at_the_next_one():
    callback = against(*[[0.5, 0.6, 0.7, 0.8]] * 2, pruner=SuccessiveHalving(eta=3))
    state = play(callback, [None, 0.55, None, 0.65, None])
    assert (state.stop_reason, state.epoch) == ("pruned", 4)
    assert callback.memory(state)["threshold"] == 0.7


def test_the_epochs_before_a_resume_count():
    callback = against([0.4, 0.6])
    state = new_state()
    play(callback, [0.7], state=state)
    assert play(against([0.4, 0.6]), [0.5], state=state).stop_reason is None


def test_only_the_runs_of_its_bracket_are_rivals():
    pruner = Hyperband(eta=2, brackets=2)
    first = pruner.bracket(0)
    same = [number for number in range(1, 60) if pruner.bracket(number) == first]
    other = [number for number in range(1, 60) if pruner.bracket(number) != first]
    curve = dict.fromkeys(range(1, 5), 0.9)

    def pruned(rivals):
        callback = PruneLosing(pruner, lambda: rivals, number=0, epochs=20)
        return play(callback, [0.1] * 4).stop_reason == "pruned"

    assert pruned(dict.fromkeys(same, curve))
    assert not pruned(dict.fromkeys(other, curve))


def test_early_stopping_in_the_same_epoch_goes_first():
    state = new_state()
    callbacks = [EarlyStopping(patience=1), against([0.4, 0.9])]
    for value in (0.5, 0.5):
        end_epoch(callbacks, state, val_acc=value)
    assert state.stop_reason == "early_stopping"


def test_a_checkpoint_behind_it_holds_the_reason_and_the_memory(tmp_path):
    state = new_state()
    callbacks = [against([0.9]), LastCheckpoint(tmp_path / "last.npz")]
    end_epoch(callbacks, state, val_acc=0.5)
    loaded = load_checkpoint(tmp_path / "last.npz").state
    assert loaded.stop_reason == "pruned"
    assert callbacks[0].memory(loaded) == {"epoch": 1, "threshold": 0.9}


def test_training_ends_with_the_epoch_in_which_a_run_has_lost():
    rng = np.random.default_rng(0)
    digits = Split.of(rng.integers(256, size=(32, 2, 2), dtype=np.uint8), rng.integers(2, size=32))
    network = NetworkBuilder().input(4).dense(2).build()
    callback = against([0.0, 1.1], epochs=5, monitor="train_acc")
    state = Trainer(network, SGD(lr=0.1), epochs=5, callbacks=[callback]).fit(digits)
    assert (state.stop_reason, state.epoch) == ("pruned", 2)


def test_hyperband_spares_a_slow_starter_that_asha_prunes():
    hyperband = Hyperband(eta=3, brackets=3)
    slow, *rivals = [n for n in range(200) if hyperband.bracket(n).min_epochs == 9]
    histories = {number: dict.fromkeys(range(1, 21), 0.9) for number in rivals}
    own = [0.1] * 8 + [0.99] * 12

    def played(pruner):
        return play(PruneLosing(pruner, lambda: histories, number=slow, epochs=20), own)

    assert played(hyperband).stop_reason is None
    assert played(SuccessiveHalving(eta=3)).epoch == 1


RUNS, EPOCHS = 36, 20


def sweep_of(pruner, workers, seed=4):
    """Train 36 scripted runs, `workers` at a time; return their states and the number of the best.

    Accuracy rises as  a (1 − exp(−e / τ))  with some noise. As with learning rates, what is
    slow is worse in the end.
    """
    rng = np.random.default_rng(seed)
    quality = rng.permutation(RUNS) / RUNS
    noise = rng.normal(0, 0.005, (RUNS, EPOCHS))
    epochs = np.arange(1, EPOCHS + 1)
    curves = (0.6 + 0.38 * quality[:, None]) * -np.expm1(
        -epochs / (3 - 2 * quality[:, None])
    ) + noise
    states = [new_state() for _ in range(RUNS)]

    def rivals():
        return {
            number: {metrics["epoch"]: metrics["val_acc"] for metrics in state.history}
            for number, state in enumerate(states)
        }

    waiting, running = list(range(RUNS)), []
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(waiting.pop(0))
        number = running.pop(int(rng.integers(len(running))))
        state = states[number]
        callback = PruneLosing(pruner, rivals, number=number, epochs=EPOCHS)
        end_epoch([callback], state, val_acc=float(curves[number, state.epoch]))
        if state.stop_reason is None and state.epoch < EPOCHS:
            running.append(number)
    winner = int(np.argmax(curves.max(axis=1)))
    return states, winner


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("name", [name for name in PRUNERS.names() if name != "none"])
def test_a_sweep_saves_two_epochs_in_five_and_keeps_its_winner(name, workers):
    states, winner = sweep_of(PRUNERS[name](), workers)
    assert winner == 30  # not one of the first, which have too few rivals to be pruned
    assert states[winner].epoch == EPOCHS
    assert states[winner].stop_reason is None
    assert sum(state.epoch for state in states) <= 0.6 * RUNS * EPOCHS


def test_without_pruner_a_sweep_trains_all_its_epochs():
    states, _ = sweep_of(Unpruned(), workers=2)
    assert {state.epoch for state in states} == {EPOCHS}
