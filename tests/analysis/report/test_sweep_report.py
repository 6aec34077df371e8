"""The report says what was found, in files that stand alone, and how to run the winner again."""

import base64
import json
import math
import re
import shlex
import shutil
import subprocess
from functools import partial
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import LogNorm
from matplotlib.image import imread

from composing import check, configured
from digit_exp.analysis.job_result import JobResult
from digit_exp.analysis.ranking import rank
from digit_exp.analysis.report.findings import conclusion
from digit_exp.analysis.report.rerun import command, preset
from digit_exp.analysis.report.section import Results
from digit_exp.analysis.report.sections import sections
from digit_exp.analysis.report.sweep_report import write_report
from digit_exp.analysis.report.tables import ranking_table
from digit_exp.analysis.report.terminal import text_table
from digit_exp.config.serialize import flatten
from digit_exp.plots.curves import learning_curves
from digit_exp.plots.effects import Effect, main_effects
from digit_exp.plots.pairs import Pair, pair_maps
from digit_exp.plots.parts.scale import Scale
from digit_exp.plots.parts.values import is_logarithmic
from digit_exp.plots.sweeps import best_curves, trade_off

ACCURACY = Scale("validation accuracy", is_share=True)
LOSS = Scale("validation loss", is_share=False)

HEADINGS = [
    "The winner",
    "Ranking",
    "Replicates",
    "Best value so far",
    "Parameter importance",
    "Main effects",
    "Interactions",
    "Parallel coordinates",
    "Learning curves",
    "Validation accuracy against training time",
    "Jobs that did not finish",
    "Method",
]

FIGURES = ["progress", "importance", "effects", "pairs", "parallel", "curves", "time"]


def composed(*overrides, folder=None):
    search = [] if folder is None else [f"hydra.searchpath=['file://{folder}']"]
    return flatten(configured(*overrides, *search))


@pytest.fixture(scope="module")
def config():
    return composed("trainer.epochs=10")


@pytest.fixture(scope="module")
def grid(config):
    """Return the specification's grid on three seeds; one job pruned, diverged, failed each."""
    rng = np.random.default_rng(0)
    jobs = []
    for lr in (0.0001, 0.001, 0.01):
        for size in (32, 64):
            for hidden in ([64, 32], [128, 64], [256, 128]):
                for seed in (1, 2, 3):
                    score = 0.97 - 0.01 * abs(math.log10(lr) + 3) + rng.normal(0, 0.001)
                    own = {
                        "optimizer.lr": lr,
                        "trainer.batch_size": size,
                        "model.hidden": hidden,
                        "seed": seed,
                    }
                    metrics = {
                        "best_val_acc": score,
                        "test_acc": score - 0.001,
                        "training_seconds": float(hidden[0] / size + seed),
                    }
                    history = [
                        {"epoch": e, "val_acc": score - 0.1 / e, "val_loss": 1 / e} for e in (1, 2)
                    ]
                    jobs.append(
                        JobResult(
                            len(jobs),
                            None,
                            "FINISHED",
                            config | own,
                            metrics,
                            partial(list, history),
                        )
                    )
    jobs[0] = JobResult(0, None, "PRUNED", jobs[0].config, {"best_val_acc": 0.9}, reason="slow <b>")
    jobs[-1] = JobResult(53, None, "DIVERGED", jobs[-1].config, {}, reason="the loss | is nan")
    jobs[-4] = JobResult(50, None, "FAILED", jobs[-4].config, {}, reason="disk\nfull")
    return jobs


@pytest.fixture(scope="module")
def written(grid, tmp_path_factory, drawing):
    folder = tmp_path_factory.mktemp("sweep") / "my grid"
    with drawing():
        return folder, write_report(rank(grid), folder, name="lr × <size>")


