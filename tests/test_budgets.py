"""Runs and sweeps that end when their time is over, and go on with the next command."""

import json
from functools import partial

import numpy as np
import pytest

from composing import check
from digit_exp.cli.main import main
from digit_exp.data.dataset import Split
from digit_exp.nn.models import MLP
from digit_exp.optim.optimizers import SGD
from digit_exp.runs import paths
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.runner import resume_run, run_job
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.reproduce import Verdict, reproduce
from digit_exp.runs.saved.resume import find_checkpoint
from digit_exp.training import callbacks, pace
from digit_exp.training.callbacks import Deadline, StopAfter, TimeBudget
from digit_exp.training.checkpoint import load_checkpoint
from digit_exp.training.state import TrainState
from digit_exp.training.trainer import Trainer

AT_ONCE = "trainer.minutes=1e-9"
TINY = [
    *("data=synthetic", "data.samples=200", "data.test_samples=50", "model.hidden=[16]"),
    *("tracking=none", "trainer.early_stopping.enabled=false"),
]
ENDLESS = ["-m", *TINY, "trainer.epochs=1000000", "seed=1,2", "sweep.name=s"]


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

        time = monotonic

    clock = Clock()
    monkeypatch.setattr(callbacks, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("epochs", "seconds", "stops_after"),
    [
        ([1, 1, 1, 1, 1], 3, 3),  # the fourth would end late
        ([1, 1, 1, 1, 1], 3.5, 3),
        ([2, 1, 1, 1, 1], 4, 2),  # the longest counts, not the latest
        ([9, 1], 3, 1),  # one is trained in any case
        ([1, 1, 1], 2.5, 2),
        ([1, 1, 1], 3, None),
        ([9], 1, None),  # the last one was to be the last
    ],
)
def test_a_run_stops_after_the_last_epoch_that_ends_in_time(clock, epochs, seconds, stops_after):
    budget, state = TimeBudget(seconds, len(epochs)), TrainState(None, {})
    budget.on_fit_start(state)
    stopped = None
    for number, duration in enumerate(epochs, 1):
        clock.now += duration
        state.epoch = number
        budget.on_epoch_end(state, {})
        if stopped is None and state.stop_reason is not None:
            stopped = number
    assert stopped == stops_after


def test_another_reason_to_stop_stays(clock):
    for stop in (TimeBudget(0, 9), StopAfter(1)):
        state = TrainState(None, {}, epoch=1, stop_reason="early_stopping")
        stop.on_fit_start(state)
        stop.on_epoch_end(state, {})
        assert state.stop_reason == "early_stopping"


def test_a_deadline_stops_within_the_epoch(clock):
    state = TrainState(None, {})
    for now, reason in ((9.9, None), (10.0, "sweep_out_of_time")):
        clock.now = now
        Deadline(10.0).on_step_end(state, 0.5)
        assert state.stop_reason == reason


def test_a_run_ends_with_what_there_is_and_goes_on_to_the_bit(train, tmp_path):
    whole = train(tmp_path / "whole", *TINY)
    folder = train(tmp_path / "outputs" / "part", *TINY, AT_ONCE)
    for epochs in (1, 2):
        record = RunRecord.read(folder)
        assert (record.status, record.reason) == ("FINISHED", "out_of_time")
        assert {"test_acc", "best_val_acc"} <= record.summary.keys()
        assert load_checkpoint(folder / paths.LAST_CHECKPOINT).state.epoch == epochs
        run_job(folder, partial(resume_run, find_checkpoint(str(folder))))
    record = RunRecord.read(folder)
    assert (record.status, record.reason) == ("FINISHED", None)
    ours, theirs = (load_checkpoint(each / paths.LAST_CHECKPOINT).state for each in (folder, whole))
    assert (ours.epoch, ours.step) == (theirs.epoch, theirs.step)
    np.testing.assert_array_equal(
        ours.network.parameters.storage, theirs.network.parameters.storage
    )
    with pytest.raises(ValueError, match="nothing to resume"):
        find_checkpoint(str(folder))


