import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from digit_exp.data.augmentations import Full
from digit_exp.data.dataset import Split
from digit_exp.nn.network import NetworkBuilder
from digit_exp.optim.optimizers import SGD, Adam, AdamW
from digit_exp.optim.regularizers import Combined
from digit_exp.optim.schedules import Plateau
from digit_exp.team import TeamError, alone, members, shared, spread, team, together
from digit_exp.training.callbacks import Callback, EarlyStopping, StopOnNonFinite
from digit_exp.training.trainer import Trainer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a team has one member")


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def nobody_is_left():
    yield
    assert multiprocessing.active_children() == []


def ranks_of(size, program):
    """Run `program(rank)` in a team."""

    def run():
        ranks = []
        spread(lambda part: ranks.append(part.index))
        program(ranks[0])

    with team(size):
        together(run)


def test_all_members_run_the_program_each_in_a_process_of_its_own():
    pids = shared((3,), np.int64)
    ranks_of(3, lambda rank: pids.__setitem__(rank, os.getpid()))
    assert pids[0] == os.getpid()
    assert len(set(pids.tolist())) == 3


def test_outside_a_team_and_alone_in_it_the_program_runs_here():
    here = []
    together(lambda: here.append((os.getpid(), members())))
    with team(1):
        together(lambda: here.append((os.getpid(), members())))
    assert here == [(os.getpid(), 1)] * 2


def test_whoever_spread_a_work_sees_all_parts_of_it():
    written, seen = shared((3, 50), np.int64), shared((3,), np.int64)

    def program(rank):
        for step in range(50):

            def work(part, step=step):
                time.sleep(0.0003 * ((step + part.index) % 3))  # anyone may be late
                written[part.index, step] = step + 1

            spread(work)
            seen[rank] += (written[:, step] == step + 1).all()

    ranks_of(3, program)
    assert seen.tolist() == [50, 50, 50]


def test_what_the_first_member_alone_came_to_is_known_to_all():
    done, known = shared((3,), np.int64), shared((3,), np.int64)
    # long ones take the others longer to read than the first member to go on to the next
    values = [7, None, {"a": [1.5, float("inf")]}, *([number] * 20_000 for number in range(20))]

    def program(rank):
        for value in values:

            def work(value=value):
                done[rank] += 1
                spread(lambda part: None)  # whole, for the others only wait
                return value

            known[rank] += alone(work) == value

    ranks_of(3, program)
    assert done.tolist() == [len(values), 0, 0]
    assert known.tolist() == [len(values)] * 3


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_an_error_in_any_member_is_raised_here_and_ends_the_others(broken):
    ended = shared((3,), np.int64)

    def program(rank):
        if rank == broken:
            raise ArithmeticError(f"in {rank}")
        spread(lambda part: None)
        ended[rank] = 1

    with pytest.raises(ArithmeticError, match=f"in {broken}"):
        ranks_of(3, program)
    assert not ended.any()


def test_an_error_that_cannot_be_sent_is_told_in_words():
    class Local(Exception):
        pass

    def program(rank):
        if rank:
            raise Local("of another process")

    with pytest.raises(TeamError, match="of another process"):
        ranks_of(2, program)


def test_a_member_that_is_killed_is_an_error_and_not_waited_for_forever():
    def program(rank):
        if rank:
            os.kill(os.getpid(), signal.SIGKILL)
        spread(lambda part: None)

    with pytest.raises(TeamError, match="ended with code -9"):
        ranks_of(2, program)


def test_a_member_that_takes_another_way_is_an_error_and_not_waited_for_forever():
    def program(rank):
        for _ in range(1 if rank else 3):
            spread(lambda part: None)

    with pytest.raises(TeamError, match="ended with code 0"):
        ranks_of(2, program)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_is_for_the_first_member_to_decide_on(signum):
    alive = shared((2,), np.int64)

    def program(rank):
        if rank:
            os.kill(os.getpid(), signum)
        alive[rank] = 1

    ranks_of(2, program)
    assert alive.all()


