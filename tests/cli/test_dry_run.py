"""`--dry-run`: the jobs of a command line, what is known of each, and nothing created."""

import json

import pytest

from digit_exp.cli.main import main
from digit_exp.data import download

TINY = [
    *("data=synthetic", "data.samples=200", "data.test_samples=50", "data.val_ratio=0.2"),
    *("trainer.epochs=3", "model.hidden=[16]", "trainer.early_stopping.enabled=false"),
]
GRID = ["-m", *TINY, "optimizer=sgd,adam", "seed=1,2"]
UNTRACKED = [*GRID, "tracking=none"]


def contents(folder):
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.suffix != ".lock"}


@pytest.fixture
def dry(tmp_path, monkeypatch, capsys):
    """Return what `--dry-run --json` prints, having made sure that nothing was created."""
    monkeypatch.chdir(tmp_path)

    def dry(*words, code=0):
        before = contents(tmp_path)
        assert main([*words, "--dry-run", "--json"]) == code
        assert contents(tmp_path) == before
        return json.loads(capsys.readouterr().out)

    return dry


@pytest.mark.parametrize(
    "words", [[], GRID, UNTRACKED, ["sweep=tpe"], ["sweep=grid"], ["-m", "seed=1,2"]], ids=str
)
def test_nothing_is_created(tmp_path, dry, words):
    assert dry(*words)["jobs"]
    assert list(tmp_path.iterdir()) == []


def test_a_grid_is_listed_with_what_varies(dry):
    found = dry(*GRID)
    assert found["varied"] == ["optimizer", "seed"]
    values = [tuple(job["values"].values()) for job in found["jobs"]]
    assert values == [("sgd", 1), ("sgd", 2), ("adam", 1), ("adam", 2)]
    assert {job["state"] for job in found["jobs"]} == {"new"}
    assert {job["parameters"] for job in found["jobs"]} == {784 * 16 + 16 + 16 * 10 + 10}
    assert found["seconds"] == pytest.approx(sum(job["seconds"] for job in found["jobs"]))


@pytest.mark.parametrize("tracking", [[], ["tracking=none"]], ids=["tracked", "untracked"])
def test_jobs_are_done_resumed_or_new_as_the_sweep_then_finds(folder, command, dry, tracking):
    name = ["sweep.name=s", *tracking]
    command.run(folder, "-m", *TINY, "optimizer=sgd", "seed=1,2", *name)
    found = dry(*GRID, *name)
    assert [job["state"] for job in found["jobs"]] == ["done", "done", "new", "new"]
    assert [job["seconds"] > 0 for job in found["jobs"]] == [False, False, True, True]
    printed = command.run(folder, *GRID, *name).stdout
    assert printed.count("was done before") == 2


@pytest.mark.parametrize("tracking", [[], ["tracking=none"]], ids=["tracked", "untracked"])
def test_an_interrupted_job_goes_on_after_its_last_epoch(folder, command, dry, tracking):
    words = ["-m", *TINY, "trainer.epochs=4000", "seed=1", "sweep.name=s", *tracking]
    with command.started(folder, *words) as process:
        wait_for(lambda: [*folder.glob("outputs/sweeps/s/*/metrics.jsonl")], process)
    (job,) = dry(*words)["jobs"]
    assert job["state"] == "resumed"
    assert 0 < job["epochs_done"] < 4000
    assert dry(*words, "sweep.rerun=true")["jobs"][0]["state"] == "new"


def wait_for(condition, process):
    while not condition():
        assert process.poll() is None


def test_a_recorded_epoch_goes_before_the_model(dry, train, tmp_path):
    words = [*TINY, "tracking=none"]
    assert dry(*words)["jobs"][0]["basis"] == "model"
    train(tmp_path / "outputs" / "run", *words)
    assert dry(*words)["jobs"][0]["basis"] == "recorded"
    assert dry(*words, "seed=7", "optimizer.lr=0.5")["jobs"][0]["basis"] == "recorded"
    for other in ("trainer.batch_size=7", "model.hidden=[7]", "augmentation=shift"):
        assert dry(*words, other)["jobs"][0]["basis"] == "scaled"


