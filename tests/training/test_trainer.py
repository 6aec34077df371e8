from dataclasses import replace

import numpy as np
import pytest

from digit_exp.data.augmentations import AUGMENTATIONS
from digit_exp.data.dataset import Split
from digit_exp.nn.losses import cross_entropy
from digit_exp.nn.models import MLP, Activation, PixelStatistics
from digit_exp.optim.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Momentum
from digit_exp.optim.regularizers import Regularizer
from digit_exp.optim.schedules import Plateau, Step
from digit_exp.registry import ConfigError
from digit_exp.training.callbacks import (
    Callback,
    EarlyStopping,
    LastCheckpoint,
    StopOnNonFinite,
)
from digit_exp.training.checkpoint import load_checkpoint
from digit_exp.training.trainer import Trainer

TIMES = {"epoch_seconds", "images_per_second"}


def build(seed=1, **options):
    """Return a small network; `options` go to the model and its `build`."""
    model = {key: options.pop(key) for key in ("hidden", "batch_norm") if key in options}
    return MLP(**{"hidden": [16], **model}).build(64, 4, seed=seed, **options)


def fit(network, train, val=None, *, optimizer=None, **options):
    """Train `network` and return the state; three epochs unless told otherwise."""
    trainer = Trainer(network, optimizer or SGD(lr=0.1), **{"epochs": 3, **options})
    return trainer.fit(train, val)


def one_step(network, train, **options):
    """Make one update with the whole set as its batch."""
    return fit(network, train, batch_size=len(train), epochs=1, **options)


def timeless(history):
    return [{k: v for k, v in metrics.items() if k not in TIMES} for metrics in history]


def column(state, name):
    return [metrics.get(name) for metrics in state.history]


def pixels(split):
    return (split.images[split.rows] / np.float32(255)).astype(np.float32)


class Recorder(Callback):
    """Writes down every event under its name."""

    def __init__(self, log, prefix=""):
        self.log, self.prefix = log, prefix

    def on_fit_start(self, state):
        self.log.append(f"{self.prefix}start")

    def on_step_end(self, state, loss):
        self.log.append(f"{self.prefix}step {state.step}")

    def on_epoch_end(self, state, metrics):
        self.log.append(f"{self.prefix}epoch {state.epoch}")

    def on_fit_end(self, state):
        self.log.append(f"{self.prefix}end")


class StopAt(Callback):
    """Stops, or raises, at a step."""

    def __init__(self, step, error=None):
        self.step, self.error = step, error

    def on_step_end(self, state, loss):
        if state.step == self.step:
            if self.error is not None:
                raise self.error
            state.stop_reason = "asked"


def test_events_come_in_order(digits):
    log = []
    fit(build(), digits, epochs=2, batch_size=40, callbacks=[Recorder(log)])
    first, second = ["step 1", "step 2", "step 3"], ["step 4", "step 5", "step 6"]
    assert log == ["start", *first, "epoch 1", *second, "epoch 2", "end"]


def test_callbacks_run_in_the_order_of_their_list(digits):
    log = []
    one_step(build(), digits, callbacks=[Recorder(log, "a "), Recorder(log, "b ")])
    assert log == [
        f"{name} {event}" for event in ("start", "step 1", "epoch 1", "end") for name in ("a", "b")
    ]


def test_the_end_comes_after_an_exception_too_and_the_exception_goes_on(digits):
    log = []
    with pytest.raises(RuntimeError, match="boom"):
        fit(build(), digits, callbacks=[Recorder(log), StopAt(2, RuntimeError("boom"))])
    assert log[-1] == "end"


def test_an_exception_leaves_the_best_weights_of_early_stopping(digits):
    network, best = build(), []

    class Remember(Callback):
        def on_epoch_end(self, state, metrics):
            best.append(network.parameters.storage.copy())

    callbacks = [EarlyStopping("train_loss"), Remember(), StopAt(5, KeyboardInterrupt())]
    with pytest.raises(KeyboardInterrupt):
        fit(network, digits, batch_size=32, callbacks=callbacks)
    np.testing.assert_array_equal(network.parameters.storage, best[0])


def test_callbacks_see_the_epoch_in_history_and_its_metrics(digits):
    seen = []

    class Look(Callback):
        def on_epoch_end(self, state, metrics):
            assert state.history[-1] == metrics
            seen.append(metrics["epoch"])

    fit(build(), digits, callbacks=[Look()])
    assert seen == [1, 2, 3]


