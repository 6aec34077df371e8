"""What the tests of tags, notes and the trash need: a tracked run, and commands on it."""

import pytest

from digit_exp.cli.entry import main


@pytest.fixture
def place(folder, train, monkeypatch):
    """The folder of a finished run in the store; commands are started two above it."""
    monkeypatch.chdir(folder)
    return train(folder / "outputs" / "day" / "run", "tracking=mlflow")


@pytest.fixture
def say(capsys):
    def said(*words):
        capsys.readouterr()  # what the training of the run printed
        code = main(list(words))
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return said
