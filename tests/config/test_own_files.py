"""Presets of a user's own: however they are written, they mean what they say."""

import pytest

from composing import check
from digit_exp.config.compose import compose

GLOBAL = "# @package _global_\n"


@pytest.fixture
def write(tmp_path):
    """Write a preset and return the folder for --config-dir."""

    def write(text, name="mine", group="experiment"):
        (tmp_path / group).mkdir(exist_ok=True)
        (tmp_path / group / f"{name}.yaml").write_text(text, encoding="utf-8")
        return str(tmp_path)

    return write


@pytest.mark.parametrize(
    ("text", "words", "key", "value"),
    [
        ("optimizer.lr: 0.5", [], "optimizer.lr", 0.5),
        ("optimizer.lr: 0.5", ["optimizer.lr=0.1"], "optimizer.lr", 0.1),
        ("optimizer: {lr: 0.2}\noptimizer.lr: 0.5", [], "optimizer.lr", 0.5),
        ("optimizer.lr: 0.5\noptimizer: {lr: 0.2}", [], "optimizer.lr", 0.2),
        (
            "trainer.early_stopping.patience: 3",
            ["trainer.early_stopping.patience=4"],
            "trainer.early_stopping.patience",
            4,
        ),
        (
            "trainer: {early_stopping.patience: 3}",
            [],
            "trainer.early_stopping.patience",
            3,
        ),
        ("tracking.tags: {a.b: c}", [], "tracking.tags", {"a.b": "c"}),
    ],
)
def test_dotted_keys_mean_the_same_as_nested_ones(write, text, words, key, value):
    (config,) = compose(["experiment=mine", *words], config_dir=write(GLOBAL + text)).jobs
    found = config
    for name in key.split("."):
        found = getattr(found, name)
    assert found == value


def test_a_later_preset_wins_over_a_dotted_key_of_an_earlier_one(write):
    write(GLOBAL + "optimizer.lr: 0.5")
    folder = write(GLOBAL + "optimizer: {lr: 0.25}", group="sweep")
    (config,) = compose(["experiment=mine", "sweep=mine"], config_dir=folder).jobs
    assert config.optimizer.lr == 0.25


def test_a_sweep_over_a_dotted_key_runs_its_values(write):
    words = ["experiment=mine", "optimizer.lr=0.1,0.2"]
    found = compose(words, config_dir=write(GLOBAL + "optimizer.lr: 0.5"), multirun=True)
    assert [config.optimizer.lr for config in found.jobs] == [0.1, 0.2]
    assert [values["optimizer"]["lr"] for values in found.loader.jobs.values()] == [0.1, 0.2]


def test_a_dotted_key_in_the_file_of_a_group_is_a_field_of_the_group(write):
    text = "early_stopping.enabled: false\ndefaults: [schema]\n"
    folder = write(text, name="short", group="trainer")
    (config,) = compose(["trainer=short"], config_dir=folder).jobs
    assert not config.trainer.early_stopping.enabled


@pytest.mark.parametrize("text", ["run_name: 2024_11_30", "tracking: {tags: {commit: 12e3456}}"])
def test_a_number_for_text_in_a_file_is_refused_and_not_changed(write, text):
    (problem,) = check(["experiment=mine"], config_dir=write(GLOBAL + text))
    assert problem.path in ("run_name", "tracking.tags")
    assert "quotes" in problem.message


@pytest.mark.parametrize(
    "head",
    [
        "\ufeff# @package _global_\n",
        "# What it is for.\n# @package _global_\n",
        "\n# What it is for.\n#\n#  @package  _global_  \n",
    ],
    ids=["byte order mark", "second line", "spaces"],
)
def test_the_package_is_found_in_the_comments_at_the_top(write, head):
    (config,) = compose(["experiment=mine"], config_dir=write(head + "seed: 7\n")).jobs
    assert config.seed == 7


def test_a_search_in_a_preset_is_part_of_the_plan(write):
    folder = write(GLOBAL + "hydra: {sweeper: {params: {optimizer.lr: '0.1,-5', seed: '1,2'}}}")
    found = check(["experiment=mine"], config_dir=folder, multirun=True)
    assert [problem.path for problem in found] == ["optimizer.lr"]
    assert "got -5 (2 jobs: 2, 3)" in found[0].message
    folder = write(GLOBAL + "hydra: {sweeper: {params: {optimizer.lr: '0.1,0.2'}}}")
    assert len(compose(["experiment=mine"], config_dir=folder, multirun=True).jobs) == 2


def test_a_preset_can_ask_for_many_runs(write):
    text = "hydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}"
    found = compose(["experiment=mine"], config_dir=write(GLOBAL + text))
    assert found.is_sweep
    assert [config.seed for config in found.jobs] == [1, 2]


def test_a_preset_can_ask_for_a_search(write):
    text = (
        "defaults:\n  - override /hydra/sweeper: optuna\n"
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    n_trials: 7\n"
        "    space: {optimizer.lr: {type: float, low: 0.1, high: 0.2}}\n"
    )
    found = compose(["experiment=mine"], config_dir=write(GLOBAL + text))
    assert (found.is_sweep, found.trials) == (True, 7)
    space = found.loader.composed.hydra.sweeper.space
    assert list(space) == ["optimizer.lr"]


LAUNCHER = "defaults:\n  - override /hydra/launcher: joblib\nseed: 7\n"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (LAUNCHER, "hydra.launcher."),
        ("hydra: {mode: MULTIRUN}\nseed: 7", "hydra.mode"),
        ("hydra: {sweeper: {params: {seed: '1,2'}}}", "hydra.sweeper.params.seed"),
    ],
)
def test_what_only_one_of_several_presets_says_of_hydra_is_refused(write, text, path):
    write(GLOBAL + text, "one")
    folder = write(GLOBAL + "seed: 8", "other")
    for order in ("one,other", "other,one"):
        words = [f"experiment={order}"]
        problems = check(words, config_dir=folder, multirun=True)
        assert any(problem.path.startswith(path) for problem in problems), problems


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("hydra: {sweeper: {n_trials: 0}}", "hydra.sweeper.n_trials"),
        ("hydra: {sweeper: {direction: minimize}}", "hydra.sweeper.direction"),
        ("hydra: {sweeper: {study_name: mine}}", "hydra.sweeper.study_name"),
    ],
)
def test_a_setting_of_a_search_that_does_nothing_is_refused_in_a_file(write, text, path):
    text = f"{GLOBAL}defaults:\n  - override /hydra/sweeper: optuna\n  - _self_\n{text}\n"
    (problem,) = check(["experiment=mine"], config_dir=write(text), multirun=True)
    assert problem.path == path


def test_a_job_that_a_search_chose_is_composed_of_the_same_files(write):
    folder = write(GLOBAL + "trainer.epochs: 77")
    loader = compose(["experiment=mine", "sweep=tpe"], config_dir=folder).loader
    words = ["experiment=mine", "optimizer.lr=0.25", "run_name='2024_11_30'"]
    job = loader.load_sweep_config(loader.composed, words)
    assert (job.trainer.epochs, job.optimizer.lr, job.run_name) == (77, 0.25, "2024_11_30")