FOREVER = """
import os
from pathlib import Path
from digit_exp.team import spread, team, together

def tell(part):
    if part.index:
        Path("draft").write_text(str(os.getpid()))
        Path("draft").rename("other")

def program():
    spread(tell)
    while True:
        spread(lambda part: None)

with team(2):
    together(program)
"""


def test_members_do_not_outlive_the_first_one(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", FOREVER], cwd=tmp_path)
    try:
        wait_for((tmp_path / "other").exists)
        other = int((tmp_path / "other").read_text())
        assert is_running(other)
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not is_running(other))


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def daemonic(queue):
    with team(2):
        together(lambda: queue.put(members()))


def test_a_process_that_may_have_no_children_stays_alone():
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=daemonic, args=(queue,), daemon=True)
    process.start()
    process.join(30)
    assert queue.get() == 1


def test_all_members_keep_to_what_the_caller_says_about_errors_of_arithmetic():
    def program(rank):
        np.float32(1) / np.float32(1 - rank)

    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        ranks_of(2, program)


def test_blas_has_one_thread_inside_the_block_only():
    before = blas_threads()
    with team(2):
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_memory_that_cannot_be_had_is_a_memory_error():
    with pytest.raises(MemoryError, match="no memory for"):
        shared((2**60,), np.float32)


@pytest.fixture
def textured():
    """256 images of 28 × 28 with a margin, large enough for products to be divided."""
    rng = np.random.default_rng(0)
    images = np.zeros((256, 28, 28), np.uint8)
    images[:, 3:-3, 4:-4] = rng.integers(0, 256, (256, 22, 20))
    return Split.of(images, rng.integers(10, size=256))


def train(split, size, hidden=(33,), activation="relu", build=(), layers=(), **settings):
    """Return the state after training in a team of a size."""
    builder = NetworkBuilder().input(28, 28)
    for step, values in dict(build).items():
        getattr(builder, step)(*values)
    for units in hidden:
        builder.dense(units, activation, **dict(layers)).dropout(0.2)
    settings = {"optimizer": Adam(), "epochs": 2, **settings}
    trainer = Trainer(builder.dense(10).build(), settings.pop("optimizer"), **settings)
    with team(size):
        return trainer.fit(split, split.select(np.arange(100)))


def assert_same(state, expected):
    """All that was trained and measured is the same to the bit."""
    np.testing.assert_array_equal(
        state.network.parameters.storage, expected.network.parameters.storage
    )
    for name, slot in expected.slots.items():
        np.testing.assert_array_equal(state.slots[name], slot)
    if expected.average is not None:
        np.testing.assert_array_equal(state.average, expected.average)
    for one, other in zip(state.history, expected.history, strict=True):
        for metric in one.keys() - {"epoch_seconds", "images_per_second"}:
            np.testing.assert_array_equal(one[metric], other[metric], metric)


# Wide layers, and some so small that BLAS would take another kernel for a part than for the whole.
@pytest.mark.parametrize("layers", [{}, {"batch_norm": True}], ids=["plain", "batch_norm"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "gelu"])
@pytest.mark.parametrize("hidden", [(520, 300), (333, 33), (65, 40), (33, 7), (1,)], ids=str)
def test_the_weights_do_not_depend_on_the_size_of_the_team(textured, hidden, activation, layers):
    for batch_size in (32, 100, 256):
        settings = {"batch_size": batch_size, "ema": 0.9, "layers": layers}
        expected = train(textured, 1, hidden, activation, **settings)
        for size in (2, 3):
            assert_same(train(textured, size, hidden, activation, **settings), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"augmentation": Full(), "batch_size": 100},
        {"augmentation": Full(), "batch_size": 20},
        {"optimizer": AdamW(clip_norm=0.1), "regularizer": Combined(l1=1e-4, max_norm=0.5)},
        {"build": {"views": (1,)}, "eval_every": 2},
        {"build": {"standardize": (0.3, 0.4)}, "schedule": Plateau(patience=0)},
        {"batch_size": 10**9},
    ],
    ids=["augmented", "augmented, small", "regularized", "views", "standardized", "one batch"],
)
def test_nor_does_it_whatever_else_a_step_does(textured, settings):
    expected = train(textured, 1, (65, 40), **settings)
    for size in (2, 3):
        assert_same(train(textured, size, (65, 40), **settings), expected)


