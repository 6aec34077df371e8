"""The command that compares runs, from what is typed to the page."""

import json
import re

import numpy as np
import pytest

from digit_exp.cli.entry import main
from digit_exp.runs.saved.compare import compare
from digit_exp.runs.saved.found_run import RunError
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.manage.promote import compare_paired
from digit_exp.runs.saved.reproduce import reproduce
from digit_exp.training.checkpoint import save_network


def test_two_runs_are_compared_in_the_terminal_and_on_a_page(tmp_path, train, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(tmp_path / "outputs" / "one", "run_name=one")
    train(tmp_path / "outputs" / "two", "run_name=two", "optimizer=sgd", "trainer.epochs=2")
    assert main(["compare", "one", "two", "one", "--out", "side by side"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"optimizer +adam +sgd", printed)
    assert re.search(r"#1, #2 +validation +\d+ +\d+ ", printed)
    page = (tmp_path / "side by side" / "comparison.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 2
    assert "Images that only one of #1 and #2 classifies correctly" in page
    links = dict(re.findall(r'<a href="([^"#]+)"[^>]*>([^<]+)</a>', page))
    assert links == {"../outputs/one/": "one", "../outputs/two/": "two"}
    assert {file.name for file in (tmp_path / "side by side" / "figures").iterdir()} == {
        "curves.png",
        "images_1_2.png",
    }


def test_a_program_reads_what_differs_and_how_sure_that_is(tmp_path, train, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(tmp_path / "outputs" / "one", "run_name=one")
    words = ("run_name=two", "optimizer=sgd", "optimizer.lr=1e-6", "trainer.epochs=1")
    train(tmp_path / "outputs" / "two", *words)
    assert main(["compare", "one", "two", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {*report} == {"runs", "differing", "pairs", "configurations", "page", "figures"}
    assert [run["name"] for run in report["runs"]] == ["one", "two"]
    for run in report["runs"]:
        for metric, (low, high) in run["intervals"].items():
            assert low <= run["metrics"][metric] <= high
    assert report["differing"]["optimizer"] == ["adam", "sgd"]
    (pair,) = report["pairs"]
    assert (pair["first"], pair["second"], pair["better"]) == (0, 1, 0)
    assert pair["validation"]["p"] < 0.05
    gain = pair["only_first"] - pair["only_second"]
    assert pair["difference"] == pytest.approx(gain / 50)
    assert pair["interval"][0] <= pair["difference"] <= pair["interval"][1]
    assert (tmp_path / report["page"]).is_file()
    assert all((tmp_path / figure).is_file() for figure in report["figures"])


def test_configurations_with_several_seeds_are_compared_over_the_seeds(
    tmp_path, train, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for rate in (0.1, 0.001):
        for seed in (1, 2):
            words = (f"optimizer.lr={rate}", f"seed={seed}", f"run_name={rate}-{seed}")
            train(tmp_path / "outputs" / f"{rate}-{seed}", *words, "trainer.epochs=1")
    names = [f"{rate}-{seed}" for rate in (0.1, 0.001) for seed in (1, 2)]
    assert main(["compare", *names, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    first, second = report["configurations"]
    for one in (first, second):
        assert one["mean"] == pytest.approx(np.mean([seed["score"] for seed in one["seeds"]]))
        assert 0 <= one["interval"][0] <= one["mean"] <= one["interval"][1] <= 1
        assert {seed["seed"] for seed in one["seeds"]} == {1, 2}
    assert first["mean"] >= second["mean"]
    assert len(report["runs"]) == 2
    seeds = {run["name"].partition("-")[2] for run in report["runs"]}
    assert len(seeds) == 1  # so that they have the same validation images
    assert main(["compare", *names]) == 0
    assert re.search(r"the winner\n", capsys.readouterr().out)
    page = (tmp_path / report["page"]).read_text(encoding="utf-8")
    assert "Comparison of 2 configurations" in page
    assert 'id="ranking"' in page


@pytest.mark.parametrize(
    ("words", "message"),
    [(["one"], "a comparison needs two"), (["one", "tow"], "'tow' is not")],
)
def test_what_cannot_be_compared_is_refused(tmp_path, train, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    train(tmp_path / "outputs" / "one", "run_name=one", "trainer.epochs=1")
    assert main(["compare", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_network_alone_is_no_run_and_refused_with_a_sentence(tmp_path, train):
    run = Runs().find(str(train(tmp_path / "run")))
    lonely = save_network(tmp_path / "network.npz", run.network())
    alone = Runs().find(str(lonely))
    for work in (
        lambda: compare([run, alone]),
        lambda: compare([alone, run]),
        lambda: reproduce(alone, tmp_path / "again", track=False, tolerance=0.1),
        lambda: compare_paired(run, alone),
        lambda: compare_paired(alone, run),
    ):
        with pytest.raises(RunError, match=r"network\.npz is a network without the run"):
            work()
    assert not (tmp_path / "again").exists()
