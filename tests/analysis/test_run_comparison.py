"""Runs side by side: what differs, who reads which images, and how sure that is."""

import numpy as np
import pytest
from scipy import stats

from digit_exp.analysis.predictions import Predictions
from digit_exp.analysis.report.runs import (
    config_table,
    explanations,
    metrics_table,
    pairs_table,
    runs_table,
)
from digit_exp.analysis.report.section import Results
from digit_exp.analysis.report.sections import sections
from digit_exp.analysis.report.terminal import text_table
from digit_exp.analysis.run_comparison import (
    ComparedRun,
    better,
    differing,
    paired_tests,
    validation_tests,
)
from digit_exp.analysis.statistics import bootstrap, wilson
from digit_exp.plots.disagreements import MOST, Block, disagreements

LABELS = np.arange(60) % 3


def readings(*wrong, labels=LABELS, sure=0.8):
    """Reads all images right but `wrong`, of which it says the next class."""
    read = labels.copy()
    read[list(wrong)] = (read[list(wrong)] + 1) % 3
    probabilities = np.full((len(labels), 3), (1 - sure) / 2, np.float32)
    probabilities[np.arange(len(labels)), read] = sure
    return Predictions(labels, np.log(probabilities))


def compared(name="a", *, test=None, val=None, history=(), metrics=None, **config):
    config = {"seed": 1, "optimizer": "adam", "optimizer.lr": 0.1, **config}
    return ComparedRun(name, "12345678", "FINISHED", config, metrics or {}, history, test, val, 500)


def test_wilsons_interval_is_that_of_its_formula():
    z = stats.norm.ppf(0.975)
    # for p = 1 it is 1 / (1 + z² / n) to 1
    assert wilson(10, 10) == pytest.approx((1 / (1 + z**2 / 10), 1))
    low, high = wilson(0, 10)
    assert (low, high) == pytest.approx((0, 1 - wilson(10, 10)[0]))


def test_the_bootstrap_is_repeatable_and_near_the_normal_interval():
    values = np.random.default_rng(1).exponential(size=2000)
    low, high = bootstrap(values)
    assert (low, high) == bootstrap(values)
    margin = 1.96 * values.std(ddof=1) / len(values) ** 0.5
    assert (low, high) == pytest.approx((values.mean() - margin, values.mean() + margin), rel=0.02)
    assert bootstrap(np.full(5, 0.25)) == (0.25, 0.25)


def test_what_differs_is_told_without_names_and_tracking():
    some = [
        compared(**{"run_name": "x", "tracking.uri": "a", "trainer.epochs": 1}),
        compared(**{"run_name": "y", "tracking.uri": "b", "optimizer.lr": 0.2}),
    ]
    assert differing(some) == ["optimizer.lr", "trainer.epochs"]
    assert config_table(some).to_numpy().tolist() == [
        ["optimizer.lr", "0.1", "0.2"],
        ["trainer.epochs", "1", "–"],
    ]


def test_a_pair_counts_who_alone_is_right_and_tests_it():
    ours, theirs = readings(0, 1), readings(1, *range(10, 20))
    (pair,) = paired_tests([compared(test=ours), compared(test=theirs)])
    assert set(pair.only_first) == set(range(10, 20))
    assert list(pair.only_second) == [0]
    assert pair.difference == pytest.approx(9 / 60)
    assert pair.interval[0] < pair.difference < pair.interval[1]
    assert pair.p == pytest.approx(stats.binomtest(1, 11).pvalue)
    assert better(pair) == 0


def test_the_verdict_is_that_of_the_validation_images_and_never_of_the_test_set():
    good, bad = readings(0), readings(*range(10, 30))
    some = [compared(test=bad, val=good), compared(test=good, val=bad)]
    table = pairs_table(paired_tests(some), validation_tests(some))
    assert table["images"].tolist() == ["validation", "test"]
    assert table["verdict"].tolist() == ["#1 is better", "–"]
    old = [compared(test=bad), compared(test=good)]
    (section,) = (one for one in sections(Results(runs=old)) if one.key == "predictions")
    assert section.tables[0]["verdict"].tolist() == ["–"]
    assert any("No verdict" in line for line in section.text)


