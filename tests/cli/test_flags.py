"""Hydra's own flags with this program's words: each combination works or is refused in words."""

import logging
from itertools import product

import pytest
import yaml

from digit_exp.cli.main import main
from digit_exp.runs import runner

WORDS = [["seed=3"], ["sweep=tpe"], ["sweep=grid"], ["seed=1,2", "-m"], ["-m", "seed=1,2"]]


@pytest.fixture(autouse=True)
def own_logging(tmp_path, monkeypatch):
    """Close what Hydra opens for logging, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before = list(root.handlers)
    yield root
    for handler in set(root.handlers) - set(before):
        handler.close()
    root.handlers[:] = before


@pytest.fixture
def say(tmp_path, own_logging, capsys):
    """Return exit code, standard output and standard error of a command line."""

    def say(*words):
        own_logging.handlers[:] = []  # Hydra's write to the output of the command before
        try:
            code = main(list(words))
        except SystemExit as end:  # argparse's own errors
            code = end.code
        output = capsys.readouterr()
        assert list(tmp_path.iterdir()) == []
        return code, output.out, output.err

    return say


FLAGS = [
    *(["--cfg", kind, *more] for kind in ("job", "hydra", "all") for more in ([], ["--resolve"])),
    *(["--cfg", "job", "--package", package] for package in ("optimizer", "_global_")),
    ["--cfg", "hydra", "--package", "hydra.job"],
    *(["--info", what] for what in ("config", "defaults", "defaults-tree", "searchpath")),
]
SLOW = [["--info", "all"], ["--info", "plugins"], ["--hydra-help"]]
"""They import every plugin."""


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        *product(FLAGS, WORDS[:2]),
        *product(FLAGS[::5], WORDS[2:]),
        *product(SLOW, WORDS[-1:]),
    ],
    ids=str,
)
def test_what_shows_something_shows_it_and_runs_nothing(say, flags, words):
    code, out, err = say(*flags, *words)
    assert (code, err) == (0, "")
    assert len(out) > 50


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--run", "--cfg", "job"], "--cfg"),
        (["--run", "-m"], "--multirun"),
        (["--cfg", "job", "--hydra-help"], "--hydra-help"),
        (["--resolve"], "--cfg job"),
        (["--package", "optimizer"], "--cfg job"),
        (["--config-name", "other"], "--config-name"),
        (["--config-path", "other"], "--config-path"),
        (["--experimental-rerun", "job.pickle"], "--experimental-rerun"),
        (["--config-dir", "missing"], "missing"),
        (["--shell-completion"], "install"),
        (["--cfg", "nonsense"], "nonsense"),
        (["--cfg", "job", "--package", "missing"], "missing"),
    ],
    ids=str,
)
@pytest.mark.parametrize("words", [["seed=3"], ["sweep=grid"]], ids=str)
def test_what_cannot_be_is_refused_in_words(say, flags, named, words):
    code, _, err = say(*words, *flags)
    assert code in (1, 2)
    assert named in err
    assert "Traceback" not in err


def test_a_sweep_is_shown_as_its_first_job(say):
    _, out, _ = say("--cfg", "job", "-m", "seed=5,6", "optimizer.lr=0.25")
    shown = yaml.safe_load(out)
    assert (shown["seed"], shown["optimizer"]["lr"]) == (5, 0.25)


@pytest.mark.parametrize("chdir", ["false", "true"])
def test_a_run_sees_the_folder_where_it_was_started(tmp_path, monkeypatch, chdir):
    seen = []

    def run(folder, work):
        (config,) = work.args
        seen.append((runner.Path.cwd(), folder, config.seed))
        raise runner.JobFailed("seen")

    monkeypatch.setattr(runner, "run_job", run)
    assert main(["seed=7", "tracking=none", f"hydra.job.chdir={chdir}"]) == 1
    ((cwd, folder, seed),) = seen
    assert (cwd, seed) == (tmp_path, 7)
    assert folder.is_relative_to(tmp_path / "outputs")
    assert (folder / ".hydra" / "config.yaml").is_file()


def test_the_variable_for_an_experiment_is_named_where_it_is_not_used(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(runner, "run_job", lambda *arguments: 1 / 0)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    for words, said in (
        ([], True),
        (["tracking.experiment=mine"], False),
        (["tracking=none"], False),
    ):
        with pytest.raises(ZeroDivisionError):
            main(words)
        assert ("write tracking.experiment=mine" in capsys.readouterr().err) == said


def test_a_flag_that_is_none_is_refused_under_the_name_of_the_command(say):
    code, _, said = say("--fast")
    assert code == 2
    assert said.startswith("usage: digit-exp ")
    assert "--fast" in said


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(say):
    code, _, said = say(f"hydra.run.dir={__file__}", "data=synthetic", "tracking=none")
    assert code == 1
    assert "hydra.run.dir=FOLDER" in said
    assert "Errno" not in said
