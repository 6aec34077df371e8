"""`--explain KEY`: who sets a value, in order, and who wins."""

import json
import re
from pathlib import Path

import pytest

from digit_exp.cli.entry import main


@pytest.fixture
def why(tmp_path, monkeypatch, capsys):
    """Return values and sources of a key, having made sure that nothing was created."""
    monkeypatch.chdir(tmp_path)

    def why(key, *words):
        before = sorted(tmp_path.rglob("*"))
        assert main([*words, "--explain", key, "--json"]) == 0
        assert sorted(tmp_path.rglob("*")) == before
        found = json.loads(capsys.readouterr().out)
        assert found["key"] == key
        sources = [(each["kind"], each["where"], each["value"]) for each in found["sources"]]
        for kind, where, value in sources:
            if kind == "file":  # the line says so
                file, _, line = where.rpartition(":")
                text = Path(file).read_text().splitlines()[int(line) - 1]
                assert key.rpartition(".")[2] in text
                assert value in text
        return found["values"], sources

    return why


@pytest.fixture
def preset(tmp_path):
    folder = tmp_path / "experiment"
    folder.mkdir()
    lines = ["# @package _global_", "# Mine.", "defaults:", "  - override /optimizer: lion", ""]
    lines += ["optimizer.lr: 0.5", "trainer:", "  early_stopping: {patience: 9}"]
    (folder / "mine.yaml").write_text("\n".join(lines) + "\n")
    return ["--config-dir", str(tmp_path), "experiment=mine"]


def test_a_default_is_that_of_class_and_file(why):
    values, sources = why("optimizer.lr")
    assert values == ["0.001"]
    assert [kind for kind, _, _ in sources] == ["class", "file"]
    assert re.search(r"class \w+, .*optimizers\.py:\d+", sources[0][1])
    assert "optimizer/adam.yaml:" in sources[1][1]


def test_the_command_line_wins_over_a_preset_and_that_over_the_group(why, preset):
    values, sources = why("optimizer.lr", *preset, "optimizer.lr=0.25")
    assert values == ["0.25"]
    assert [value for _, _, value in sources][-2:] == ["0.5", "0.25"]
    assert sources[-2][1].endswith("experiment/mine.yaml:6")
    assert sources[-1][0] == "command line"
    values, sources = why("optimizer.lr", *preset)
    assert (values, sources[-1][2]) == (["0.5"], "0.5")


def test_the_choice_of_a_group(why, preset):
    values, sources = why("optimizer", *preset, "optimizer=sgd")
    assert values == ["sgd"]
    assert [value for _, _, value in sources] == ["adam", "lion", "sgd"]
    assert sources[0][1].rpartition(":")[0].endswith("config.yaml")
    assert why("experiment", *preset)[0] == ["mine"]


def test_a_nested_value(why, preset):
    values, sources = why("trainer.early_stopping.patience", *preset)
    assert (values, sources[-1][2]) == (["9"], "9")
    assert sources[0][1].startswith("class EarlyStoppingSettings, ")


def test_values_of_a_sweep(why):
    assert why("seed", "-m", "seed=1,2")[0] == ["1", "2"]
    values, sources = why("optimizer.lr", "sweep=grid")
    assert len(values) == 3
    assert sources[-1][1].rpartition(":")[0].endswith("sweep/grid.yaml")
    values, sources = why("optimizer.lr", "sweep.zip={optimizer.lr: [1, 2], seed: [3, 4]}")
    assert [kind for kind, _, _ in sources][-2:] == ["rows", "rows"]


def test_settings_of_the_launch_and_of_hydra(why):
    assert why("sweep.objective", "sweep=early_stopping")[0] == ["final_val_acc"]
    values, sources = why("hydra.sweeper.n_trials", "sweep=tpe", "hydra.sweeper.n_trials=7")
    assert (values, sources[-1][2]) == (["7"], "7")


def test_what_is_no_key_is_refused_with_the_one_that_is_meant(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for words, named in (
        (["--explain", "optimizer.lrr"], "optimizer.lr"),
        (["--explain", "optimizer.beta1", "optimizer=sgd"], "optimizer.beta1"),
        (["--explain", "trainer.early_stopping"], "patience"),
        (["--explain", "seed", "--dry-run"], "--explain"),
        (["--explain", "seed", "optimizer.lr=fast"], "optimizer.lr"),
    ):
        assert main(words) == 2
        assert named in capsys.readouterr().err


def test_the_table_marks_who_wins(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--explain", "seed", "seed=7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seed = 7"
    assert [line for line in lines if line.endswith("wins")] == lines[-1:]