def test_several_pairs_are_corrected_and_other_test_sets_are_left_out():
    first, second = readings(0), readings(0, 5, 6, 7, 8, 9, 10)
    alone = paired_tests([compared(test=first), compared(test=second)])[0].p
    other = readings(labels=np.arange(30) % 3)
    found = paired_tests([compared(test=r) for r in (first, second, second, other, None)])
    assert [pair.second for pair in found] == [1, 2]
    assert found[0].p == pytest.approx(2 * alone)
    assert paired_tests([compared(), compared(test=first)]) == []


def test_it_says_why_p_shows_no_difference_where_the_interval_excludes_0():
    first, second = readings(), readings(*range(6))
    others = [compared(test=second)] * 3
    (section,) = (
        one
        for one in sections(Results(runs=[compared(test=first), *others]))
        if one.key == "predictions"
    )
    told = [line for line in section.text if "excludes 0" in line]
    assert len(told) == 3
    assert "corrected for 3 comparisons (0.031 before)" in told[0]
    few = paired_tests([compared(test=first), compared(test=readings(*range(5)))])
    assert few[0].interval[0] > 0
    (line,) = explanations(few, "test")
    assert "stricter" in line


def test_the_clearest_come_first():
    ours, theirs = readings(), readings(3, 4)
    theirs.probabilities[4] = [0.45, 0.4, 0.15]  # almost undecided
    theirs.probabilities[4] = theirs.probabilities[4][[2, 1, 0]]
    (pair,) = paired_tests([compared(test=ours), compared(test=theirs)])
    assert list(pair.only_first) == [3, 4]


def test_the_tables_fit_into_a_terminal_and_say_what_is_missing(terminal):
    terminal(100)
    metrics = {"best_val_acc": 0.9, "test_acc": 0.95, "test_loss": 0.1, "best_epoch": 3.0}
    some = [compared("a" * 200, test=readings(0), metrics=metrics), compared()]
    for table in (runs_table(some), metrics_table(some)):
        assert max(map(len, text_table(table).splitlines())) <= 100
    known, unknown = metrics_table(some).to_numpy().tolist()
    assert known[1:4] == ["90.00 %", "87.06 to 92.33", "95.00 %"]  # Wilson's for 450 of 500
    assert unknown[1:] == ["–"] * 6


def test_the_sections_draw_curves_and_images():
    history = [{"epoch": 1, "val_loss": 0.5, "val_acc": 0.8}]
    images = np.zeros((60, 28, 28), np.uint8)
    some = [compared(test=readings(n), history=history) for n in range(2)]
    found = {
        section.key: section
        for section in sections(Results(runs=some, images=images, class_names=["0", "1", "2"]))
    }
    assert found["curves"].figure is not None
    assert found["images_1_2"].figure is not None
    assert "images_1_2" not in {section.key for section in sections(Results(runs=some))}
    assert found["configuration"].text == ["The same in every value."]


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_picture_of_disagreements_shows_the_first_and_counts_all():
    images = np.zeros((30, 28, 28), np.uint8)
    many = Block("only #1", images, ["4"] * 30, ["9"] * 30)
    drawn = words(disagreements(many, Block("only #2", images[:0], [], [])))
    assert drawn.count("4, not 9") == MOST
    assert "only #1: 30, here the 20 clearest" in drawn
    assert len(drawn) == MOST + 1


def test_without_disagreement_the_picture_says_so():
    none = Block("only", np.zeros((0, 28, 28)), [], [])
    figure = disagreements(none, none)
    assert "There are none: both are correct on the same images." in [
        t.get_text() for t in figure.texts
    ]