class Log(Callback):
    """Keeps what happened, and asks to stop after a number of steps."""

    def __init__(self, stop_at=10**9):
        self.events, self._stop_at = [], stop_at

    def on_step_end(self, state, loss):
        self.events.append((os.getpid(), state.step, loss))
        if state.step == self._stop_at:
            state.stop_reason = "enough"

        if state.step % 3 == 0:  # a callback may ask for more rows than training ever does
            state.network.forward(np.ones((3000, 28 * 28), np.float32))


def test_callbacks_run_in_the_first_member_and_stop_all(textured):
    log = Log(stop_at=11)
    state = train(textured, 2, callbacks=[log], batch_size=32)
    assert state.stop_reason == "enough"
    assert (state.step, state.epoch) == (11, 1)
    assert [event[:2] for event in log.events] == [(os.getpid(), step) for step in range(1, 12)]
    alone = Log(stop_at=11)
    assert_same(state, train(textured, 1, callbacks=[alone], batch_size=32))
    assert log.events == alone.events


def test_training_that_stopped_goes_on_in_a_team_of_another_size(textured):
    whole = train(textured, 1, epochs=3, batch_size=32)
    state = train(textured, 3, epochs=1, batch_size=32)
    with team(2):
        Trainer(state.network, Adam(), epochs=3, batch_size=32).fit(
            textured, textured.select(np.arange(100)), state
        )
    assert_same(state, whole)


def test_a_callback_that_raises_ends_training_with_what_was_trained_so_far(textured):
    class Broken(Callback):
        def on_step_end(self, state, loss):
            if state.step == 3:
                raise ZeroDivisionError

    network = NetworkBuilder().input(28, 28).dense(33, "relu").dense(10).build()
    before = network.parameters.storage.copy()
    with team(2), pytest.raises(ZeroDivisionError):
        Trainer(network, Adam(), callbacks=[Broken()]).fit(textured)
    assert np.isfinite(network.parameters.storage).all()
    assert not np.array_equal(network.parameters.storage, before)


def test_a_diverging_run_stops_without_a_warning_and_gets_finite_weights_back(textured):
    settings = {"optimizer": SGD(lr=1e30), "batch_size": 32, "callbacks": [StopOnNonFinite()]}
    states = [train(textured, size, **settings) for size in (1, 2)]
    assert states[1].stop_reason == "diverged"
    assert np.isfinite(states[1].network.parameters.storage).all()
    assert_same(states[1], states[0])


def test_the_best_weights_are_restored(textured):
    callbacks = [EarlyStopping(patience=1, min_delta=10.0)]
    states = [train(textured, size, epochs=9, callbacks=callbacks) for size in (1, 2)]
    assert states[1].stop_reason == "early_stopping"
    assert_same(states[1], states[0])


def test_views_of_the_parameters_are_up_to_date_when_training_has_ended(textured):
    network = NetworkBuilder().input(28, 28).dense(33, "relu").dense(10).build()
    values, layer = network.parameters.values, network.layers[0]
    before = values.copy()
    with team(2):
        Trainer(network, Adam(), epochs=1).fit(textured)
    assert not np.array_equal(values, before)
    assert values is network.parameters.values or np.shares_memory(
        values, network.parameters.values
    )
    assert np.shares_memory(layer.w, network.parameters.storage)
