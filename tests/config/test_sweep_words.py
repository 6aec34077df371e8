"""A sweep is planned as it was meant, or refused with the way there is."""

import pytest

from composing import check
from digit_exp.config.compose import compose
from digit_exp.config.constraints import OBJECTIVES


def problems(*words):
    return [(problem.path, problem.message) for problem in check(words, multirun=True)]


@pytest.mark.parametrize("words", [("seed=1,2",), ("sweep.replicates=2", "seed=1")])
@pytest.mark.parametrize("search", [(), ("sweep=tpe",)], ids=["grid", "search"])
def test_seeds_are_replicates_of_every_candidate(search, words):
    found = compose([*search, *words, "optimizer.lr=0.1,0.2"], multirun=True)
    assert list(found.seeds) == [1, 2]
    assert sorted(job.seed for job in found.jobs) == [1, 1, 2, 2]


def test_in_a_race_the_seed_varies_slowest():
    words = ["optimizer.lr=0.1,0.2", "seed=1,2", "sweep.race=true"]
    assert [job.seed for job in compose(words, multirun=True).jobs] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["seed=1,2", "sweep.replicates=3"], "seed has 2 values"),
        (["sweep.replicates=0"], "at least 1"),
        (["optimizer.lr=0.1,0.2", "sweep.race=true"], "add sweep.replicates=3"),
    ],
)
def test_replicates_that_contradict_each_other_are_refused(words, message):
    ((path, said),) = problems(*words)
    assert path.startswith("sweep.")
    assert message in said


def test_replicates_of_a_single_run_are_a_sweep():
    (problem,) = check(["sweep.replicates=2"])
    assert "add -m" in problem.message


def test_nor_is_it_in_the_space():
    entry = "{type: int, low: 1, high: 9}"
    ((path, message),) = problems("sweep=tpe", f"hydra.sweeper.space.seed={entry}")
    assert path == "hydra.sweeper.space.seed"
    assert "sweep.replicates" in message


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("sweep=grid,random", "sweep"),
        ("sweep=glob(*)", "sweep"),
        ("sweep.name=a,b", "sweep.name"),
        ("sweep.objective=best_val_acc,best_val_loss", "sweep.objective"),
        ("sweep.rerun=true,false", "sweep.rerun"),
        ("resume=latest,best", "resume"),
        ("tracking=none,mlflow", "tracking"),
        ("tracking.experiment=a,b", "tracking.experiment"),
        ("tracking.uri=sqlite:///a.db,sqlite:///b.db", "tracking.uri"),
        ("hydra/launcher=basic,joblib", "hydra/launcher"),
        ("hydra.sweeper.max_batch_size=1,2", "hydra.sweeper.max_batch_size"),
    ],
)
def test_what_all_jobs_share_has_one_value(word, path):
    ((found, message),) = problems(word, "seed=1,2")
    assert found == path
    assert "one" in message
    assert word.partition("=")[2] in message


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_jobs_are_ranked_by_what_they_measure(objective):
    assert problems("seed=1,2", f"sweep.objective={objective}") == []


@pytest.mark.parametrize(
    ("objective", "meant"),
    [("val_acc", "best_val_acc"), ("best_val_los", "best_val_loss"), ("x", "")],
)
def test_another_objective_is_told_those_there_are(objective, meant):
    ((path, message),) = problems("sweep=tpe", f"sweep.objective={objective}")
    assert path == "sweep.objective"
    assert repr(objective) in message
    assert all(name in message for name in OBJECTIVES)
    assert not meant or f"Did you mean '{meant}'" in message


def test_an_objective_of_validation_needs_validation_data():
    words = ["data.val_ratio=0", "trainer.checkpoint.monitor=train_acc"]
    words += ["trainer.early_stopping.enabled=false"]
    assert check(words) == []
    ((path, message),) = problems(*words, "seed=1,2")
    assert path == "sweep.objective"
    assert "data.val_ratio" in message
    assert problems(*words, "seed=1,2", "sweep.objective=training_seconds") == []


@pytest.mark.parametrize(
    ("word", "allowed"),
    [
        ("hydra.sweeper.direction=minimize", "sweep.objective"),
        ("hydra.sweeper.direction=maximize", "sweep.objective"),
        ("hydra.sweeper.study_name=mine", "sweep.name"),
        ("hydra.sweep.dir=mine", "sweep.name"),
        ("hydra.sweep.subdir=mine", "leave it out"),
        ("hydra.sweeper.n_trials=-3", "at least 1"),
        ("hydra.sweeper.n_trials=0", "at least 1"),
        ("hydra.sweeper.n_jobs=0", "at least 1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(word, allowed):
    ((path, message),) = problems("sweep=tpe", word)
    assert path == word.partition("=")[0]
    assert allowed in message


def test_no_job_at_a_time_is_refused():
    ((path, message),) = problems("seed=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=0")
    assert (path, "at least 1" in message) == ("hydra.launcher.n_jobs", True)
    assert problems("seed=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=-1") == []


@pytest.mark.parametrize(
    ("word", "meant"),
    [("hydra.swep.dir=a", "hydra.sweep.dir"), ("hydra.job.nam=a", "hydra.job.name")],
)
def test_an_unknown_setting_of_hydra_is_told_the_nearest(word, meant):
    ((path, message),) = problems("seed=1", word)
    assert path == word.partition("=")[0]
    assert repr(meant) in message


def test_a_search_space_is_set_key_by_key():
    word = "hydra.sweeper.space.optimizer.lr"
    found = compose(["sweep=tpe", f"{word}={{type: float, low: 0.1, high: 0.2}}"])
    space = found.loader.composed.hydra.sweeper.space
    assert space["optimizer.lr"] == {"type": "float", "low": 0.1, "high": 0.2}
    found = compose(["sweep=tpe", f"{word}.high=0.5"])
    assert found.loader.composed.hydra.sweeper.space["optimizer.lr"].high == 0.5


@pytest.mark.parametrize("digits", [20, 400, 5000])
@pytest.mark.parametrize("key", ["seed", "optimizer.lr", "trainer.epochs", "model.hidden"])
def test_whatever_the_number_there_is_a_sentence(key, digits):
    number = "9" * digits
    value = f"[{number}]" if key == "model.hidden" else number
    ((path, message),) = [(each.path, each.message) for each in check([f"{key}={value}"])]
    assert path == key
    assert len(message) < 400


def test_the_same_job_twice_is_run_twice():
    assert len(compose(["seed=1,1"], multirun=True).loader.planned) == 2


def test_batch_norm_needs_more_than_one_image():
    (problem,) = check(["model.batch_norm=true", "trainer.batch_size=1"])
    assert (problem.path, "at least 2" in problem.message) == ("trainer.batch_size", True)
    assert check(["model.batch_norm=false", "trainer.batch_size=1"]) == []
