"""What the README shows is what there is."""

import runpy
from pathlib import Path

import pytest

from digit_exp.app.overrides import check

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "train.py"


def commands():
    """Return the arguments of every command line of the README."""
    lines = [line.split("#")[0] for line in README.splitlines()]
    return [line.split("digit_exp", 1)[1].split() for line in lines if line.startswith("python -m")]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_of_the_readme_is_accepted(words):
    overrides = [word for word in words if not word.startswith("-")]
    assert check(overrides, multirun="-m" in words) == []


def test_the_script_of_the_readme_is_the_example():
    assert EXAMPLE.read_text(encoding="utf-8") in README


def test_the_example_trains_saves_and_loads(tmp_path, capsys):
    accuracy = runpy.run_path(str(EXAMPLE))["main"](tmp_path, epochs=1)
    assert accuracy > 0.9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best_model.npz", "final_model.npz"]
    assert "109,386" in capsys.readouterr().out