def test_it_learns_32_images_by_heart(digits):
    few = digits.select(np.arange(32))
    network = build(hidden=[32])
    trainer = Trainer(network, Adam(lr=0.01), epochs=40, batch_size=8)
    trainer.fit(few)
    loss, accuracy = trainer.evaluate(few)
    assert accuracy == 1.0
    assert loss < 0.05


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_every_optimizer_reduces_the_loss(digits, name):
    state = fit(build(), digits, optimizer=OPTIMIZERS[name](), epochs=8, batch_size=16)
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]


def test_a_learning_rate_of_zero_changes_no_weight(digits):
    network = build()
    before = network.parameters.storage.copy()
    fit(network, digits, optimizer=Adam(lr=0.0))
    np.testing.assert_array_equal(network.parameters.storage, before)


def test_one_step_of_sgd_is_the_gradient_times_the_learning_rate(digits):
    network, by_hand = build(), build()
    one_step(network, digits)
    _, _, dlogits = cross_entropy(by_hand.forward(pixels(digits)), digits.labels)
    by_hand.backward(dlogits)
    expected = by_hand.parameters.values - 0.1 * by_hand.parameters.grads
    np.testing.assert_allclose(network.parameters.values, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("strengths", "penalty", "slope"),
    [
        # the specification, section 8: λ Σ W² in the loss, so 2 λ W in the gradient
        ({"l2": 0.1}, lambda w: 0.1 * np.sum(w * w), lambda w: 2 * 0.1 * w),
        ({"l1": 0.1}, lambda w: 0.1 * np.sum(np.abs(w)), lambda w: 0.1 * np.sign(w)),
    ],
    ids=["l2", "l1"],
)
def test_a_penalty_is_in_the_loss_and_in_the_gradient_of_weights_but_not_of_biases(
    digits, strengths, penalty, slope
):
    plain, network = build(), build()
    weights = network.parameters.weights.copy()
    biases = slice(len(weights), None)
    for each in (plain, network):
        each.parameters.values[biases] = 0.3
    free = one_step(plain, digits)
    state = one_step(network, digits, regularizer=Regularizer(**strengths))
    extra = state.history[0]["train_loss"] - free.history[0]["train_loss"]
    assert extra == pytest.approx(penalty(weights), rel=1e-5)
    expected = plain.parameters.weights - 0.1 * slope(weights)
    np.testing.assert_allclose(network.parameters.weights, expected, atol=1e-6)
    np.testing.assert_array_equal(
        network.parameters.values[biases], plain.parameters.values[biases]
    )


def test_decoupled_decay_shrinks_the_weights_alone(digits):
    plain, decayed = build(), build()
    weights = plain.parameters.weights.copy()
    one_step(plain, digits, optimizer=Adam(lr=0.1))
    one_step(decayed, digits, optimizer=AdamW(lr=0.1, weight_decay=0.5))
    expected = plain.parameters.values.copy()
    expected[: len(weights)] -= 0.1 * 0.5 * weights  # Loshchilov & Hutter 2019: η λ W
    np.testing.assert_allclose(decayed.parameters.values, expected, atol=1e-6)


def test_clipping_limits_the_step_and_reports_the_norm_before(digits):
    network, start = build(), build().parameters.values
    state = one_step(network, digits, optimizer=SGD(lr=1.0, clip_norm=0.01))
    assert np.linalg.norm(network.parameters.values - start) == pytest.approx(0.01, rel=1e-4)
    assert state.history[0]["gradient_norm"] > 0.01


def test_a_gradient_below_the_limit_is_not_clipped(digits):
    clipped, free = build(), build()
    fit(clipped, digits, optimizer=SGD(lr=0.1, clip_norm=1e6))
    fit(free, digits)
    np.testing.assert_array_equal(clipped.parameters.values, free.parameters.values)


def test_max_norm_bounds_the_incoming_weights_of_every_unit(digits):
    network = build()
    fit(network, digits, regularizer=Regularizer(max_norm=0.5))
    for matrix in network.parameters.matrices:
        assert np.linalg.norm(matrix, axis=0).max() <= 0.5 * (1 + 1e-6)


