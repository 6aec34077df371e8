import base64
import html
import json
import re
import shutil
import subprocess
import zlib
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from digit_exp.tracking.base import Status
from digit_exp.tracking.mlflow.queries import Trial
from digit_exp.tracking.mlflow.saved_view import (
    SavedView,
    comparison_lines,
    comparison_page,
    plain_link,
    save_view,
    view_state,
)
from digit_exp.tracking.mlflow.sweep_runs import open_sweep
from tracked_runs import epochs, tracked

GRID = ["optimizer.lr", "trainer.batch_size", "model.hidden"]
ASKED = SavedView("grid", GRID, ["test_acc", "training_seconds"], "best_val_acc", ascending=False)
ONLY_TRIALS = "tags.\"digit_exp.sweep\" = 'grid' AND tags.\"digit_exp.kind\" = 'trial'"


def trial(**params):
    named = {name.replace("__", "."): text for name, text in params.items()}
    return Trial("id", "FINISHED", tags={}, params=named, metrics={"best_val_acc": 0.9})


def charts(trials, parameters):
    return view_state(replace(ASKED, parameters=parameters), trials)["compareRunCharts"]


def axes(trials, parameters):
    (parallel,) = [c for c in charts(trials, parameters) if c["type"] == "PARALLEL"]
    return parallel["selectedParams"]


def saved(sweep, key):
    """The view as MLflow's page reads it."""
    tags = sweep.client.get_experiment(sweep.experiment_id).tags
    envelope = json.loads(tags[f"mlflow.sharedViewState.{key}"])
    packed = envelope.pop("state").removeprefix("deflate;")
    return envelope, json.loads(zlib.decompress(base64.b64decode(packed)))


def query(link):
    return {name: text for name, (text,) in parse_qs(link.partition("?")[2]).items()}


@pytest.fixture
def sweep(folder):
    return open_sweep("grid", folder=folder)


def save(sweep, **changes):
    return save_view(sweep.client, sweep.experiment_id, replace(ASKED, sweep=sweep.name, **changes))


def test_a_saved_view_holds_what_was_asked(sweep):
    envelope, state = saved(sweep, save(sweep))
    assert envelope["name"] == "Sweep grid"
    assert isinstance(envelope["createdAt"], int)
    assert state["searchFilter"] == ONLY_TRIALS
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`best_val_acc`", False)
    assert state["runsHiddenMode"] == "SHOW_ALL"
    assert state["isAccordionReordered"] is True
    assert state["selectedColumns"] == [
        "params.`optimizer.lr`",
        "params.`trainer.batch_size`",
        "params.`model.hidden`",
        "metrics.`best_val_acc`",
        "metrics.`test_acc`",
        "metrics.`training_seconds`",
    ]


def test_a_view_is_saved_anew_in_its_place_and_each_sweep_has_its_own(folder, sweep):
    key = save(sweep)
    assert save(sweep, objective="best_val_loss", ascending=True) == key
    assert saved(sweep, key)[1]["orderByAsc"] is True
    assert save(open_sweep("other", folder=folder)) != key


def test_each_chart_is_in_a_section_that_is_there():
    state = view_state(replace(ASKED, parameters=["a"]), [trial(a="1")])
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} <= sections
    numbered = [chart["uuid"] for chart in state["compareRunCharts"]]
    assert len(set(numbered)) == len(numbered)


def test_each_parameter_is_drawn_against_the_objective_and_each_curve_is():
    drawn = charts([trial(a="1", b="[64, 32]"), trial(a="2", b="[64]")], ["a", "b"])
    scatters = [(c["xaxis"], c["yaxis"]) for c in drawn if c["type"] == "SCATTER"]
    objective = {"key": "best_val_acc", "type": "METRIC"}
    assert scatters == [
        ({"key": "a", "type": "PARAM"}, objective),
        ({"key": "b", "type": "PARAM"}, objective),
    ]
    assert [c["metricKey"] for c in drawn if c["type"] == "BAR"] == ["best_val_acc"]
    curves = [(c["metricKey"], c["scaleType"]) for c in drawn if c["type"] == "LINE"]
    assert curves == [("val_acc", "log"), ("val_loss", "log"), ("train_loss", "log")]


