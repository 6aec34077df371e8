"""What is wrong with a command line is said before anything runs: all of it, in these words."""

import subprocess
import sys
import warnings

import pytest
from hydra.core.global_hydra import GlobalHydra

from composing import check
from digit_exp.config.compose import compose
from digit_exp.config.composition.hydra_settings import EXTRAS

ADAM_FIELDS = "optimizer.lr, optimizer.clip_norm, optimizer.beta1, optimizer.beta2, optimizer.eps"
OPTIMIZERS = "adagrad, adam, adamw, lion, momentum, nadam, nesterov, rmsprop, sgd"
EXPERIMENTS = (
    "debug, five_minutes, five_minutes_cnn, no_augmentation, one_minute, record, record_cnn"
)
UNMEASURED = "needs validation data, but data.val_ratio=0; set data.val_ratio=0.1 or use"


def report(*overrides, **options):
    return [str(problem) for problem in check(overrides, **options)]


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["model.hidden=[256,128]", "optimizer.lr=0.01"],
        ["model.hidden=[]"],
        ["model.init=he", "trainer.threads=2"],
        ["trainer.epochs=1e3"],
        ["optimizer=momentum", "optimizer.momentum=0.8"],
        ["optimizer={lr: 1}"],
        ["trainer={checkpoint: {every: 2}}"],
        ["run_name=7", "resume=latest"],
        ["run_name=a name with spaces"],
        ["tracking.tags.note=baseline", "tracking.tags={team: vision}"],
        ["experiment=debug"],
        ["data=idx", "data.dir=/some/folder"],
        [
            "data.val_ratio=0",
            "trainer.early_stopping.enabled=false",
            "trainer.checkpoint.monitor=train_loss",
        ],
        ['trainer.checkpoint.filename="{epoch:02d}-{val_acc:.4f}.npz"'],
        ["trainer.checkpoint.mode=max", "trainer.eval_every=30"],
        ["hydra.run.dir=${now:%Y}", "hydra/launcher=joblib", "+hydra.job.env_set.A=1"],
    ],
    ids=" ".join,
)
def test_a_right_command_line_has_no_problems(overrides):
    assert report(*overrides) == []


@pytest.mark.parametrize("multirun", [False, True])
def test_a_launcher_that_is_not_there_is_named_with_those_that_are(multirun):
    (problem,) = check(["seed=1", "hydra/launcher=joblbi"], multirun=multirun)
    assert problem.path == "hydra/launcher"
    assert problem.message.startswith("unknown hydra/launcher 'joblbi'. Did you mean 'joblib'?")
    assert "basic, joblib" in problem.message


def test_a_launcher_of_an_extra_that_is_not_installed_names_the_extra(monkeypatch):
    monkeypatch.setitem(EXTRAS, "lsf", "cluster")
    (problem,) = check(["seed=1,2", "hydra/launcher=lsf"], multirun=True)
    assert problem.message == "lsf is not installed; pip install 'digit-exp[cluster]' brings it"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer=adamm", f"unknown optimizer 'adamm'. Did you mean 'adam'? Known: {OPTIMIZERS}"),
        ("optimizer=null", f"unknown optimizer null. Known: {OPTIMIZERS}"),
        ("optimizer=[adam]", f"unknown optimizer ['adam']. Known: {OPTIMIZERS}"),
        (
            "experiment=debgu",
            f"unknown experiment 'debgu'. Did you mean 'debug'? Known: {EXPERIMENTS}",
        ),
        ("tracking=schema", "unknown tracking 'schema'. Known: mlflow, none"),
        ("optimizer.name=sgd", "cannot be set; write optimizer=sgd"),
        (
            "trainer.early_stopping=false",
            "holds several values, got false; write one of trainer.early_stopping.monitor,"
            " trainer.early_stopping.mode, trainer.early_stopping.enabled,"
            " trainer.early_stopping.patience, trainer.early_stopping.min_delta,"
            " trainer.early_stopping.restore_best",
        ),
    ],
)
def test_a_wrong_choice_is_told_the_choices(override, message):
    assert report(override) == [f"{override.partition('=')[0]}: {message}"]


def test_nothing_is_said_about_fields_of_a_choice_that_cannot_be_guessed():
    assert len(report("optimizer=xyz", "optimizer.momentum=0.9", "optimizer.lr=fast")) == 1


