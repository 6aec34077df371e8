"""Sections about single runs side by side: metrics, configuration, predictions, images."""

import math
from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from digit_exp.analysis.objective import NO_VALUE, Objective
from digit_exp.analysis.predictions import Predictions
from digit_exp.analysis.report.section import Links, Results, Section
from digit_exp.analysis.report.tables import p_text
from digit_exp.analysis.run_comparison import (
    ComparedRun,
    Interval,
    PairedTest,
    accuracy_interval,
    better,
    differing,
    loss_interval,
    paired_tests,
    validation_tests,
)
from digit_exp.analysis.statistics import SIGNIFICANCE
from digit_exp.arrays import Labels
from digit_exp.plots.disagreements import Block, disagreements
from digit_exp.plots.parts.values import text

PICTURES = 3
"""Pairs of runs of which images are drawn."""

ACCURACY, LOSS, CHOSEN = Objective("test_acc"), Objective("test_loss"), Objective("best_val_acc")

METHOD = (
    "Intervals are 95 %. Of an accuracy: Wilson's, for other images of the same kind; it says"
    " nothing about other seeds. Of a loss, and of a difference of accuracies on the same images:"
    " the percentile bootstrap over the images, 2000 resamples.",
    "The test is McNemar's exact one, on the images that only one of the two classifies correctly;"
    " p is corrected for the number of comparisons by Holm's method. It compares two networks,"
    " not the configurations behind them: for that, train several seeds of each in one sweep. The"
    " verdict is that of the validation images. If you keep choosing by the test images, the test"
    " accuracy is no longer an honest estimate.",
)


def metrics(results: Results) -> Iterator[Section]:
    """Yield the runs and their metrics."""
    if results.runs:
        yield Section("runs", "Runs", tables=[runs_table(results.runs)])
        yield Section("metrics", "Metrics", tables=[metrics_table(results.runs)])


def configuration(results: Results) -> Iterator[Section]:
    """Yield the values in which the runs differ."""
    if not results.runs:
        return
    table = config_table(results.runs)
    same = ["The same in every value."] if table.empty else []
    tables = [] if table.empty else [table]
    yield Section("configuration", "Configuration differences", same, tables=tables)


def predictions(results: Results) -> Iterator[Section]:
    """Yield the tests of the first run against each other one, and images that decide them."""
    if not results.runs:
        return
    test, validation = paired_tests(results.runs), validation_tests(results.runs)
    others = len(results.runs) - 1
    lines = [
        "Only 1st, only 2nd: images that one of the two runs alone classifies correctly. Points:"
        " the accuracy of the first less that of the second, in percentage points."
    ]
    if len(validation) < others:
        lines.append(
            "No verdict where two runs do not have predictions for the same validation images:"
            " they differ in seed or split, did not finish, or are of an earlier version."
        )
    if len(test) < others:
        lines.append("Runs without predictions for the test set of the first run are left out.")
    lines += [*explanations(validation, "validation"), *explanations(test, "test")]
    tables = [pairs_table(test, validation)] if test or validation else []
    yield Section("predictions", "Predictions on the same images", lines, tables=tables)
    for pair in test[:PICTURES]:
        yield from _images(results, pair)


def runs_table(runs: Sequence[ComparedRun]) -> pd.DataFrame:
    """Return the runs by number, and how they ended."""
    rows = [
        {
            "#": str(place),
            "run": one.name if one.folder is None else Links([(one.name, one.folder)]),
            "id": one.id if one.page is None else Links([(one.id, one.page)]),
            "status": one.status.lower(),
            "epochs": str(len(one.history)),
            "best epoch": _measured(one, "best_epoch", "g"),
            "seconds": _measured(one, "training_seconds", ".1f"),
        }
        for place, one in enumerate(runs, 1)
    ]
    return pd.DataFrame(rows)


def _measured(one: ComparedRun, metric: str, style: str) -> str:
    return f"{one.metrics[metric]:{style}}" if metric in one.metrics else NO_VALUE


def metrics_table(runs: Sequence[ComparedRun]) -> pd.DataFrame:
    """Return the accuracies and the test loss of each run, with intervals."""
    return pd.DataFrame([{"#": str(n), **_metrics(one)} for n, one in enumerate(runs, 1)])