def test_many_parameters_get_four_scatters():
    names = [f"p{i}" for i in range(9)]
    drawn = charts([trial(**dict.fromkeys(names, text)) for text in "12"], names)
    assert sum(chart["type"] == "SCATTER" for chart in drawn) == 4


def test_the_curves_come_first_and_a_seed_is_a_group_and_no_axis():
    trials = [trial(lr=lr, seed=seed) for lr in ("0.1", "0.2") for seed in ("1", "2")]
    state = view_state(replace(ASKED, parameters=["lr", "seed"]), trials)
    assert [section["uuid"] for section in state["compareRunSections"]] == [
        "learning",
        "each",
        "rest",
    ]
    assert state["groupBy"]["groupByKeys"] == [{"mode": "param", "groupByData": "lr"}]
    assert "seed" not in str(state["compareRunCharts"])
    assert "params.`seed`" in state["selectedColumns"]


def test_a_word_has_no_mean_over_a_group_and_is_no_axis_of_groups():
    replicated = [
        trial(optimizer=name, lr=lr, seed=seed)
        for name, lr in (("sgd", "0.1"), ("adam", "0.2"))
        for seed in ("1", "2")
    ]
    drawn = charts(replicated, ["optimizer", "lr"])
    assert [c["xaxis"]["key"] for c in drawn if c["type"] == "SCATTER"] == ["lr"]


def test_without_replicates_runs_are_not_grouped():
    trials = [trial(lr="0.1", seed="1"), trial(lr="0.2", seed="1")]
    assert view_state(replace(ASKED, parameters=["lr"]), trials)["groupBy"] is None


def test_one_run_and_one_value_are_no_charts_of_one_point():
    assert {chart["type"] for chart in charts([trial(a="1")], ["a"])} == {"LINE"}
    drawn = charts([trial(a="1", b="2"), trial(a="1", b="3")], ["a", "b"])
    assert [c["xaxis"]["key"] for c in drawn if c["type"] == "SCATTER"] == ["b"]


def test_a_parameter_that_would_hide_trials_is_no_axis_of_all_parameters():
    mixed = [
        trial(lr="0.1", clip="1.0", hidden="[64]", mu="0.9"),
        trial(lr="0.01", clip="null", hidden="[32]"),
    ]
    assert axes(mixed, ["lr", "clip", "hidden", "mu"]) == ["lr", "hidden"]


def test_a_trial_without_a_result_does_not_take_an_axis_away():
    failed = Trial("id", "FAILED", tags={}, params={}, metrics={})
    measured = [trial(lr="0.1", mu="0.9"), trial(lr="0.2", mu="0.8")]
    assert axes([*measured, failed], ["lr", "mu"]) == ["lr", "mu"]