def test_a_run_of_one_epoch_is_no_measure(dry, train, tmp_path):
    """Its only epoch holds loading and compiling."""
    words = [*TINY, "tracking=none", "trainer.epochs=1"]
    train(tmp_path / "outputs" / "run", *words)
    for other in ("trainer.epochs=3", "model.hidden=[7]"):
        assert dry(*words, other)["jobs"][0]["basis"] == "model"


@pytest.mark.parametrize("word", ["data.train_size=190", "data.val_ratio=0.001"])
def test_a_job_whose_data_cannot_be_split_would_fail(dry, word):
    (job,) = dry(*TINY, word, code=1)["jobs"]
    assert job["state"] == "failing"
    assert word.partition("=")[0] in job["remark"]


def test_more_epochs_and_parallel_jobs_change_the_time(dry):
    (short,), (long,) = (dry(*TINY, f"trainer.epochs={n}")["jobs"] for n in (3, 30))
    assert long["seconds"] == pytest.approx(10 * short["seconds"])
    parallel = dry(*GRID, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert parallel["seconds"] == pytest.approx(dry(*GRID)["seconds"] / 2)


def test_data_that_must_be_downloaded_are_not(dry, monkeypatch, tmp_path):
    monkeypatch.setenv("DIGIT_EXP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "fetch", lambda *arguments: pytest.fail("a download"))
    found = dry("data=kmnist")
    assert "download" in found["jobs"][0]["remark"]
    assert found["seconds"] is None


def test_a_job_that_cannot_start_says_why(dry):
    found = dry("data=idx", "data.dir=missing", code=1)
    assert found["jobs"][0]["state"] == "failing"
    assert "missing" in found["jobs"][0]["remark"]


def test_a_search_says_how_many_of_its_jobs_are_done(tmp_path, command, dry):
    search = [*TINY, "tracking=none", "sweep=random", "sweep.name=r", "trainer.epochs=1"]
    search += ["hydra.sweeper.space.model.hidden={type: categorical, choices: [[4],[8]]}"]
    command.run(tmp_path, *search, "hydra.sweeper.n_trials=2")
    found = dry(*search, "hydra.sweeper.n_trials=5")
    assert (found["trials"], found["trials_done"]) == (5, 2)
    assert "trainer.batch_size" in found["space"]


def test_of_a_search_the_space_is_what_the_command_line_leaves_open(dry):
    space = dry("sweep=tpe", "data=synthetic", "model.hidden=[4]", "optimizer.lr=0.1,0.2")["space"]
    assert space["optimizer.lr"] == {"type": "categorical", "choices": [0.1, 0.2]}
    assert "trainer.batch_size" in space
    assert "model.hidden" not in space


def test_what_is_wrong_is_refused_as_without_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for words, named in (
        (["optimizer.lrr=1"], "optimizer.lrr"),
        (["resume=latest"], "resume"),
        (["--cfg", "job"], "--cfg"),
        (["sweep=tpe", "hydra.sweeper.sampler=No"], "hydra.sweeper.sampler"),
    ):
        assert main([*words, "--dry-run"]) == 2
        assert named in capsys.readouterr().err
    assert main(["--json"]) == 2
    assert "--dry-run" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_run_is_shown_with_the_epochs_that_are_left(tmp_path, command, dry):
    words = [*TINY, "trainer.epochs=4000", "tracking=none", "hydra.run.dir=outputs/a/b"]
    with command.started(tmp_path, *words) as process:
        wait_for(lambda: [*tmp_path.glob("outputs/a/b/metrics.jsonl")], process)
    (job,) = dry("resume=outputs/a/b")["jobs"]
    assert (job["state"], job["epochs"]) == ("resumed", 4000)
    assert 0 < job["epochs_done"] < 4000