def _metrics(one: ComparedRun) -> dict[str, str]:
    found = one.test_predictions
    return {
        CHOSEN.label: _number(one, CHOSEN),
        "95 % val": _interval(one.validation, CHOSEN),
        ACCURACY.label: _number(one, ACCURACY),
        "95 % test": _interval(accuracy_interval(found) if found else None, ACCURACY),
        LOSS.label: _number(one, LOSS),
        "95 % loss": _interval(loss_interval(found) if found else None, LOSS),
    }


def _number(one: ComparedRun, objective: Objective) -> str:
    return objective.text(one.metrics.get(objective.metric, math.nan))


def _interval(limits: Interval | None, objective: Objective) -> str:
    if limits is None:
        return NO_VALUE
    return " to ".join(objective.text(limit).removesuffix(" %") for limit in limits)


def config_table(runs: Sequence[ComparedRun]) -> pd.DataFrame:
    """Return the values in which the runs differ, a row for each key, a column for each run."""
    rows = [
        {"key": key}
        | {
            f"#{place}": text(one.config[key]) if key in one.config else NO_VALUE
            for place, one in enumerate(runs, 1)
        }
        for key in differing(runs)
    ]
    return pd.DataFrame(rows)


def pairs_table(test: Sequence[PairedTest], validation: Sequence[PairedTest] = ()) -> pd.DataFrame:
    """Return the tests of the first run against each other one; validation gives the verdict."""
    rows = [{**_test_row(pair, "validation"), "verdict": _verdict(pair)} for pair in validation]
    rows += [{**_test_row(pair, "test"), "verdict": NO_VALUE} for pair in test]
    return pd.DataFrame(rows)


def explanations(tests: Sequence[PairedTest], images: str) -> Iterator[str]:
    """Say why p does not show a difference where the interval excludes 0."""
    for pair in tests:
        if pair.interval[0] <= 0 <= pair.interval[1] or pair.p < SIGNIFICANCE:
            continue
        if pair.uncorrected < SIGNIFICANCE:
            alone = f"{pair.uncorrected:.2g} before"
            reason = f"p is corrected for {len(tests)} comparisons ({alone}), the interval is not"
        else:
            reason = "the exact test is stricter than the bootstrap where few images decide"
        yield (
            f"#{pair.first + 1}, #{pair.second + 1} ({images}): the interval excludes 0, and"
            f" p = {pair.p:.2g} shows no difference: {reason}."
        )


def _test_row(pair: PairedTest, images: str) -> dict[str, str]:
    return {
        "runs": f"#{pair.first + 1}, #{pair.second + 1}",
        "images": images,
        "only 1st": str(len(pair.only_first)),
        "only 2nd": str(len(pair.only_second)),
        "points": f"{100 * pair.difference:+.2f}",
        "95 %": " to ".join(f"{100 * limit:+.2f}" for limit in pair.interval),
        "p": p_text(pair.p),
    }


def _verdict(pair: PairedTest) -> str:
    place = better(pair)
    return "no difference shown" if place is None else f"#{place + 1} is better"


def _images(results: Results, pair: PairedTest) -> Iterator[Section]:
    """Yield images that only one of two runs classifies correctly, if they are available."""
    first, second = (results.runs[place].test_predictions for place in (pair.first, pair.second))
    if first is None or second is None or results.images is None:
        return
    names = f"#{pair.first + 1}", f"#{pair.second + 1}"
    blocks = [
        _block(f"only {name} is correct", which, results, right, wrong)
        for name, which, right, wrong in (
            (names[0], pair.only_first, first, second),
            (names[1], pair.only_second, second, first),
        )
    ]
    key = f"images_{pair.first + 1}_{pair.second + 1}"
    title = f"Images that only one of {names[0]} and {names[1]} classifies correctly"
    yield Section(key, title, [], partial(disagreements, *blocks))


def _block(
    heading: str, which: Labels, results: Results, right: Predictions, wrong: Predictions
) -> Block:
    assert results.images is not None
    true, predicted = (
        [results.class_names[label] for label in labels[which]]
        for labels in (right.labels, wrong.predicted)
    )
    return Block(heading, results.images[which], true, predicted)