def test_a_view_that_cannot_be_saved_is_a_warning_and_a_plain_link(sweep, monkeypatch, caplog):
    def refuse(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(sweep.client, "set_experiment_tag", refuse)
    link = comparison_page(sweep.client, sweep.experiment_id, ASKED)
    assert "viewStateShareKey" not in link
    assert query(link)["searchFilter"] == ONLY_TRIALS
    assert "could not be saved as a view in MLflow: disk full" in caplog.text


def test_the_link_opens_the_saved_view_and_has_no_search_that_would_undo_it(sweep):
    assert comparison_lines(sweep, ASKED)[0].split(" -m ")[1].startswith("digit_exp ui grid")
    link = comparison_page(sweep.client, sweep.experiment_id, ASKED)
    assert link.startswith(f"/#/experiments/{sweep.experiment_id}/runs?")
    assert query(link) == {
        "workflowType": "machine_learning",
        "viewStateShareKey": save(sweep),
        "compareRunsMode": "CHART",
    }


def test_the_plain_link_searches_and_sorts():
    link = plain_link("7", replace(ASKED, sweep="a & b"))
    assert link.startswith("/#/experiments/7/runs?")
    assert query(link) == {
        "workflowType": "machine_learning",
        "searchFilter": ONLY_TRIALS.replace("grid", "a & b"),
        "orderByKey": "metrics.`best_val_acc`",
        "orderByAsc": "false",
        "compareRunsMode": "CHART",
    }
    assert " " not in link


def log_grid(sweep, server, folder):
    """Twelve trials, more than MLflow shows on its own; the last one failed without a result."""
    for number in range(12):
        lr, batch_size, hidden = 10.0 ** -(number % 3), 32 << number % 2, [64, 32 << number // 6]
        identity = sweep.identity(str(number))
        values = {"optimizer.lr": lr, "trainer.batch_size": batch_size, "model.hidden": hidden}
        losses = [{"train_loss": 0.5 / epoch, "val_loss": 0.6 / epoch} for epoch in (1, 2, 3)]
        accuracy = 0.9 + number / 200
        with tracked(folder, uri=server, name=f"job {number:02d}", tags=identity) as run:
            run.now(params=values, epochs=epochs(*(one | {"val_acc": accuracy} for one in losses)))
            if number == 11:
                run.close(Status.FAILED)
            else:
                run.now(summary={"best_val_acc": accuracy, "test_acc": 0.9})


def drawn_page(address, profile):
    """What a browser makes of a page, as HTML."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium to look at MLflow's page with")
    options = ["--headless=new", "--no-sandbox", "--window-size=1600,3000", "--dump-dom"]
    # charts wait until they are seen: without all the stages of drawing, sometimes for ever
    patience = ["--virtual-time-budget=30000", "--run-all-compositor-stages-before-draw"]
    command = [browser, *options, *patience, f"--user-data-dir={profile}", address]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def cards(page):
    """The charts of the page by their title."""
    parts = page.split('data-testid="experiment-view-compare-runs-card"')[1:]
    return {html.unescape(re.search(r">([^<>]{3,})<", part)[1]): part for part in parts}


@pytest.mark.slow
def test_the_browser_draws_all_trials_best_first_with_the_right_axes(server, tmp_path):
    sweep = open_sweep("grid", uri=server, folder=tmp_path)
    log_grid(sweep, server, tmp_path)
    (link,) = comparison_lines(sweep, ASKED)
    page = drawn_page(link, tmp_path / "profile")

    assert re.search(r">12</strong> matching runs", page)
    rows = re.findall(r">(job \d\d)<", page.partition("compare-runs-chart-area")[0])
    assert rows == [f"job {number:02d}" for number in (*range(10, -1, -1), 11)]
    chart = cards(page)
    assert list(chart) == [
        "Parallel Coordinates",
        "best_val_acc",
        *(f"{name} vs. best_val_acc" for name in GRID),
        "optimizer.lr vs. trainer.batch_size vs. best_val_acc",
        "val_acc",
        "val_loss",
        "train_loss",
    ]
    axis_titles = re.findall(r'class="label"[^>]*>([^<]*)<', chart["Parallel Coordinates"])
    assert axis_titles == [*GRID, "best_val_acc"]
    assert chart["best_val_acc"].count('<g class="point"') == 11
    for name in GRID:
        titles = re.findall(r'class="[xy]title"[^>]*>([^<]*)<', chart[f"{name} vs. best_val_acc"])
        assert titles == [name, "best_val_acc"]
    assert 'class="contour' in chart["optimizer.lr vs. trainer.batch_size vs. best_val_acc"]
    for name in ("val_acc", "val_loss", "train_loss"):
        assert chart[name].count('<path class="point"') == 12 * 3