def test_fields_of_a_misspelt_choice_are_judged_by_the_one_that_was_meant():
    _, *rest = report("optimizer=adamm", "optimizer.lrr=0.9", "optimizer.beta1=1.5")
    assert rest == [
        "optimizer.beta1: must be in [0, 1), got 1.5",
        "optimizer.lrr: not a field of adam. Did you mean 'optimizer.lr'?",
    ]


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("+optimizer.lr=1", "optimizer.lr: is there already; write optimizer.lr=1"),
        ("++optimizer.lr=1", "optimizer.lr: is there already; write optimizer.lr=1"),
        ("+experiment=debug", "experiment: is there already; write experiment=debug"),
        ("+sede=7", "sede: no such key. Did you mean 'seed'?"),
        ("~optimizer.lr", "optimizer.lr: cannot be removed: every field has a value"),
        ("optimizer@model=adam", "optimizer@model: has one place only; write optimizer=NAME"),
        ("optimizer.lr", "optimizer.lr: has no value; write optimizer.lr=VALUE"),
        ("a b=1", "a b: is not a key, got 'a b=1'; write KEY=VALUE"),
        ("=1", "is not a key, got '=1'; write KEY=VALUE"),
        ("model.hidden=[1,2", "model.hidden: has brackets that do not match, got '[1,2'"),
        (
            "model.hidden=256,128",
            'model.hidden: got several values, 256,128: write "model.hidden=[256,128]" for a list',
        ),
        (
            "seed=${oc.env:HOME}",
            "seed: must be written out, got '${oc.env:HOME}': values refer to nothing else",
        ),
        (
            "tracking.tags={home: '${oc.env:HOME}'}",
            "tracking.tags: must be written out, got {home: '${oc.env:HOME}'}:"
            " values refer to nothing else",
        ),
    ],
)
def test_a_wrong_form_is_told_the_right_one(override, problem):
    assert report(override) == [problem]


def test_all_problems_come_at_once_and_each_hides_none():
    assert report(
        "optimizer.lr=fast",
        "optimizer.beta1=2",
        "model.hidden=256",
        "data.val_ratio=0",
        "trainer.epochs=2.5",
        "trainer.checkpoint.monitor=train_loss",
        "schedule=cosin",
        "sede=7",
        "+seed=-1",
        "optimizer.lr",
    ) == [
        "optimizer.lr: has no value; write optimizer.lr=VALUE",
        "schedule: unknown schedule 'cosin'. Did you mean 'cosine'? Known: constant, cosine,"
        " exponential, one_cycle, plateau, step, warmup_cosine, warmup_exponential",
        "seed: is there already; write seed=-1",
        "model.hidden: must be a list of whole numbers, got 256; write [256]",
        "optimizer.lr: must be a number, got 'fast'",
        "optimizer.beta1: must be in [0, 1), got 2",
        "trainer.epochs: must be a whole number, got 2.5",
        "seed: must be at least 0, got -1",
        "sede: no such key. Did you mean 'seed'?",
        f"trainer.early_stopping.monitor: val_acc {UNMEASURED} train_acc",
    ]


def test_every_job_of_a_sweep_is_checked_and_the_bad_ones_are_named():
    assert report(
        "optimizer=adam,sgd", "optimizer.lr=0.1,fast,-1", "optimizer.beta1=0.5", multirun=True
    ) == [
        "optimizer.lr: must be a number, got 'fast' (2 jobs: 1, 4)",
        "optimizer.lr: must be at least 0, got -1 (2 jobs: 2, 5)",
        "optimizer.beta1: not a field of sgd; adam, adamw, nadam, lion have it (3 jobs: 3, 4, 5)",
    ]


def test_what_is_wrong_only_together_is_found_in_the_one_job_that_has_it():
    assert report("schedule=cosine,warmup_cosine", "trainer.epochs=5,20", multirun=True) == [
        "schedule.warmup_epochs: must be less than trainer.epochs=5, got 5 (job 2)"
    ]


def test_a_named_search_plans_its_jobs_and_a_value_said_beside_it_replaces_its_own():
    assert len(compose(["sweep=grid"]).jobs) == 18
    assert compose(["sweep=grid"]).is_grid
    assert not compose(["sweep=tpe"]).is_grid
    found = compose(["sweep=grid", "trainer.batch_size=16"])
    assert found.is_sweep
    assert len(found.jobs) == 9
    assert {job.trainer.batch_size for job in found.jobs} == {16}
    assert found.jobs[0].trainer.epochs == 10


@pytest.mark.parametrize(
    "override",
    ["seed=range(1,4)", "model.hidden=[32],[64,32]", "optimizer=glob(ada*)", "seed=choice(1,2)"],
)
def test_a_right_sweep_has_no_problems(override):
    assert report(override, multirun=True) == []


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("seed=interval(0,1)", "seed: needs values that can be listed, got interval(0,1);"),
        ("optimizer=glob(x*)", "optimizer: stands for no value at all, got glob(x*)"),
        ("seed=range(3,0)", "seed: stands for no value at all, got range(3,0)"),
    ],
)
def test_a_sweep_that_cannot_be_listed_is_refused(override, problem):
    (found,) = report(override, multirun=True)
    assert found.startswith(problem)


