"""The words after `digit-exp`: which command they choose, what it loads, how it ends."""

import subprocess
import sys
import tomllib
import traceback
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import digit_exp
from digit_exp import version
from digit_exp.cli import entry, main
from digit_exp.cli.parser import COMMANDS
from digit_exp.config.paths import conf_dir
from digit_exp.runs import experiment
from tiny_runs import WORDS

SLOW = {"hydra", "omegaconf", "numpy", "scipy", "mlflow", "matplotlib", "optuna", "urllib.request"}
NEEDED = {"hydra", "omegaconf", "numpy"}  # to compose a configuration and to check it

SCRIPT = """
import sys
from digit_exp.cli.entry import main
code = main()
print(code, *sys.modules, file=sys.stderr)
"""
PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def loaded_by(*words):
    """Return the modules that a command leaves in the interpreter, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words], check=True, capture_output=True, text=True
    )
    code, *modules = done.stderr.split()
    assert code == "0"
    return {*modules}, done.stdout


@pytest.mark.parametrize("words", [["--help"], ["optimizer=adam", "-h"], ["train", "--help"]])
def test_help_loads_nothing_slow(words):
    modules, output = loaded_by(*words)
    assert "experiment=debug" in output
    assert not modules & SLOW
    assert [name for name in COMMANDS if f"  {name} " not in output] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_loads_nothing_slow(name):
    modules, output = loaded_by(name, "--help")
    assert output.startswith(f"usage: digit-exp {name} ")
    assert not modules & SLOW


def test_the_version_is_that_of_the_project_and_loads_nothing_slow():
    modules, output = loaded_by("--version")
    expected = tomllib.loads(PROJECT.read_text("utf-8"))["project"]["version"]
    assert output == f"digit-exp {expected}\n"
    assert not modules & SLOW
    assert digit_exp.__version__ == expected


def test_a_copy_without_project_file_and_installation_has_a_version_too(monkeypatch, tmp_path):
    monkeypatch.setattr(version, "__file__", str(tmp_path / "src" / "digit_exp" / "version.py"))
    monkeypatch.setattr(version, "PACKAGE", "no-such-package")
    version.checkout.cache_clear()
    assert version.version() == version.UNKNOWN
    assert version.requirements() == []
    version.checkout.cache_clear()


def test_it_starts_where_a_terminal_has_no_hangup_signal():
    script = "import signal; del signal.SIGHUP\n" + SCRIPT  # as on Windows
    done = subprocess.run([sys.executable, "-c", script, "ui", "--help"], capture_output=True)
    assert done.stdout.startswith(b"usage: digit-exp ui")


def test_hydras_version_can_be_had(capsys):
    with pytest.raises(SystemExit):
        entry.main(["train", "--version"])
    assert capsys.readouterr().out.startswith("Hydra 1.")


@pytest.mark.parametrize("words", [[], ["train"]])
def test_the_words_of_training_are_hydras_with_and_without_its_name(words, capsys):
    assert entry.main([*words, "--cfg", "job", "optimizer.lr=0.5"]) == 0
    assert "lr: 0.5" in capsys.readouterr().out


def test_the_module_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "digit_exp", "compare", "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("usage: digit-exp compare ")


def test_a_word_that_is_no_command_is_refused_with_the_nearest(capsys):
    assert entry.main(["comprae", "best"]) == 2
    error = capsys.readouterr().err
    assert "'comprae'" in error
    assert "Did you mean 'compare'?" in error


def test_a_wrong_option_is_a_usage_error(capsys):
    assert entry.main(["compare"]) == 2
    assert "RUN" in capsys.readouterr().err


def test_a_store_that_cannot_be_is_told_without_a_traceback(capsys):
    assert entry.main(["compare", "a", "b", "--uri", "file:mlruns"]) == 2
    assert "tracking.uri: 'file:mlruns'" in capsys.readouterr().err


def test_a_configuration_is_shown_without_what_trains_and_tracks():
    modules, output = loaded_by("--cfg", "job")
    assert "batch_size: 32" in output
    assert modules & SLOW == NEEDED
    assert "digit_exp.training.trainer" not in modules


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["optimizer=lion", "model.hidden=[256,128]", "run_name='a b: 1e3'", "data.dir=/x/y"],
        ["experiment=debug", "optimizer.lr=1e-3", "tracking.tags={a:b,c:'7'}", "trainer.ema=0"],
    ],
)
def test_a_configuration_is_shown_as_hydra_would(words, capsys):
    assert main.main(["--cfg", "job", *words]) == 0
    ours = capsys.readouterr().out
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        assert ours == OmegaConf.to_yaml(compose("config", words))


def test_ctrl_c_while_it_is_starting_is_an_exit_code_and_no_traceback(monkeypatch):
    def pressed(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "main", pressed)
    assert entry.main(["trainer.epochs=0"]) == 130


def test_eight_calls_lead_from_a_word_to_the_trainer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []

    def trainer(network, optimizer, **_):
        frames = (frame for frame, _ in traceback.walk_stack(None))
        own = [f for f in frames if f.f_globals["__name__"].startswith("digit_exp.")]
        seen.append((optimizer.lr, [frame.f_code.co_name for frame in own]))
        raise ValueError

    monkeypatch.setattr(experiment, "Trainer", trainer)
    assert entry.main([*WORDS, "optimizer.lr=0.01"]) == 1
    ((lr, calls),) = seen
    assert lr == 0.01
    assert len(calls) <= 8, calls


def test_every_command_is_documented():
    text = (PROJECT.parent / "docs" / "commands.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"\n| `{name}" not in text] == []


def test_what_will_be_done_is_said_first_and_not_where_a_program_reads(capsys):
    assert entry.main(["optimizer.lr=fast"]) == 2
    assert "optimizer.lr=fast" in capsys.readouterr().out.splitlines()[0]
    assert entry.main(["--cfg", "job", "--package", "optimizer"]) == 0
    assert "digit-exp" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "word",
    [
        "tracking.uri=postgresql://me:pa/s@s%3f@host/db",
        "+tracking={uri: 'mysql://me:pa/s@s%3f@host/db'}",
        "hydra.sweeper.storage=postgresql://host/db?password=pa/s@s%3f",
    ],
)
def test_a_password_in_the_command_line_is_not_repeated(word, capsys):
    assert entry.main([word, "trainer.epochs=none"]) == 2
    shown = capsys.readouterr()
    assert "pa/s" not in shown.out + shown.err
    assert "s%3f" not in shown.out + shown.err