def test_label_smoothing_raises_the_training_loss_only(digits):
    options = {"optimizer": SGD(lr=0.0), "batch_size": 32, "epochs": 1}
    smooth = Regularizer(label_smoothing=0.2)
    plain = fit(build(), digits, digits, **options)
    smoothed = fit(build(), digits, digits, regularizer=smooth, **options)
    assert smoothed.history[0]["train_loss"] != plain.history[0]["train_loss"]
    assert smoothed.history[0]["val_loss"] == plain.history[0]["val_loss"]


@pytest.mark.parametrize("batch_size", [32, 95, 96, 500])
def test_metrics_of_training_are_means_over_images_whatever_the_batches(digits, batch_size):
    network, trainer_options = build(), {"optimizer": SGD(lr=0.0), "epochs": 1}
    state = fit(network, digits, batch_size=batch_size, **trainer_options)
    logits = network.forward(pixels(digits))
    assert column(state, "train_acc") == [np.mean(logits.argmax(axis=1) == digits.labels)]
    loss = cross_entropy(logits, digits.labels)[0]
    assert column(state, "train_loss") == [pytest.approx(loss, rel=1e-5)]


def test_metrics_of_validation_are_those_of_evaluate_at_the_end(digits):
    trainer = Trainer(build(dropout=0.5), SGD(lr=0.1), epochs=2)
    state = trainer.fit(digits, digits)
    last = state.history[-1]
    assert trainer.evaluate(digits) == (last["val_loss"], last["val_acc"])


def test_evaluation_does_not_depend_on_the_batch_it_is_done_in(digits, monkeypatch):
    trainer = Trainer(build(batch_norm=True, dropout=0.5), SGD(lr=0.1), epochs=1)
    trainer.fit(digits)
    whole = trainer.evaluate(digits)
    monkeypatch.setattr("digit_exp.nn.network.PREDICTION_BATCH", 7)
    assert trainer.evaluate(digits) == (pytest.approx(whole[0], rel=1e-5), whole[1])


def test_an_epoch_has_all_its_metrics(digits):
    state = fit(build(), digits, digits, epochs=1)
    by_layer = {
        f"{kind}/dense_{i}"
        for kind in ("gradient_norms", "weight_norms", "update_ratios")
        for i in (1, 2)
    }
    assert state.history[0].keys() == by_layer | TIMES | {
        "epoch",
        "train_loss",
        "train_acc",
        "val_loss",
        "val_acc",
        "learning_rate",
        "gradient_norm",
    }


def test_metrics_are_plain_numbers(digits):
    state = fit(build(), digits, digits, augmentation=AUGMENTATIONS["full"](), ema=0.9)
    assert {type(value) for metrics in state.history for value in metrics.values()} == {int, float}


def test_the_validation_set_is_evaluated_every_so_often_and_at_the_end(digits):
    state = fit(build(), digits, digits, epochs=5, eval_every=2)
    evaluated = [metrics["epoch"] for metrics in state.history if "val_loss" in metrics]
    assert evaluated == [2, 4, 5]


@pytest.mark.parametrize("empty", [True, False])
def test_without_validation_images_there_are_no_validation_metrics(digits, empty):
    state = fit(build(), digits, digits.select(np.arange(0)) if empty else None)
    assert column(state, "val_loss") == column(state, "val_acc") == [None] * 3


def test_the_schedule_sets_the_learning_rate_of_every_epoch(digits):
    schedule = Step(drop_rate=0.5, epochs_drop=1)
    state = fit(build(), digits, optimizer=SGD(lr=0.2), schedule=schedule)
    assert column(state, "learning_rate") == [0.2, 0.1, 0.05]


def test_a_schedule_is_what_the_weights_see(digits):
    network, by_hand = build(), build()
    start = network.parameters.values.copy()
    scheduled = Trainer(network, SGD(lr=0.1), epochs=2, batch_size=96, schedule=Halving())
    scheduled.fit(digits)
    one_step(by_hand, digits)
    expected = start + 0.5 * (by_hand.parameters.values - start)
    np.testing.assert_allclose(network.parameters.values, expected, atol=1e-6)


class Halving(Step):
    """Half the learning rate in the first step, none after it."""

    def factor(self, clock, memory):
        return 0.5 if clock.step == 0 else 0.0


