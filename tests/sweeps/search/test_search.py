"""The search, with jobs that are a formula: what is asked, told, kept and taken up again."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext
from omegaconf import OmegaConf
from sqlalchemy.exc import OperationalError

from composing import composed, configured
from digit_exp.cli.main import main
from digit_exp.config.compose import job_loader
from digit_exp.registry import ConfigError
from digit_exp.sweeps.search.study import Study
from digit_exp.sweeps.search.sweeper import SearchSettings, SearchSweeper
from digit_exp.tracking.base import TrackingError

SPACE = {
    "optimizer.lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "trainer.batch_size": {"type": "int", "low": 16, "high": 128, "step": 16},
    "model.hidden": {"type": "categorical", "choices": [[64], [128, 64]]},
}
CONFIG = {
    "optimizer": {"name": "adam", "lr": 0.001},
    "trainer": {"batch_size": 32},
    "model": {"hidden": [128, 64]},
}


def distance(values):
    """Be best, and 0, at a learning rate of 0.01."""
    return -abs(math.log10(values.get("optimizer.lr", 0.1)) + 2)


class Launcher:
    """Computes the jobs at once; at the jobs `killed` the process dies, as far as it can tell."""

    def __init__(self, objective=distance, killed=()):
        self.objective = objective
        self.killed = killed
        self.jobs = {}
        self.batches = []

    def launch(self, job_overrides, initial_job_idx):
        numbers = range(initial_job_idx, initial_job_idx + len(job_overrides))
        self.batches.append(list(numbers))
        return [self._run(*job) for job in zip(numbers, job_overrides, strict=True)]

    def _run(self, number, overrides):
        if number in self.killed:
            raise KeyboardInterrupt
        self.jobs[number] = list(overrides)
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        result = JobReturn(status=JobStatus.COMPLETED)
        try:
            result.return_value = self.objective(
                {each.key_or_group: each.value() for each in parsed}
            )
        except ArithmeticError as error:
            result.status, result.return_value = JobStatus.FAILED, error
        return result


@pytest.fixture
def search(tmp_path):
    """Return a function that searches with a launcher and returns what its jobs were given."""

    def run(launcher=None, arguments=(), folder="first", config=CONFIG, **settings):
        launcher = launcher or Launcher()
        settings = {
            "storage": f"sqlite:///{tmp_path}/{folder}/optuna.db",
            "study_name": "study",
            "n_trials": 6,
            "space": SPACE,
            **settings,
        }
        node = OmegaConf.merge(OmegaConf.structured(SearchSettings), settings)
        sweeper = SearchSweeper(**{key: node[key] for key in node if key != "_target_"})
        hydra = {"sweep": {"dir": str(tmp_path / "sweep")}, "launcher": {}}
        sweeper.config = OmegaConf.create({**config, "hydra": hydra})
        sweeper.hydra_context = HydraContext(config_loader=Groups(), callbacks=None)
        sweeper.launcher = launcher
        sweeper.sweep(list(arguments))
        return launcher.jobs

    return run


class Groups(ConfigLoader):
    """Has no groups: an override is of a value."""

    def get_group_options(self, *arguments, **options):
        return []


for _name in ConfigLoader.__abstractmethods__ - {"get_group_options"}:
    setattr(Groups, _name, None)
Groups.__abstractmethods__ = frozenset()


def test_a_search_has_as_many_jobs_as_it_was_told(search, tmp_path):
    assert sorted(search(n_trials=5)) == [0, 1, 2, 3, 4]
    assert (tmp_path / "first" / "optuna.db").is_file()


def test_the_storage_is_there_before_the_first_job(search, tmp_path):
    seen = []

    def objective(values):
        seen.append((tmp_path / "new" / "optuna.db").is_file())
        return 1.0

    search(Launcher(objective), n_trials=1, folder="new")
    assert seen == [True]


def test_every_job_has_a_value_of_each_key_within_its_range(search):
    for lr, batch_size, hidden in search(sampler="RandomSampler").values():
        assert 1e-4 <= float(lr.removeprefix("optimizer.lr=")) <= 1e-1
        assert int(batch_size.removeprefix("trainer.batch_size=")) in range(16, 129, 16)
        assert hidden in ("model.hidden=[64]", "model.hidden=[128,64]")


def test_a_search_that_is_done_has_no_more_jobs_and_a_larger_total_adds_to_it(search):
    first = search(n_trials=4)
    assert search(n_trials=4) == {}
    added = search(n_trials=7)
    assert sorted(added) == [4, 5, 6]
    assert {**first, **added} == search(n_trials=7, folder="undisturbed")


def test_the_seed_decides_the_jobs(search):
    assert search() == search(folder="same")
    assert search() != search(folder="other", seed=7)


def test_no_two_jobs_are_given_the_same(search):
    jobs = search(sampler="RandomSampler")
    assert len({tuple(job) for job in jobs.values()}) == 6


@pytest.mark.parametrize(
    ("sampler", "jobs"),
    [("RandomSampler", 1), ("TPESampler", 1), ("TPESampler", 3), ("QMCSampler", 2)],
)
def test_an_interrupted_search_goes_on_to_the_jobs_of_an_undisturbed_one(search, sampler, jobs):
    settings = {"sampler": sampler, "n_jobs": jobs, "n_trials": 8}
    if sampler == "TPESampler":
        settings["sampler_options"] = {"n_startup_trials": 2}  # what follows are its own choices
    undisturbed = search(folder="undisturbed", **settings)
    done = {}
    for place in (1, 1, 7):
        launcher = Launcher(killed={place})
        with pytest.raises(KeyboardInterrupt):
            search(launcher, **settings)
        done |= launcher.jobs
    last = search(**settings)
    assert min(last) >= 6
    assert {**done, **last} == undisturbed


def test_a_batch_is_as_large_as_the_number_of_jobs_and_ends_with_the_total(search):
    launcher = Launcher()
    search(launcher, n_jobs=4)
    assert launcher.batches == [[0, 1, 2, 3], [4, 5]]


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_tpe_moves_in_the_direction_of_what_it_was_told(search, direction, sign):
    options = {"n_startup_trials": 6}
    space = {"optimizer.lr": SPACE["optimizer.lr"]}
    jobs = search(n_trials=18, space=space, direction=direction, sampler_options=options)
    rates = [float(jobs[place][0].partition("=")[2]) for place in sorted(jobs)]
    values = [distance({"optimizer.lr": rate}) for rate in rates]
    assert sign * sum(values[12:]) > sign * sum(values[:6])


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "text"])
def test_a_job_without_a_value_fails_for_good_and_the_search_goes_on(search, value):
    assert len(search(Launcher(lambda values: value), n_trials=3)) == 3
    assert search(n_trials=3) == {}


def test_a_job_that_raised_is_tried_again_with_the_same_values_next_time(search, caplog):
    calls = []

    def objective(values):
        calls.append(values)
        if len(calls) in (2, 5):
            raise ZeroDivisionError("the second and the fifth")
        return 1.0

    first = search(Launcher(objective))
    assert len(first) == 6
    assert "job 1 failed: the second and the fifth" in caplog.text
    launcher = Launcher()
    again = search(launcher, n_jobs=4)
    assert again == {1: first[1], 4: first[4]}
    assert launcher.batches == [[1], [4]]


def test_what_is_fixed_on_the_command_line_holds_for_all_jobs(search):
    jobs = search(arguments=["optimizer.lr=0.5", "seed=3"])
    assert all(job[:2] == ["optimizer.lr=0.5", "seed=3"] for job in jobs.values())
    assert all(len(job) == 4 for job in jobs.values())


SECRET = "postgresql://me:QA/Q%Q@127.0.0.1:1/db"


def test_an_address_with_a_password_is_refused_in_a_configuration(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["-m", "data=synthetic", "experiment=debug", "tracking=none", "sweep=tpe"]
    for setting in (f"hydra.sweeper.storage='{SECRET}'", f"+hydra.job.env_set.STORE='{SECRET}'"):
        assert main([*words, setting]) == 2
        assert "password" in (said := capsys.readouterr().err)
        assert "Q" not in said
    assert not list(tmp_path.iterdir())


def test_a_database_that_does_not_answer_is_told_without_its_password(search, monkeypatch):
    def fail(url):
        raise OperationalError("SELECT 1", {}, OSError(f"no answer from {url}: 'QA/Q%Q' is wrong"))

    monkeypatch.setenv("OPTUNA_STORAGE", SECRET)
    for broken in (False, True):  # no driver; a driver that says too much
        if broken:
            monkeypatch.setattr("optuna.storages.RDBStorage", fail)
        with pytest.raises(TrackingError, match="postgresql://me:") as error:
            search(storage="sqlite:///mlruns/optuna.db")
        assert "Q" not in str(error.value)


def test_the_environment_says_where_trials_are_kept(search, tmp_path, monkeypatch):
    monkeypatch.setenv("OPTUNA_STORAGE", f"sqlite:///{tmp_path}/elsewhere.db")
    monkeypatch.chdir(tmp_path)
    assert len(search(storage="sqlite:///mlruns/optuna.db")) == 6
    assert (tmp_path / "elsewhere.db").is_file()
    assert not (tmp_path / "mlruns").exists()


def test_a_list_on_the_command_line_is_searched_instead_of_the_range(search):
    jobs = search(arguments=["trainer.batch_size=8,256", "schedule=cosine,step"], n_trials=10)
    values = {value for job in jobs.values() for value in job if "lr" not in value}
    assert values == {
        *("model.hidden=[64]", "model.hidden=[128,64]", "schedule=cosine", "schedule=step"),
        *("trainer.batch_size=8", "trainer.batch_size=256"),
    }


def test_a_range_on_the_command_line_takes_the_place_of_that_of_the_space(search):
    jobs = search(arguments=["optimizer.lr=tag(log,interval(0.5,0.6))"])
    words = [word for job in jobs.values() for word in job if word.startswith("optimizer.lr=")]
    assert words
    assert all(0.5 <= float(word.partition("=")[2]) <= 0.6 for word in words)


def test_what_the_chosen_model_does_not_have_is_not_searched(search):
    config = {**CONFIG, "model": {"name": "linear"}}
    jobs = search(arguments=["model=linear"], config=config)
    assert not any("model.hidden" in value for job in jobs.values() for value in job)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ([], {"sampler": "TPESample"}, "unknown sampler 'TPESample'. Did you mean 'TPESampler'?"),
        ([], {"sampler": "GridSampler"}, "GridSampler cannot be made with these options"),
        ([], {"sampler_options": {"no": 1}}, "TPESampler cannot be made with these options"),
        ([], {"storage": "sqlite://"}, "hydra.sweeper.storage: 'sqlite://' keeps nothing"),
        ([], {"storage": "sqlite:///:memory:"}, "Name a file (sqlite:///runs.db)"),
        ([], {"direction": "up"}, "must be maximize or minimize, got 'up'"),
        ([], {"space": {"optimzer.lr": SPACE["optimizer.lr"]}}, "optimzer.lr: is in the search"),
        ([], {"space": {}}, "nothing is searched"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_its_first_job(
    search, arguments, settings, message
):
    launcher = Launcher()
    with pytest.raises(ConfigError) as error:
        search(launcher, arguments, **settings)
    assert message in str(error.value)
    assert launcher.batches == []


@pytest.mark.parametrize(
    "other", [{"space": {"optimizer.lr": SPACE["optimizer.lr"]}}, {"direction": "minimize"}]
)
def test_a_name_belongs_to_one_search(search, other):
    search()
    with pytest.raises(ConfigError, match="begun with another space, direction or seeds"):
        search(**other)


def test_without_a_name_the_same_search_goes_on_and_another_is_another(search):
    assert len(search(study_name=None)) == 6
    assert search(study_name=None) == {}
    assert len(search(study_name=None, arguments=["optimizer.lr=0.5"])) == 6


def test_a_candidate_runs_with_every_seed_and_the_search_is_told_the_mean(search, monkeypatch):
    told = []
    monkeypatch.setattr(Study, "tell", lambda self, candidate, value: told.append(value))
    launcher = Launcher(lambda values: 10.0 * values["seed"])
    jobs = search(launcher, ["seed=1,2,6"], n_trials=4, n_jobs=2)
    assert launcher.batches == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    seeds = {}
    for *candidate, seed in jobs.values():
        seeds.setdefault(tuple(candidate), []).append(seed)
    assert list(seeds.values()) == [["seed=1", "seed=2", "seed=6"]] * 4
    assert told == [30.0] * 4


def test_a_seed_that_a_race_dropped_has_no_part_in_the_mean_and_one_that_diverged_ends_it(
    search, monkeypatch
):
    told = []
    monkeypatch.setattr(Study, "tell", lambda self, candidate, value: told.append(value))
    results = iter([1.0, 3.0, None, 1.0, math.nan, None])
    search(Launcher(lambda values: next(results)), ["seed=1,2,3"], n_trials=2)
    assert told[0] == 2.0
    assert math.isnan(told[1])


def test_a_search_with_replicates_goes_on_after_a_kill_with_the_same_candidates(search):
    arguments = ["seed=1,2"]
    undisturbed = search(arguments=arguments, folder="undisturbed")
    launcher = Launcher(killed={5})
    with pytest.raises(KeyboardInterrupt):
        search(launcher, arguments)
    assert launcher.jobs | search(arguments=arguments) == undisturbed
    with pytest.raises(ConfigError, match="direction or seeds"):
        search(arguments=["seed=1,2,3"])


def test_two_processes_do_not_run_one_search(search, tmp_path):
    search(n_trials=1)
    (lock,) = (tmp_path / "first").glob("*.lock")
    with FileLock(lock), pytest.raises(ConfigError, match="being run by another process"):
        search()
    assert len(search()) == 5


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_a_shipped_search_is_found_by_hydra_and_every_key_of_its_space_exists(name):
    cfg = composed(f"sweep={name}", return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    sweeper = Plugins.instance().instantiate_sweeper(
        hydra_context=HydraContext(config_loader=job_loader(), callbacks=None),
        task_function=lambda cfg: 0.0,
        config=cfg,
    )
    assert isinstance(sweeper, SearchSweeper)
    missing = object()
    keys = list(sweeper.space)
    assert len(keys) == 5
    assert all(OmegaConf.select(cfg, key, default=missing) is not missing for key in keys)
    lows = [
        f"{key}={entry['low'] if 'low' in entry else entry['choices'][0]}"
        for key, entry in sweeper.space.items()
    ]
    configured(*lows)


def test_neither_the_command_line_nor_the_plugin_imports_optuna():
    code = (
        "import sys, digit_exp.cli.main, hydra_plugins.digit_exp_search;"
        "from hydra.core.plugins import Plugins; Plugins.instance();"
        "assert 'optuna' not in sys.modules"
    )
    source = Path(__file__).parents[3] / "src"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(source)})