class Page(HTMLParser):
    """Headings, tables and images of a page; fails where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.rows, self.images, self.addresses = [], [], [], [], []
        self.charts = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in ("img", "link"):
            self.images.append(attributes)
        assert tag != "script" or "src" not in attributes
        if "data-chart" in attributes:
            self.charts.append(json.loads(attributes["data-chart"]))
        if "href" in attributes:
            self.addresses.append(attributes["href"])
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("img", "meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def page(written):
    return Page((written[0] / "report.html").read_text(encoding="utf-8"))


# The files


def test_the_report_is_a_page_a_text_its_figures_and_a_preset(written):
    folder, files = written
    names = [file.relative_to(folder).as_posix() for file in files]
    figures = [f"figures/{name}.png" for name in FIGURES]
    assert names == ["report.html", "report.md", *figures, "experiment/best.yaml"]
    assert all(file.stat().st_size for file in files)


def test_a_figure_that_cannot_be_drawn_is_told_and_left_out(
    grid, tmp_path, drawing, monkeypatch, caplog
):
    monkeypatch.setattr("digit_exp.plots.sweeps.trade_off", lambda *_: 1 / 0)
    with drawing():
        files = {file.name for file in write_report(rank(grid), tmp_path, name="grid")}
    assert {"report.html", "report.md", "curves.png"} <= files
    assert "time.png" not in files
    assert (
        "'Validation accuracy against training time' cannot be drawn: division by zero"
        in caplog.text
    )
    assert Page((tmp_path / "report.html").read_text(encoding="utf-8")).headings == HEADINGS


def test_the_page_has_every_section(page):
    assert page.headings == HEADINGS


def test_the_page_stands_alone(page):
    assert len(page.images) == len(FIGURES)
    for image in page.images:
        kind, data = image["src"].split(",")
        assert kind == "data:image/png;base64"
        assert imread(BytesIO(base64.b64decode(data))).shape[1] == 1080
    assert all(address.startswith("#") for address in page.addresses)
    namespace = "http://www.w3.org/2000/svg"  # a name, which nothing is loaded from
    assert set(re.findall(r"https?://[^\s\"']+", page.text)) == {namespace}


def test_charts_of_the_page_hold_what_is_drawn(page, grid):
    progress, parallel = page.charts
    scored = [job for job in grid if job.metrics]
    assert progress["jobs"] == [job.number + 1 for job in scored]
    best = np.maximum.accumulate([job.metrics["best_val_acc"] for job in scored])
    assert np.argmax(progress["best"]) == np.argmax(best)
    axes = {axis["name"]: axis for axis in parallel["axes"]}
    assert set(axes) == {"hidden", "batch_size", "lr"}
    ranking = rank(grid)
    assert len(parallel["lines"]) == len(ranking.with_numbers)
    lr = axes["lr"]
    assert lr["ticks"] == [[0, "0.0001"], [0.5, "0.001"], [1, "0.01"]]
    tick = dict(map(reversed, lr["ticks"]))
    values = [str(place.group.parameters["optimizer.lr"]) for place in ranking.with_numbers]
    assert lr["positions"] == [tick[value] for value in values]


def test_rows_lead_to_the_folder_and_the_page_of_each_run(config, tmp_path):
    jobs = [
        JobResult(
            seed,
            None,
            "FINISHED",
            config | {"seed": seed},
            {"best_val_acc": 0.9},
            folder=tmp_path / "sweep" / f"job {seed}",
            page=f"http://127.0.0.1:5000/#/runs/{seed}?a=1&b=2",
        )
        for seed in (1, 2)
    ]
    write_report(rank(jobs), tmp_path / "sweep", name="linked")
    html = Page((tmp_path / "sweep" / "report.html").read_text(encoding="utf-8"))
    addresses = [to for to in html.addresses if not to.startswith("#")]
    assert addresses == ["job%201/", jobs[0].page, "job%202/", jobs[1].page]
    text = (tmp_path / "sweep" / "report.md").read_text(encoding="utf-8")
    assert f"[1](job%201/) [↗]({jobs[0].page})" in text


def test_every_link_of_the_page_leads_to_a_section(page, written):
    text = (written[0] / "report.html").read_text(encoding="utf-8")
    assert page.addresses
    assert all(f'id="{address[1:]}"' in text for address in page.addresses)


def test_what_people_and_errors_wrote_is_text_on_the_page(page):
    assert "lr × <size>" in page.text
    assert "slow <b>" in page.text


def test_the_text_has_every_section_and_shows_the_figures(written):
    folder, _ = written
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == HEADINGS
    shown = re.findall(r"!\[.*\]\((.*)\)", text)
    assert len(shown) == len(FIGURES)
    assert all((folder / file).is_file() for file in shown)


def test_rows_of_the_text_have_as_many_cells_as_their_heads(written):
    text = (written[0] / "report.md").read_text(encoding="utf-8")
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 6
    for table in tables:
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(cells) == 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_in_a_browser_columns_sort_and_charts_select(written, grid, tmp_path):
    act = """<script>
    const cells = (n) => [...document.querySelectorAll("#ranking tbody tr")].map(
      (row) => row.cells[n].textContent).join();
    const head = [...document.querySelectorAll("#ranking th")];
    const lr = head.findIndex((cell) => cell.textContent === "lr");
    head[lr].click(); const up = cells(lr); head[lr].click(); const down = cells(lr);
    const last = head.length - 1, ends = [];
    document.querySelector("#ranking tbody tr").cells[last].textContent = "–"; // not known
    for (let n = 0; n < 2; n++) { head[last].click(); ends.push(cells(last).split(",").at(-1)); }
    document.querySelector("#effects th:nth-child(3)").click();
    const names = [...document.querySelectorAll("#effects tbody tr")].map(
      (row) => row.cells[0].textContent);
    const svg = document.querySelector("#parallel svg"), lines = svg.querySelectorAll("polyline");
    const area = svg.querySelectorAll("rect.area")[lr - 1], box = area.getBoundingClientRect();
    area.setPointerCapture = () => {};
    for (const [kind, at] of [["down", 0.4], ["move", 0.5], ["up", 0.6]])
      area.dispatchEvent(
        new PointerEvent(`pointer${kind}`, { clientY: box.top + at * box.height }));
    const kept = svg.querySelectorAll("polyline:not(.out)").length;
    document.body.innerHTML = `<pre>${[up, down, lines.length, kept, ends, names].join("|")}</pre>`;
    </script>"""
    page = (written[0] / "report.html").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(page.replace("</body>", f"{act}</body>"), encoding="utf-8")
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    words += ["--disable-quic", "--disable-background-networking", "--disable-component-update"]
    words += ["--disable-sync", f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom"]
    done = subprocess.run(
        [*words, (tmp_path / "page.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = re.search("<pre>(.*)</pre>", done.stdout)[1].split("|")
    places = [place.group.parameters["optimizer.lr"] for place in rank(grid).places]
    up, down = ([float(rate) for rate in some.split(",")] for some in found[:2])
    assert up == sorted(places)
    assert down == sorted(places, reverse=True)
    drawn = [place.group.parameters["optimizer.lr"] for place in rank(grid).with_numbers]
    assert [int(number) for number in found[2:4]] == [len(drawn), drawn.count(0.001)]
    assert found[4] == "–,–"
    names = ["model.hidden", "optimizer.lr", "trainer.batch_size"]
    assert sorted(found[5].split(",")) == sorted(names[:2] * 3 + names[2:] * 2)


# What it says


def row_of(page, *start):
    return next(row for row in page.rows if row[: len(start)] == list(start))


def test_the_ranking_shows_mean_deviation_and_number_of_the_replicates(page, grid):
    winner = rank(grid).winner
    scores = [job.metrics["best_val_acc"] for job in winner.group.results]
    row = row_of(page, "1")
    assert f"{100 * np.mean(scores):.2f} %" in row
    assert f"{100 * np.std(scores, ddof=1):.2f}" in row
    assert (row[-5], row[-1]) == ("3", "the winner")


def test_the_table_of_effects_is_a_plain_recomputation(page, grid):
    for size in (32, 64):
        scores = [
            job.metrics["best_val_acc"]
            for job in grid
            if job.config["trainer.batch_size"] == size and job.metrics
        ]
        row = next(row for row in page.rows if row[1:2] == [str(size)])
        assert row[2] == f"{100 * np.mean(scores):.2f} %"
        assert row[-1] == str(len(scores))


def test_the_test_accuracy_stands_beside_the_winner_and_every_rank(page, grid):
    places = rank(grid).places
    seen = [
        f"{100 * np.mean(scores):.2f} %"
        if (scores := finished_accuracies(place.group.results))
        else "–"
        for place in places
    ]
    assert f"test accuracy {seen[0]}" in " ".join(page.text.split())
    head = next(row for row in page.rows if "behind #1" in row)
    ranked = page.rows[page.rows.index(head) + 1 :][: len(places)]
    assert [row[head.index("test accuracy")] for row in ranked] == seen


def finished_accuracies(jobs):
    return [job.metrics["test_acc"] for job in jobs if job.status == "FINISHED"]


def test_jobs_that_did_not_finish_are_listed_with_their_reason(page):
    listed = [
        row for row in page.rows if row[-2:-1] and row[-2] in ("PRUNED", "DIVERGED", "FAILED")
    ]
    assert [(row[0], row[-2], row[-1]) for row in listed] == [
        ("0", "PRUNED", "slow <b>"),
        ("50", "FAILED", "disk\nfull"),
        ("53", "DIVERGED", "the loss | is nan"),
    ]


def test_the_tests_and_their_correction_are_named(page):
    assert "paired t-test" in page.text
    assert "Holm" in page.text


def test_it_says_so_when_no_difference_is_shown():
    jobs = [
        JobResult(n, None, "FINISHED", {"optimizer.lr": lr, "seed": seed}, {"best_val_acc": score})
        for n, (lr, seed, score) in enumerate(
            [(0.1, 1, 0.90), (0.1, 2, 0.93), (0.01, 1, 0.91), (0.01, 2, 0.91)]
        )
    ]
    assert conclusion(rank(jobs)).startswith("No difference shown from any other configuration")


def test_a_search_beside_a_grid_and_a_loss_can_be_reported(config, tmp_path):
    rng = np.random.default_rng(1)
    jobs = [
        JobResult(
            n,
            None,
            "FINISHED",
            config
            | {
                "optimizer.lr": float(10 ** rng.uniform(-4, -1)),
                "optimizer.clip_norm": None if n % 2 else 1.0,
                "model.activation": ["relu", "tanh"][n % 2],
                "trainer.batch_size": int(rng.integers(16, 256)),
            },
            {"best_val_loss": float(rng.uniform(0.1, 2.3))},
        )
        for n in range(12)
    ]
    write_report(rank(jobs, "best_val_loss"), tmp_path, name="search")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    best = min(job.metrics["best_val_loss"] for job in jobs)
    assert row_of(page, "1")[-8] == f"{best:.4g}"


@pytest.mark.parametrize("status", ["FINISHED", "FAILED"])
def test_a_sweep_of_one_job_is_reported(config, tmp_path, status):
    metrics = {"best_val_acc": 0.9} if status == "FINISHED" else {}
    job = JobResult(0, None, status, config, metrics)
    files = write_report(rank([job]), tmp_path, name="one")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    has_winner = status == "FINISHED"
    assert ("there is no winner" in page.text) != has_winner
    assert (tmp_path / "experiment" / "best.yaml" in files) == has_winner


def test_sections_that_need_parameters_are_left_out_without():
    assert [section.key for section in sections(Results(rank([])))] == [
        "ranking",
        "replicates",
        "curves",
        "time",
        "unfinished",
        "method",
    ]


# Running the winner again


def test_the_command_of_the_page_is_a_right_command_line(page, grid):
    text = next(line for line in page.text.splitlines() if line.startswith("python -m digit_exp "))
    *program, first = shlex.split(text)[:4]
    assert program == ["python", "-m", "digit_exp"]
    overrides = [first, *shlex.split(text)[4:]]
    assert check(overrides) == []
    winner = rank(grid).winner.group
    again = composed(*overrides)
    assert {key: again[key] for key in winner.parameters} == winner.parameters


def test_the_command_gives_the_configuration_of_the_best_replicate(grid):
    job = rank(grid).winner.group.results[0]
    assert composed(*shlex.split(command(job.config))[3:]) == job.config


def test_only_what_is_not_default_is_in_the_command_if_that_is_known(grid, tmp_path):
    def shorten(config):
        return {key: config[key] for key in ("seed", "model.hidden", "optimizer")}

    write_report(rank(grid[:2]), tmp_path, name="short", shorten=shorten)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert re.search(
        r"^python -m digit_exp optimizer=adam seed=\d 'model.hidden=\[.*\]'$", text, re.M
    )


@pytest.mark.parametrize(
    "overrides",
    [
        ["optimizer=lion", "schedule=warmup_cosine", "regularization=dropout", "model=linear"],
        [
            "model.hidden=[]",
            "optimizer.clip_norm=1.0",
            "optimizer.eps=1e-12",
            "data.stratified=true",
            'trainer.checkpoint.filename="{epoch:02d}-{val_acc:.4f}.npz"',
        ],
        ["data=idx", 'data.dir="/some folder/it\'s #1, (a)"', "trainer.threads=2"],
    ],
    ids=str,
)
def test_command_and_preset_give_the_same_configuration_again(overrides, tmp_path):
    config = composed(*overrides, "seed=7")
    words = shlex.split(command(config))[3:]
    assert check(words) == []
    assert composed(*words) == config
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "best.yaml").write_text(
        preset(config, "of a\nsweep"), encoding="utf-8"
    )
    assert check(["experiment=best"], config_dir=str(tmp_path)) == []
    assert composed("experiment=best", folder=tmp_path) == config


def test_the_preset_of_the_report_is_the_winner(written, grid):
    folder, _ = written
    best = max(rank(grid).winner.group.results, key=lambda job: job.metrics["best_val_acc"])
    assert composed("experiment=best", folder=folder) == best.config
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert f"python -m digit_exp --config-dir {shlex.quote(str(folder))} experiment=best" in text


def test_the_name_and_the_tracking_of_the_winner_stay_behind(config):
    named = config | {"run_name": "mine", "tracking.uri": "sqlite:///elsewhere.db"}
    assert "mine" not in command(named) + preset(named, "")
    assert "tracking" not in command(named) + preset(named, "")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20))
def test_any_text_comes_through_the_shell_and_hydras_grammar(value):
    (word,) = shlex.split(command({"data.dir": value}))[3:]
    (override,) = OverridesParser.create().parse_overrides([word])
    assert override.value() == value or "${" in value


# Figures


def lines_of(axes):
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]


def test_effects_are_drawn_at_their_values_with_their_intervals():
    effect = Effect("optimizer.lr", [0.001, 0.01], [0.9, 0.8], [0.85, math.nan], [0.95, math.nan])
    (axes,) = main_effects([effect], ACCURACY).axes
    assert axes.get_xscale() == "log"
    assert ([0.001, 0.01], [0.9, 0.8]) in lines_of(axes)
    assert ([0.001, 0.001], [pytest.approx(0.85), pytest.approx(0.95)]) in lines_of(axes)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([16, 32, 64, 128], "log"),
        ([0.0001, 0.001, 0.01], "log"),
        ([0.1, 0.3, 0.5, 0.7], "linear"),
        ([32, 64], "linear"),
        ([0, 0.0001, 0.001], "linear"),
        ([[64], [128, 64]], "linear"),
        ([None, 1.0, 10.0, 100.0], "linear"),
        (["adam", "sgd"], "linear"),
    ],
    ids=str,
)
def test_an_axis_is_logarithmic_where_the_parameter_is(values, scale):
    numbers = [0.5] * len(values)
    (axes,) = main_effects([Effect("x", values, numbers, numbers, numbers)], ACCURACY).axes
    assert axes.get_xscale() == scale


def test_values_drawn_by_their_logarithm_make_a_logarithmic_axis():
    rng = np.random.default_rng(0)
    assert is_logarithmic(10 ** rng.uniform(-4, -1, 40))
    assert not is_logarithmic(rng.uniform(0.01, 1, 40))


@pytest.mark.parametrize(("mean", "mark"), [(math.nan, "×"), (0.1, "10.00 ↓")])
def test_a_value_without_a_number_or_far_below_is_marked(mean, mark):
    none = [math.nan] * 4
    effect = Effect("optimizer.lr", [0.1, 1.0, 10.0, 100.0], [0.9, 0.91, 0.92, mean], none, none)
    (axes,) = main_effects([effect], ACCURACY).axes
    assert [(text.get_position()[0], text.get_text()) for text in axes.texts] == [(100.0, mark)]
    assert axes.get_ylim()[0] > 0.8


def test_wide_intervals_of_few_jobs_leave_the_means_apart():
    effect = Effect("x", ["a", "b"], [0.97, 0.98], [0.1, 0.2], [1.8, 1.7])
    (axes,) = main_effects([effect], ACCURACY).axes
    low, high = axes.get_ylim()
    assert 0.9 < low < 0.97
    assert 0.98 < high <= 1.005


def test_an_interval_that_is_cut_off_ends_in_an_arrow_within_the_frame():
    effect = Effect("x", ["a", "b"], [0.97, 0.98], [0.1, 0.975], [0.99, 0.985])
    (axes,) = main_effects([effect], ACCURACY).axes
    bottom, top = axes.get_ylim()
    bars = [y for x, y in lines_of(axes) if x[0] == x[-1] and len(x) == 2]
    assert all(bottom <= low <= high <= top for low, high in bars)
    arrows = [(line.get_xdata()[0], line.get_marker()) for line in axes.lines]
    assert [arrow for arrow in arrows if arrow[1] in "v^"] == [(0, "v")]


@pytest.mark.parametrize("is_log", [True, False])
def test_few_jobs_of_a_searched_rate_are_numbers_on_the_scale_of_the_search(is_log):
    rates = [0.00123, 0.00211, 0.0147]
    numbers = [0.5] * len(rates)
    (axes,) = main_effects([Effect("x", rates, numbers, numbers, numbers, is_log)], ACCURACY).axes
    assert axes.get_xscale() == ("log" if is_log else "linear")
    assert not {label.get_text() for label in axes.get_xticklabels()} & {"0.00123", "0.00211"}
    assert axes.lines[0].get_linestyle() == "None"


def test_the_loss_has_the_same_scale_in_all_figures():
    history = [{"epoch": e, "val_loss": 1 / e, "train_loss": 0.9 / e} for e in (1, 2, 3)]
    effect = Effect("x", [1, 2], [0.1, 0.3], [0.05, 0.2], [0.2, 0.4])
    drawn = [
        learning_curves(history, None).axes[0].get_yscale(),
        best_curves({"a": [history]}).axes[0].get_yscale(),
        main_effects([effect], LOSS).axes[0].get_yscale(),
        trade_off([1, 2], [0.1, 0.3], [1, 2], [0], LOSS).axes[0].get_yscale(),
    ]
    assert drawn == ["log"] * 4
    pair = Pair("x", "y", [1, 2], ["a", "b"], np.array([[0.1, 0.2], [0.3, 0.4]]))
    assert isinstance(pair_maps([pair], LOSS).axes[0].collections[0].norm, LogNorm)


def test_all_panels_of_effects_have_one_scale():
    effects = [Effect(n, [1, 2], [0.1 * i, 0.9], [0, 0.8], [0.2, 1]) for i, n in enumerate("ab")]
    first, second = main_effects(effects, ACCURACY).axes
    assert first.get_ylim() == second.get_ylim()


def test_a_grid_is_drawn_as_cells_with_their_means():
    means = np.array([[0.9, 0.95], [0.8, np.nan]])
    axes = pair_maps([Pair("x", "y", [1, 2], ["a", "b"], means)], ACCURACY).axes[0]
    drawn = np.ma.filled(axes.collections[0].get_array(), np.nan)
    assert np.array_equal(drawn, means, equal_nan=True)
    assert [text.get_text() for text in axes.texts] == ["90.00", "95.00", "80.00", "–"]


def test_a_search_is_drawn_as_points():
    means = np.where(np.eye(5, dtype=bool), 0.5, np.nan)
    pair = Pair("lr", "size", [1e-4, 1e-3, 1e-2, 1e-1, 1], [1, 2, 3, 4, 5], means)
    axes = pair_maps([pair], LOSS).axes[0]
    points = axes.collections[0].get_offsets()
    assert np.asarray(points).tolist() == [[10.0**k, k + 5] for k in range(-4, 1)]
    assert axes.get_xscale() == "log"


def test_one_configuration_that_does_not_train_does_not_take_all_colours():
    values = np.array([0.1, 0.96, 0.97, 0.98, 0.975])
    low, high = ACCURACY.limits(values)
    assert (low, high) == (pytest.approx(0.98 - 4 * (0.98 - 0.97)), 0.98)
    assert ACCURACY.limits(np.array([0.5]))[0] < 0.5


def test_curves_are_the_replicates_and_their_mean_over_common_epochs():
    histories = [
        [{"epoch": 1, "val_acc": 0.8}, {"epoch": 2, "val_acc": 0.9}],
        [{"epoch": 1, "val_acc": 0.6}],
    ]
    _, accuracy = best_curves({"a": histories}).axes
    assert lines_of(accuracy) == [([1], [pytest.approx(0.7)]), ([1, 2], [0.8, 0.9])]
    corners = accuracy.collections[0].get_paths()[0].vertices
    assert {tuple(corner) for corner in corners} == {(1, 0.6), (1, 0.8)}


def test_the_pareto_front_is_drawn_through_its_points():
    (axes,) = trade_off([3, 1, 2], [0.9, 0.8, 0.7], [1, 2, 5], [1, 0], ACCURACY).axes
    assert lines_of(axes) == [([1, 3], [0.8, 0.9])]
    assert [text.get_text() for text in axes.texts] == ["1", "2", "5"]


@pytest.mark.parametrize(
    "figure",
    [
        main_effects([], ACCURACY),
        pair_maps([], LOSS),
        best_curves({}),
        trade_off([], [], [], [], LOSS),
    ],
)
def test_a_figure_says_why_there_is_nothing_to_draw(figure):
    assert any("nothing to draw" in text.get_text() for text in figure.texts)


def test_parameters_keep_their_own_columns_whatever_they_are_called(config):
    jobs = [
        JobResult(n, None, "FINISHED", config | {"augmentation.std": std, "model.n": n}, {})
        for n, std in enumerate((0.1, 0.2))
    ]
    table = ranking_table(rank(jobs))
    assert table["augmentation.std"].tolist() == ["0.1", "0.2"]
    assert table["model.n"].tolist() == ["0", "1"]
    assert table["n"].tolist() == ["0", "0"]


def test_numbers_stand_on_the_right_of_their_columns_and_words_on_the_left():
    lines = text_table(pd.DataFrame({"x": ["1", "10"], "word": ["a", "long"]})).splitlines()
    assert lines[0] == " x  word"
    assert lines[2:] == [" 1  a", "10  long"]


def test_titles_that_begin_alike_keep_their_own_columns(terminal):
    terminal(100)
    names = [f"{'parameter' * 4}.{name}" for name in ("first", "second", "third")]
    table = pd.DataFrame([{"#": "1", **dict.fromkeys(names, "7"), "last": "x"}])
    lines = text_table(table).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].endswith("last")


def test_rows_that_differ_look_different_however_narrow_the_terminal(terminal):
    terminal(80)
    start = "a value that is long enough to be cut "
    table = pd.DataFrame({f"x{n}": [f"{start}{i}" for i in range(3)] for n in range(4)})
    assert len({*text_table(table).splitlines()[2:5]}) == 3
    terminal(180)
    wide = pd.DataFrame({name: [name * 50] for name in "xyz"})
    assert "z" * 50 in text_table(wide)
    terminal(80)
    assert max(map(len, text_table(wide).splitlines())) <= 80
    terminal(None)
    assert "z" * 50 in text_table(wide)


def test_a_ranking_in_a_narrow_terminal_keeps_its_parameters(terminal):
    terminal(32)
    row = {
        "#": "1",
        "hidden": "[256,128]",
        "n": "3",
        "± 95 %": "1.00",
        "test": "95.00 %",
        "last": "x",
    }
    lines = text_table(pd.DataFrame([row, row | {"hidden": "[128,64,32]"}])).splitlines()
    assert "hidden" in lines[0]
    assert "test" not in lines[0]


def test_a_table_without_a_column_to_leave_out_is_printed_in_a_narrow_terminal(terminal):
    terminal(20)
    assert "value" in text_table(pd.DataFrame({"parameter": ["n" * 30], "value": ["1"]}))