def test_an_epoch_that_was_stopped_half_way_is_not_recorded(digits):
    state = fit(build(), digits, batch_size=32, callbacks=[StopAt(5)])
    assert (state.epoch, state.step, state.stop_reason) == (1, 5, "asked")
    assert len(state.history) == 1


def test_a_diverging_run_stops_within_the_step(digits):
    state = fit(build(), digits, optimizer=SGD(lr=1e30), callbacks=[StopOnNonFinite()])
    assert state.stop_reason == "diverged"
    assert state.history == []
    assert state.step < 4


def test_early_stopping_ends_the_run_with_the_best_weights(digits):
    trainer = Trainer(
        build(),
        SGD(lr=3.0),
        epochs=30,
        callbacks=[EarlyStopping("val_loss", patience=3, min_delta=0.0)],
    )
    state = trainer.fit(digits, digits)
    assert state.stop_reason == "early_stopping"
    assert trainer.evaluate(digits)[0] == min(column(state, "val_loss"))
    assert column(state, "val_loss")[-1] != min(column(state, "val_loss"))


def test_no_epochs_leave_the_network_as_it_was(digits):
    network, log = build(), []
    state = fit(network, digits, epochs=0, callbacks=[Recorder(log)])
    np.testing.assert_array_equal(network.parameters.storage, build().parameters.storage)
    assert (state.history, log) == ([], ["start", "end"])


def test_a_batch_may_be_larger_than_the_set(digits):
    larger, exact = build(), build()
    fit(larger, digits, batch_size=1000)
    fit(exact, digits, batch_size=96)
    np.testing.assert_array_equal(larger.parameters.values, exact.parameters.values)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_one_image_is_enough(digits, batch_norm):
    state = fit(build(batch_norm=batch_norm), digits.select(np.array([5])))
    assert len(state.history) == 3
    assert np.isfinite(state.network.parameters.storage).all()


def test_the_same_seed_gives_the_same_weights_and_history(digits):
    states = [
        fit(build(dropout=0.3), digits, digits, augmentation=AUGMENTATIONS["full"](), seed=5)
        for _ in range(2)
    ]
    storages = [state.network.parameters.storage for state in states]
    np.testing.assert_array_equal(*storages)
    assert timeless(states[0].history) == timeless(states[1].history)


def test_another_seed_gives_other_weights(digits):
    first, second = build(), build()
    fit(first, digits, seed=5)
    fit(second, digits, seed=6)
    assert not np.array_equal(first.parameters.values, second.parameters.values)


class Watch:
    """An augmentation that does nothing but remember what it saw."""

    def __init__(self):
        self.seen = []

    def __call__(self, images, rng):
        self.seen.append(images.copy())
        return images


def test_dropout_does_not_change_the_order_of_the_batches(digits):
    orders = []
    for dropout in (0.0, 0.5):
        watch = Watch()
        fit(build(dropout=dropout), digits, augmentation=watch)
        orders.append(np.concatenate(watch.seen))
    np.testing.assert_array_equal(*orders)


def test_dropout_silences_other_units_in_every_epoch(digits):
    one = digits.select(np.array([5]))
    state = fit(build(dropout=0.5), one, optimizer=SGD(lr=0.0), epochs=5)
    assert len(set(column(state, "train_loss"))) == 5


def test_every_epoch_sees_every_image_once_in_a_new_order(digits):
    watch = Watch()
    fit(build(), digits, augmentation=watch, epochs=2, batch_size=96)
    first, second = watch.seen
    assert not np.array_equal(first, second)
    for epoch in watch.seen:
        rows = [np.sort(images.reshape(96, -1), axis=0) for images in (epoch, pixels(digits))]
        np.testing.assert_allclose(*rows, rtol=1e-6)


def test_augmentation_is_for_training_alone(digits):
    watch = Watch()
    fit(build(), digits, digits, augmentation=watch, epochs=2, batch_size=96)
    assert len(watch.seen) == 2


def test_training_leaves_the_stored_images_alone(digits):
    before = digits.images.copy()
    fit(build(), digits, digits, augmentation=AUGMENTATIONS["full"]())
    np.testing.assert_array_equal(digits.images, before)


def test_the_average_follows_its_equation(digits):
    network = build()
    start = network.parameters.storage.copy()
    trainer = Trainer(network, SGD(lr=0.1), ema=0.9, epochs=1, batch_size=96)
    state = trainer.init_state()
    without = build()
    one_step(without, digits)
    trainer.fit(digits, state=state)
    decay = 2 / 11  # (1 + t) / (10 + t) at t = 1, below 0.9
    expected = decay * start + (1 - decay) * without.parameters.storage
    np.testing.assert_allclose(state.average, expected, atol=1e-6)