def test_it_is_reproduced_with_as_many_epochs_on_any_machine(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = train(tmp_path / "outputs" / "a" / "b", *TINY, "trainer.epochs=5", AT_ONCE)
    run_job(folder, partial(resume_run, find_checkpoint(str(folder))))
    found = reproduce(Runs().find(str(folder)), tmp_path / "again", track=False, tolerance=0.0)
    assert (found.epochs, found.verdict) == (2, Verdict.identical)


@pytest.fixture
def steps(monkeypatch):
    """A clock that a training step moves by a second, and a validation by ten; 7 steps an epoch."""

    class Clock:
        now = compiling = 0.0
        pace = 1

        def perf_counter(self):
            return self.now

    clock, update, evaluate = Clock(), Trainer._update, Trainer.evaluate

    def step(trainer, *arguments):
        clock.now += clock.pace + clock.compiling
        clock.compiling = 0.0
        update(trainer, *arguments)

    def validate(trainer, split):
        clock.now += 10
        return evaluate(trainer, split)

    monkeypatch.setattr(pace, "time", clock)
    monkeypatch.setattr(Trainer, "_update", step)
    monkeypatch.setattr(Trainer, "evaluate", validate)
    return clock


@pytest.mark.parametrize(
    ("validation", "every", "seconds", "epochs"),
    [
        (0, 1, 21 + 4 * 7 + 6, 4),  # three measurements of 7 steps, then four epochs
        (0, 1, 1300, 181),  # 2 % of the time is for measurements, four of them
        (0, 1, 2000, 280),  # 30 seconds at most, so five
        (64, 1, 51 + 2 * 17, 2),
        (64, 2, 51 + 2 * 12, 2),
        (0, 1, 20, -1),
    ],
)
def test_as_many_epochs_fit_as_the_pace_of_some_steps_says(
    steps, validation, every, seconds, epochs
):
    images, labels = np.zeros((300, 4, 4), np.uint8), np.arange(300) % 3
    split = Split.of(images, labels)
    train, val = split.select(np.arange(200)), split.select(np.arange(validation))
    network = MLP(hidden=[4]).build(16, 3, seed=1)
    before = network.parameters.storage.copy()
    trainer = Trainer(network, SGD(lr=0.1), batch_size=32, eval_every=every)
    steps.compiling = 1000
    assert pace.epochs_that_fit(trainer, train, val, seconds) == epochs
    np.testing.assert_array_equal(network.parameters.storage, before)


FIT = [*TINY, "data.val_ratio=0", "trainer.checkpoint.monitor=train_loss", "schedule=one_cycle"]
FOUR = f"trainer.fit_minutes={(21 + 4 * 7 + 6) / 60}"


def test_a_run_with_fitted_epochs_is_that_of_so_many_to_the_bit(
    train, tmp_path, steps, monkeypatch, capsys
):
    """Also if it is interrupted and goes on on a machine of another pace, and if it is repeated."""
    monkeypatch.chdir(tmp_path)
    whole = train(tmp_path / "whole", *FIT, "trainer.epochs=4")
    folder = train(tmp_path / "outputs" / "a" / "b", *FIT, "trainer.epochs=9", FOUR, AT_ONCE)
    assert RunRecord.read(folder).tags["fitted_epochs"] == "4"
    steps.pace = 100
    assert main([f"resume={folder}", "--dry-run", "--json"]) == 0
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert (job["epochs_done"], job["epochs"]) == (1, 4)
    for _ in range(3):
        run_job(folder, partial(resume_run, find_checkpoint(str(folder))))
    record = RunRecord.read(folder)
    assert (record.status, record.reason) == ("FINISHED", None)
    ours, theirs = (load_checkpoint(each / paths.LAST_CHECKPOINT).state for each in (folder, whole))
    np.testing.assert_array_equal(
        ours.network.parameters.storage, theirs.network.parameters.storage
    )
    found = reproduce(Runs().find(str(folder)), tmp_path / "again", track=False, tolerance=0.0)
    assert (found.epochs, found.verdict) == (4, Verdict.identical)


@pytest.mark.parametrize(
    ("words", "epochs"),
    [
        (["trainer.epochs=2"], "2"),  # no more than the setting
        (["trainer.fit_minutes=1e-9"], "1"),  # one in any case, and one beside a warm-up
        (["trainer.fit_minutes=1e-9", "schedule=warmup_cosine", "schedule.warmup_epochs=2"], "3"),
    ],
)
def test_fitted_epochs_have_bounds(train, tmp_path, steps, words, epochs):
    folder = train(tmp_path / "run", *FIT, "trainer.epochs=9", FOUR, *words)
    assert RunRecord.read(folder).tags["fitted_epochs"] == epochs
    setting = "2" if "trainer.epochs=2" in words else "9"  # which is what a sweep knows a job by
    assert f"epochs: {setting}\n" in (folder / "config.yaml").read_text()
    assert load_checkpoint(folder / paths.LAST_CHECKPOINT).state.epoch == int(epochs)


def test_a_dry_run_says_how_many_epochs_may_fit(capsys):
    assert main([*FIT, "trainer.epochs=1000000", "trainer.fit_minutes=1", "--dry-run"]) == 0
    assert "epochs fit into 1 minutes" in capsys.readouterr().out


@pytest.mark.parametrize(
    "word",
    ["trainer.minutes=0", "trainer.fit_minutes=-1", "sweep.minutes=-1", "sweep.minutes=soon"],
)
def test_a_time_is_a_positive_number(word):
    (problem,) = check([word])
    assert problem.path == word.partition("=")[0]


@pytest.mark.parametrize(
    ("start", "launcher"),
    [
        ("command", []),
        pytest.param(
            "fresh_command",
            ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_sweep_begins_no_job_when_its_time_is_over(tmp_path, request, start, launcher):
    command = request.getfixturevalue(start)
    words = ["-m", *TINY, "trainer.epochs=1", "seed=1,2,3", *launcher]
    assert "3 jobs are left" in command.run(tmp_path, *words, "sweep.minutes=1e-9").stdout
    assert not [*tmp_path.glob("outputs/sweeps/*/*/run.json")]
    printed = command.run(tmp_path, *words, "sweep.minutes=60").stdout
    assert "[3/3]" in printed
    assert "left; the" not in printed


def test_a_job_that_runs_then_is_killed_with_its_checkpoint_and_goes_on(tmp_path, command):
    """Also after the command was killed in the middle, without a word."""
    with command.started(tmp_path, *ENDLESS, "sweep.minutes=60") as process:
        while not [*tmp_path.glob("outputs/sweeps/s/*/metrics.jsonl")]:
            assert process.poll() is None
    (first,) = tmp_path.glob("outputs/sweeps/s/*/checkpoints/last.npz")
    before = load_checkpoint(first).state.epoch
    printed = command.run(tmp_path, *ENDLESS, "sweep.minutes=0.15").stdout
    assert "2 jobs are left" in printed
    record = RunRecord.read(first.parent.parent)
    assert (record.status, record.reason) == ("KILLED", "sweep_out_of_time")
    assert load_checkpoint(first).state.epoch >= before
    found = command.run(tmp_path, *ENDLESS, "--dry-run", "--json").stdout
    assert [job["state"] for job in json.loads(found)["jobs"]] == ["resumed", "new"]


def test_a_search_counts_no_job_that_its_time_has_cut_off(tmp_path, command):
    search = [*TINY, "trainer.epochs=1", "sweep=random", "hydra.sweeper.n_trials=3"]
    command.run(tmp_path, *search, "sweep.minutes=1e-9")
    printed = command.run(tmp_path, *search).stdout
    assert "were done before" not in printed
    assert "[3/3]" in printed
