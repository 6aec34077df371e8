"""Tables and figures for papers: numbers, marks and formats."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import digit_exp
from digit_exp.analysis import export
from digit_exp.analysis.job_result import JobResult
from digit_exp.analysis.ranking import rank
from digit_exp.cli.entry import main
from digit_exp.registry import ConfigError
from digit_exp.tracking.mlflow.queries import identity
from tracked_runs import epochs, tracked

SCORES = {
    "sgd_1": [0.980, 0.982, 0.984, 0.981],
    "adam": [0.979, 0.984, 0.983, 0.979],
    "lion": [0.900, 0.903, 0.901, 0.899],
}


def jobs():
    for name, scores in SCORES.items():
        for seed, score in enumerate(scores):
            config = {"optimizer": name, "model.hidden": [8, 4], "seed": seed}
            metrics = {"best_val_acc": score, "test_acc": score - 0.01}
            yield JobResult(len(SCORES) * seed, None, "FINISHED", config, metrics)


@pytest.fixture
def ranking():
    return rank(list(jobs()))


def test_a_row_for_each_configuration_with_the_interval_of_the_seeds(ranking):
    found = export.table(ranking).set_index("optimizer")
    assert list(found.index) == ["sgd_1", "adam", "lion"]
    row = found.loc["sgd_1"]
    assert row["best_val_acc"] == pytest.approx(np.mean(SCORES["sgd_1"]))
    summary = ranking.winner.summary
    limits = [row[f"best_val_acc_{name}"] for name in ("low", "high", "std")]
    assert limits == [summary.low, summary.high, summary.std]
    assert row["test_acc"] == pytest.approx(np.mean(SCORES["sgd_1"]) - 0.01)
    assert found["best"].tolist() == [True, False, False]
    assert found["not_shown_to_differ"].tolist() == [False, True, False]
    assert row["best_val_acc_n"] == 4


def test_latex_has_rules_the_best_in_bold_and_what_does_not_differ_marked(ranking):
    lines = export.latex(ranking).splitlines()
    assert {r"\toprule", r"\midrule", r"\bottomrule"} <= {*lines}
    best, same, worse = (line for line in lines if line.startswith(("sgd", "adam", "lion")))
    assert best.startswith(r"sgd\_1 & \textbf{98.17 $\pm$ 0.27} & 4 & 97.17")
    assert "$^{*}$" in same
    assert r"\textbf" not in same
    assert "$^{*}$" not in worse
    assert all(line.endswith(r"\\") for line in (best, same, worse))


def test_markdown_marks_the_same(ranking):
    best, same, worse = export.markdown(ranking).splitlines()[2:5]
    assert "**98.17 ± 0.27**" in best
    assert r"\*" in same
    assert "*" not in worse


def test_programs_read_the_same_numbers_from_every_format(ranking, tmp_path):
    readers = {".csv": pd.read_csv, ".json": pd.read_json, ".parquet": pd.read_parquet}
    for suffix, read in readers.items():
        found = read(export.write_table(ranking, tmp_path / f"table{suffix}"))
        np.testing.assert_allclose(
            found["best_val_acc"].astype(float), export.table(ranking)["best_val_acc"]
        )
        assert found["optimizer"].tolist() == ["sgd_1", "adam", "lion"]


def test_one_seed_has_no_interval():
    found = rank([JobResult(0, None, "FINISHED", {"seed": 1}, {"best_val_acc": 0.5})])
    assert "±" not in export.markdown(found).splitlines()[2]
    assert "50.00" in export.latex(found)


@pytest.mark.parametrize("name", ["table.docx", "table", "csv"])
def test_another_format_is_refused_with_those_there_are(name, tmp_path):
    with pytest.raises(ConfigError, match=r"\.tex"):
        export.require_format(tmp_path / name)


@pytest.fixture
def two_runs(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return [
        str(train(tmp_path / "outputs" / name / "x", "trainer.epochs=2", f"optimizer={name}"))
        for name in ("sgd", "adam")
    ]


def test_the_command_writes_tables_and_figures(two_runs, tmp_path, capsys):
    assert main(["export", *two_runs, "--to", "t.json", "--figures", "f"]) == 0
    printed = capsys.readouterr().out.split()
    assert sorted(printed) == sorted(["t.json", *(str(f) for f in _files("f"))])
    assert {row["optimizer"] for row in json.loads((tmp_path / "t.json").read_text())} == {
        "sgd",
        "adam",
    }
    assert (tmp_path / "f" / "curves.pdf").read_bytes().startswith(b"%PDF")
    svg = (tmp_path / "f" / "scores.svg").read_text()
    assert 'width="241.2pt"' in svg  # 3.35 inches of 72 points
    assert "adam</text>" in svg  # text stays text


@pytest.fixture
def stored(folder, monkeypatch):
    """Make a sweep whose runs are in the store of the folder and nowhere else."""
    monkeypatch.chdir(folder)
    for number, (name, seed) in enumerate(product(["sgd", "adam"], [1, 2])):
        score = 0.9 + 0.01 * number
        with tracked(
            folder,
            name=f"{name} {seed}",
            tags=identity("far", str(number)),
            params={"optimizer": name, "model.hidden": [8, 4], "seed": seed},
            epochs=epochs({"val_loss": 0.5}, {"val_loss": 0.4}),
            summary={"best_val_acc": score, "test_acc": score - 0.1},
        ):
            pass
    assert not (folder / "outputs").exists()


def test_a_sweep_that_is_only_in_a_store_is_written_in_every_format(stored, capsys):
    names = [f"t{kind}" for kind in (*export.TABLES, *export.FIGURES)]
    for name in names:
        assert main(["export", "far", "--to", name]) == 0
    assert main(["export", "far", "--figures", "f"]) == 0
    assert capsys.readouterr().out.split() == [*names, *_files("f")]
    found = pd.read_parquet("t.parquet")
    np.testing.assert_allclose(found["best_val_acc"].astype(float), [0.925, 0.905])
    assert found["optimizer"].tolist() == ["adam", "sgd"]
    assert found["best_val_acc_n"].tolist() == [2, 2]
    assert "adam</text>" in Path("f/curves.svg").read_text()


def test_without_curves_they_are_refused_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [
        *("tracking=none", "data=synthetic", "data.samples=99", "data.val_ratio=0"),
        *("trainer.early_stopping.enabled=false", "trainer.checkpoint.monitor=train_loss"),
    ]
    digit_exp.run(*words, "trainer.epochs=1", "model.hidden=[2]", folder="outputs/blind")
    ranked = ["--objective", "training_seconds"]
    assert main(["export", "outputs/blind", *ranked, "--figures", "f"]) == 2
    assert "val_loss" in capsys.readouterr().err
    assert not Path("f").exists()


def _files(folder):
    return [f"{folder}/{name}{kind}" for name in ("scores", "curves") for kind in (".pdf", ".svg")]


def test_the_same_figure_is_the_same_file(two_runs, tmp_path):
    for name in ("a.pdf", "b.pdf", "a.svg", "b.svg"):
        assert main(["export", *two_runs, "--to", name]) == 0
    for kind in ("pdf", "svg"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_what_cannot_be_is_said(two_runs, tmp_path, capsys):
    for words, named in (
        (["nothing", "--to", "a.csv"], "nothing"),
        ([*two_runs], "--to"),
        ([*two_runs, "--to", "a.docx"], ".parquet"),
        ([*two_runs, "--to", "a.csv", "--objective", "speed"], "speed"),
    ):
        assert main(["export", *words]) == 2
        assert named in capsys.readouterr().err
    assert not [*tmp_path.glob("a.*")]