def test_the_average_is_evaluated_and_is_what_the_network_ends_with(digits):
    trainer = Trainer(build(batch_norm=True), SGD(lr=0.5), ema=0.99, epochs=3)
    state = trainer.fit(digits, digits)
    np.testing.assert_array_equal(trainer.network.parameters.storage, state.average)
    assert trainer.evaluate(digits)[0] == state.history[-1]["val_loss"]


@pytest.mark.parametrize(("epochs", "decay"), [(3, 0.5), (6, 0.75), (15, 0.9)])
def test_a_share_of_the_steps_is_a_decay_that_follows_the_number_of_epochs(digits, epochs, decay):
    size = -(-len(digits) // 10)  # ten steps an epoch, of which a fifteenth is looked back over
    options = {"optimizer": SGD(lr=0.1), "epochs": epochs, "batch_size": size}
    share = fit(build(), digits, ema_share=1 / 15, **options)
    plain = fit(build(), digits, ema=decay, **options)
    np.testing.assert_allclose(share.average, plain.average, rtol=1e-6)


def test_averaging_does_not_disturb_training(digits):
    options = {"optimizer": Momentum(lr=0.1), "epochs": 3}
    averaged = fit(build(), digits, digits, ema=0.99, **options)
    plain = fit(build(), digits, digits, **options)
    np.testing.assert_array_equal(averaged.slots["v"], plain.slots["v"])
    assert column(averaged, "train_loss") == column(plain, "train_loss")
    assert column(averaged, "val_loss") != column(plain, "val_loss")


def demanding(network, path, optimizer, *callbacks):
    """Return a trainer that uses everything that has a memory or draws random numbers."""
    return Trainer(
        network,
        optimizer,
        schedule=Plateau(patience=0, threshold=0.3, drop_rate=0.5),
        regularizer=Regularizer(l2=1e-4, label_smoothing=0.05, max_norm=2.0),
        augmentation=AUGMENTATIONS["full"](),
        epochs=6,
        batch_size=20,
        ema=0.9,
        seed=3,
        callbacks=[
            EarlyStopping("val_loss", patience=4, min_delta=10.0),
            LastCheckpoint(path),
            *callbacks,
        ],
    )


def fresh():
    return build(dropout=0.3, batch_norm=True, standardize=PixelStatistics(mean=0.4, std=0.2))


@pytest.fixture
def train_and_val(digits):
    return digits.select(np.arange(70)), digits.select(np.arange(70, 96))


@pytest.mark.parametrize("optimizer", [Momentum(lr=0.05), Adam(lr=0.01)], ids=["momentum", "adam"])
@pytest.mark.parametrize("step", [2, 4, 5, 8, 13, 16])
def test_a_resumed_run_ends_like_one_that_was_never_interrupted(
    train_and_val, tmp_path, optimizer, step
):
    uninterrupted = demanding(fresh(), tmp_path / "a.npz", optimizer).fit(*train_and_val)

    interruption = StopAt(step, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        demanding(fresh(), tmp_path / "b.npz", optimizer, interruption).fit(*train_and_val)
    state = load_checkpoint(tmp_path / "b.npz").state
    assert state.epoch == (step - 1) // 4
    resumed = demanding(state.network, tmp_path / "b.npz", optimizer).fit(*train_and_val, state)

    assert_same_state(resumed, uninterrupted)


def comparable(memory):
    return {
        name: {k: v.tobytes() if isinstance(v, np.ndarray) else v for k, v in items.items()}
        for name, items in memory.items()
    }


def assert_same_state(state, other):
    storages = [each.network.parameters.storage for each in (state, other)]
    np.testing.assert_array_equal(*storages)
    np.testing.assert_array_equal(state.average, other.average)
    for name, slot in other.slots.items():
        np.testing.assert_array_equal(state.slots[name], slot)
    assert timeless(state.history) == timeless(other.history)
    assert state.schedule_memory == other.schedule_memory
    assert comparable(state.callback_memory) == comparable(other.callback_memory)
    counters = [(s.step, s.epoch, s.stop_reason) for s in (state, other)]
    assert counters[0] == counters[1]


def test_the_run_that_is_resumed_above_drops_its_rate_and_stops_early(train_and_val, tmp_path):
    state = demanding(fresh(), tmp_path / "a.npz", Adam(lr=0.01)).fit(*train_and_val)
    assert state.schedule_memory["factor"] < 1
    assert state.stop_reason == "early_stopping"
    assert state.epoch == 5


def test_a_run_that_stopped_early_does_not_go_on_when_it_is_resumed(train_and_val, tmp_path):
    path = tmp_path / "a.npz"
    ended = demanding(fresh(), path, Adam(lr=0.01)).fit(*train_and_val)
    state = load_checkpoint(path).state
    again = demanding(state.network, path, Adam(lr=0.01)).fit(*train_and_val, state)
    assert_same_state(again, ended)


def test_the_state_of_another_network_is_refused(digits):
    state = Trainer(build(), SGD()).init_state()
    with pytest.raises(ValueError, match="the state is that of another network"):
        Trainer(build(), SGD()).fit(digits, state=state)


class Precision(Callback):
    """Fails at the step after which anything is not float32."""

    def on_step_end(self, state, loss):
        assert type(loss) is float
        parameters = state.network.parameters
        arrays = [parameters.storage, parameters.grads, state.average, *state.slots.values()]
        for layer in state.network.layers:
            arrays += [value for value in vars(layer).values() if isinstance(value, np.ndarray)]
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
        views = {"w", "b", "gamma", "beta", "running_mean", "running_var"}
        for layer in state.network.layers:
            for name in views & vars(layer).keys():
                assert np.shares_memory(getattr(layer, name), parameters.storage)


def train_precisely(digits, optimizer="adam", activation=Activation.relu, augmentation="none"):
    model = MLP(hidden=[16], activation=activation, batch_norm=True)
    pixel_statistics = PixelStatistics(mean=0.4, std=0.2)
    fit(
        model.build(64, 4, seed=1, dropout=0.3, standardize=pixel_statistics),
        digits,
        optimizer=OPTIMIZERS[optimizer](clip_norm=0.1),
        regularizer=Regularizer(l1=0.01, l2=0.01, label_smoothing=0.1, max_norm=1.0),
        augmentation=AUGMENTATIONS[augmentation](),
        epochs=1,
        ema=0.9,
        callbacks=[Precision()],
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS.names())
def test_a_step_of_every_optimizer_is_float32_and_keeps_the_views(digits, optimizer):
    train_precisely(digits, optimizer=optimizer)


@pytest.mark.parametrize("activation", Activation)
def test_a_step_through_every_activation_is_float32_and_keeps_the_views(digits, activation):
    train_precisely(digits, activation=activation)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.names())
def test_a_step_on_augmented_images_is_float32_and_keeps_the_views(digits, augmentation):
    train_precisely(digits, augmentation=augmentation)


def test_a_callback_that_watches_validation_needs_some(digits):
    trainer = Trainer(build(), SGD(), callbacks=[EarlyStopping("val_loss")])
    with pytest.raises(ValueError, match="watches val_loss, but there is no validation set"):
        trainer.fit(digits)


def test_there_must_be_something_to_train_on(digits):
    with pytest.raises(ValueError, match="the training set is empty"):
        Trainer(build(), SGD()).fit(digits.select(np.arange(0)))


def test_numbers_that_are_too_small_are_refused_together():
    with pytest.raises(ConfigError) as raised:
        Trainer(build(), SGD(), batch_size=0, eval_every=0)
    assert [problem.path for problem in raised.value.problems] == ["batch_size", "eval_every"]


@pytest.mark.parametrize("label", [-1, 4])
@pytest.mark.parametrize("which", ["training", "validation"])
def test_a_label_that_is_no_class_is_refused_before_the_first_step(digits, which, label):
    labels = digits.labels.copy()
    labels[3] = label
    odd = replace(digits, labels=labels)
    splits = (odd, digits) if which == "training" else (digits, odd)
    with pytest.raises(ValueError, match=f"{which} labels.* 0 to 3 .*got {label}"):
        fit(build(), *splits)


def test_images_of_another_size_are_refused(digits):
    small = Split.of(digits.images[:, :5], digits.labels)
    with pytest.raises(ValueError, match=r"40 pixels.* 64"):
        fit(build(), small)