@pytest.fixture
def own_files(tmp_path):
    """Return a folder with an optimizer of the user's own, right but for two values."""
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "experiment").mkdir()
    text = "# Mine.\ndefaults: [schema/momentum]\nlr: fast\nmu: 0.5\n"
    (tmp_path / "optimizer" / "mine.yaml").write_text(text)
    text = "# @package _global_\n# Mine.\nsede: 7\nmodel: {hidden: 8, activation: '${seed}'}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    return tmp_path


def test_files_of_a_users_own_are_found_and_checked_the_same_way(own_files):
    assert report("optimizer=mine", "experiment=mine", config_dir=str(own_files)) == [
        "model.hidden: must be a list of whole numbers, got 8; write [8]",
        "model.activation: must be written out, got '${seed}': values refer to nothing else",
        "optimizer.lr: must be a number, got 'fast'",
        "optimizer.mu: not a field of momentum. Did you mean 'optimizer.momentum'?",
        "sede: no such key. Did you mean 'seed'?",
    ]


def test_the_command_line_repairs_what_a_file_says(own_files):
    text = "# Mine.\ndefaults: [schema/momentum]\nlr: fast\n"
    (own_files / "optimizer" / "mine.yaml").write_text(text)
    assert report("optimizer=mine", "optimizer.lr=0.1", config_dir=str(own_files)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("lr: [", "while parsing a flow node expected the node content, but found"),
        (
            "defaults: [schema/mommentum]",
            "In 'optimizer/mine': Could not load 'optimizer/schema/mommentum'.",
        ),
        ("lr: 0.1", "optimizer: its file lacks 'defaults: [schema/NAME]', one of sgd, momentum,"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_problem_and_no_crash(own_files, text, problem):
    (own_files / "optimizer" / "mine.yaml").write_text(text)
    (found,) = report("optimizer=mine", config_dir=str(own_files))
    assert found.startswith(problem)


def test_a_search_path_given_to_hydra_is_searched(own_files):
    found = report(f"hydra.searchpath=['{own_files.as_uri()}']", "experiment=mine")
    assert "sede: no such key. Did you mean 'seed'?" in found


def test_a_config_folder_must_exist(tmp_path):
    missing = str(tmp_path / "missing")
    assert report(config_dir=missing) == [f"--config-dir: there is no folder {missing!r}"]


def test_a_check_leaves_hydra_as_it_was():
    check(["seed=1"])
    assert not GlobalHydra.instance().is_initialized()


def test_a_check_imports_neither_mlflow_nor_matplotlib():
    code = (
        "import sys; from digit_exp.config.compose import compose; compose(['seed=1']);"
        "sys.exit(bool({'mlflow', 'matplotlib', 'scipy'} & sys.modules.keys()))"
    )
    with warnings.catch_warnings():
        subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("objective", ["test_acc", "test_loss"])
def test_a_sweep_is_not_ranked_by_the_test_set(objective):
    (problem,) = report(f"sweep.objective={objective}", multirun=True)
    assert problem.startswith("sweep.objective: ")
    assert "best_val_acc" in problem
    assert "no honest estimate" in problem


@pytest.mark.parametrize("objective", ["best_val_acc", "best_val_loss", "final_val_acc"])
def test_an_objective_of_validation_needs_a_validation_set(objective):
    without = [
        "data.val_ratio=0",
        "trainer.early_stopping.enabled=false",
        "trainer.checkpoint.monitor=train_loss",
    ]
    (problem,) = report(*without, f"sweep.objective={objective}", multirun=True)
    advice = "sweep.objective=training_seconds"
    assert problem.startswith(f"sweep.objective: {objective} needs validation data")
    assert problem.endswith(advice)
    assert report(*without, advice, multirun=True) == []


def test_a_plan_is_of_the_folder_where_it_is_made(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert compose(["seed=7"]).hydra["runtime"]["cwd"] == str(tmp_path / name)


@pytest.mark.parametrize(
    ("override", "key", "advice"),
    [
        ("hydra.sweeper.storage='postgresql://me:pw@here/db'", "sweeper.storage", "OPTUNA_STORAGE"),
        ("hydra.run.dir=", "run.dir", "leave it out"),
        ("hydra.launcher.n_jobs=x", "launcher.n_jobs", "Integer"),
    ],
)
def test_a_wrong_setting_of_hydra_is_one_problem_with_what_to_do(override, key, advice):
    (problem,) = check(["sweep=tpe", "hydra/launcher=joblib", override])
    assert problem.path == f"hydra.{key}"
    assert advice in problem.message
