"""What a comparison of runs says, section by section, whatever writes it down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from digit_exp.analysis.objective import NO_VALUE, Objective
from digit_exp.analysis.predictions import Predictions
from digit_exp.analysis.report.sections import Section
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
from digit_exp.arrays import Labels, Pixels
from digit_exp.plots import sweeps
from digit_exp.plots.disagreements import Block, disagreements
from digit_exp.plots.values import text

PICTURES = 3
"""Duels of which the images are drawn."""

ACCURACY, LOSS, CHOSEN = Objective("test_acc"), Objective("test_loss"), Objective("best_val_acc")

METHOD = [
    "Intervals are 95 %. Of an accuracy: Wilson's, for other images of the same kind; it says"
    " nothing about other seeds. Of a loss, and of a difference of accuracies on the same images:"
    " the percentile bootstrap over the images, 2000 resamples.",
    "The test is McNemar's exact one, on the images that only one of the two reads right; p is"
    " corrected for the number of comparisons by Holm's method. It compares these two networks,"
    " not the configurations behind them: for that, train several seeds of each in one sweep. The"
    " verdict is that of the validation images. If you keep choosing by the test images, the test"
    " accuracy is no longer an honest estimate.",
]


def sections(contenders: Sequence[ComparedRun], images: Pixels | None) -> Iterator[Section]:
    """Yield the sections. `images` are those of the test set, `(n, height, width)`, if at hand."""
    yield Section("runs", "Runs", tables=[runs_table(contenders)])
    yield Section("metrics", "What they came to", tables=[metrics_table(contenders)])
    yield _configuration(contenders)
    yield _curves(contenders)
    found = paired_tests(contenders)
    yield _predictions(contenders, found)
    if images is not None:
        yield from _pictures(contenders, found[:PICTURES], images)
    yield Section("method", "How this was computed", METHOD)


def runs_table(contenders: Sequence[ComparedRun]) -> pd.DataFrame:
    """Return the runs by number, and how they ended."""
    rows = [
        {
            "#": str(place),
            "run": one.name,
            "id": one.id,
            "status": one.status.lower(),
            "epochs": str(len(one.history)),
            "best epoch": _measured(one, "best_epoch", "g"),
            "seconds": _measured(one, "training_seconds", ".1f"),
        }
        for place, one in enumerate(contenders, 1)
    ]
    return pd.DataFrame(rows)


def _measured(one: ComparedRun, metric: str, style: str) -> str:
    return f"{one.metrics[metric]:{style}}" if metric in one.metrics else NO_VALUE


def metrics_table(contenders: Sequence[ComparedRun]) -> pd.DataFrame:
    """Return the accuracies and the test loss of each run, with intervals."""
    return pd.DataFrame([{"#": str(n), **_metrics(one)} for n, one in enumerate(contenders, 1)])


def _metrics(one: ComparedRun) -> dict[str, str]:
    found = one.readings
    return {
        CHOSEN.label: _number(one, CHOSEN),
        "95 % val": _interval(one.validation, CHOSEN),
        ACCURACY.label: _number(one, ACCURACY),
        "95 % test": _interval(accuracy_interval(found) if found else None, ACCURACY),
        LOSS.label: _number(one, LOSS),
        "95 % loss": _interval(loss_interval(found) if found else None, LOSS),
    }


def _number(one: ComparedRun, objective: Objective) -> str:
    value = one.metrics.get(objective.metric)
    return NO_VALUE if value is None else objective.text(value)


def _interval(limits: Interval | None, objective: Objective) -> str:
    if limits is None:
        return NO_VALUE
    return " to ".join(objective.text(limit).removesuffix(" %") for limit in limits)


def config_table(contenders: Sequence[ComparedRun]) -> pd.DataFrame:
    """Return the values in which the runs differ, a row for each key, a column for each run."""
    rows = [
        {"key": key}
        | {
            f"#{place}": text(one.config[key]) if key in one.config else NO_VALUE
            for place, one in enumerate(contenders, 1)
        }
        for key in differing(contenders)
    ]
    return pd.DataFrame(rows)


def _configuration(contenders: Sequence[ComparedRun]) -> Section:
    table = config_table(contenders)
    same = ["The same in every value."] if table.empty else []
    tables = [] if table.empty else [table]
    return Section("configuration", "What differs in the configuration", same, tables=tables)


def _curves(contenders: Sequence[ComparedRun]) -> Section:
    shown = [
        (f"#{place}  {one.name}", [one.history])
        for place, one in enumerate(contenders, 1)
        if one.history
    ]
    some = dict(shown[: len(sweeps.CURVES)])
    words = [f"The first {len(some)} of {len(shown)}."] if len(some) < len(shown) else []
    return Section(
        "curves", "How they learn", words, partial(sweeps.best_curves, some, "Learning curves")
    )


def duel_table(test: Sequence[PairedTest], validation: Sequence[PairedTest] = ()) -> pd.DataFrame:
    """Return the tests of the first run against each other one; validation gives the verdict."""
    rows = [{**_duel_row(duel, "validation"), "verdict": _verdict(duel)} for duel in validation]
    rows += [{**_duel_row(duel, "test"), "verdict": NO_VALUE} for duel in test]
    return pd.DataFrame(rows)


def _duel_row(duel: PairedTest, images: str) -> dict[str, str]:
    return {
        "runs": f"#{duel.first + 1}, #{duel.second + 1}",
        "images": images,
        "only 1st": str(len(duel.only_first)),
        "only 2nd": str(len(duel.only_second)),
        "points": f"{100 * duel.difference:+.2f}",
        "95 %": " to ".join(f"{100 * limit:+.2f}" for limit in duel.interval),
        "p": f"{duel.p:.2g}",
    }


def _verdict(duel: PairedTest) -> str:
    place = better(duel)
    return "no difference shown" if place is None else f"#{place + 1} reads better"


def _predictions(contenders: Sequence[ComparedRun], found: Sequence[PairedTest]) -> Section:
    validation = validation_tests(contenders)
    words = [
        "Only 1st, only 2nd: images that one run alone reads right. Points: the accuracy of the"
        " first less that of the second, in percentage points."
    ]
    if len(validation) < len(contenders) - 1:
        words.append(
            "No verdict where two runs do not have predictions for the same validation images:"
            " they differ in seed or split, did not finish, or are of an earlier version."
        )
    if len(found) < len(contenders) - 1:
        words.append("Runs without predictions for the test set of the first run are left out.")
    tables = [duel_table(found, validation)] if found or validation else []
    return Section("predictions", "Who reads which digits", words, tables=tables)


def _pictures(
    contenders: Sequence[ComparedRun], found: Sequence[PairedTest], images: Pixels
) -> Iterator[Section]:
    for duel in found:
        first, second = contenders[duel.first].readings, contenders[duel.second].readings
        if first is None or second is None:
            continue
        names = f"#{duel.first + 1}", f"#{duel.second + 1}"
        figure = partial(
            disagreements,
            _block(f"only {names[0]} reads right", duel.only_first, images, first, second),
            _block(f"only {names[1]} reads right", duel.only_second, images, second, first),
        )
        key = f"digits_{duel.first + 1}_{duel.second + 1}"
        yield Section(key, f"Digits that only one of {names[0]} and {names[1]} reads", [], figure)


def _block(
    heading: str, which: Labels, images: Pixels, right: Predictions, wrong: Predictions
) -> Block:
    true, predicted = right.labels[which].tolist(), wrong.predicted[which].tolist()
    return Block(heading, images[which], list(map(str, true)), list(map(str, predicted)))
