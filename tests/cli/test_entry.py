"""What the quick commands load, in a fresh interpreter, and that they say the same as Hydra."""

import subprocess
import sys

import pytest

from digit_exp.cli import entry, main

SLOW = {"hydra", "omegaconf", "numpy", "scipy", "mlflow", "matplotlib", "optuna", "urllib.request"}
NEEDED = {"hydra", "omegaconf", "numpy"}  # to compose a configuration and to check it

SCRIPT = """
import sys
from digit_exp.cli.entry import main
code = main()
print(code, *sys.modules, file=sys.stderr)
"""


def loaded_by(*words):
    """Return the modules that a command leaves in the interpreter, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words], check=True, capture_output=True, text=True
    )
    code, *modules = done.stderr.split()
    assert code == "0"
    return {*modules}, done.stdout


@pytest.mark.parametrize("words", [["--help"], ["optimizer=adam", "-h"]])
def test_help_loads_nothing_slow(words):
    modules, output = loaded_by(*words)
    assert "experiment=debug" in output
    assert not modules & SLOW


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
    assert main.main(["--cfg", "job", "--package", "_global_", *words]) == 0  # goes through Hydra
    assert ours == capsys.readouterr().out


def test_ctrl_c_while_it_is_starting_is_an_exit_code_and_no_traceback(monkeypatch):
    def pressed(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "main", pressed)
    assert entry.main(["trainer.epochs=0"]) == 130
