"""What a comparison of runs says, section by section, whatever writes it down."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

from digit_exp.analysis.objective import NOTHING, Objective
from digit_exp.analysis.predictions import Predictions
from digit_exp.analysis.report.sections import Section
from digit_exp.analysis.report.tables import Column, Table
from digit_exp.analysis.run_comparison import (
    Contender,
    Duel,
    Interval,
    accuracy_interval,
    differing,
    duels,
    loss_interval,
)
from digit_exp.analysis.statistics import SIGNIFICANCE
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
    " not the configurations behind them: for that, train several seeds of each in one sweep.",
]


def sections(contenders: Sequence[Contender], images: Pixels | None) -> Iterator[Section]:
    """Yield the sections. `images` are those of the test set, `(n, height, width)`, if at hand."""
    yield Section("runs", "Runs", tables=[runs_table(contenders)])
    yield Section("metrics", "What they came to", tables=[metrics_table(contenders)])
    yield _configuration(contenders)
    yield _curves(contenders)
    found = duels(contenders)
    yield _predictions(contenders, found)
    if images is not None:
        yield from _pictures(contenders, found[:PICTURES], images)
    yield Section("method", "How this was computed", METHOD)


def runs_table(contenders: Sequence[Contender]) -> Table:
    """Return the runs by number, and how they ended."""
    columns = [
        Column("#", is_number=True),
        Column("run"),
        Column("id"),
        Column("status"),
        Column("epochs", is_number=True),
        Column("best epoch", is_number=True),
        Column("seconds", is_number=True),
    ]
    rows = [
        [
            str(place),
            one.name,
            one.id,
            one.status.lower(),
            str(len(one.history)),
            f"{one.metrics['best_epoch']:g}" if "best_epoch" in one.metrics else NOTHING,
            f"{one.metrics.get('training_seconds', math.nan):.1f}".replace("nan", NOTHING),
        ]
        for place, one in enumerate(contenders, 1)
    ]
    return Table(columns, rows)


def metrics_table(contenders: Sequence[Contender]) -> Table:
    """Return the accuracies and the test loss of each run, with intervals."""
    columns = [Column("#", is_number=True)]
    for objective in (CHOSEN, ACCURACY, LOSS):
        columns += [Column(objective.label, is_number=True), Column("95 %", is_number=True)]
    return Table(columns, [_row(place, one) for place, one in enumerate(contenders, 1)])


def _row(place: int, one: Contender) -> list[str]:
    readings = one.readings
    return [
        str(place),
        _number(one, CHOSEN),
        NOTHING if one.validation is None else _interval(one.validation, CHOSEN),
        _number(one, ACCURACY),
        NOTHING if readings is None else _interval(accuracy_interval(readings), ACCURACY),
        _number(one, LOSS),
        NOTHING if readings is None else _interval(loss_interval(readings), LOSS),
    ]


def _number(one: Contender, objective: Objective) -> str:
    value = one.metrics.get(objective.metric)
    return NOTHING if value is None else objective.text(value)


def _interval(limits: Interval, objective: Objective) -> str:
    low, high = map(objective.text, limits)
    return f"{low.removesuffix(' %')} to {high.removesuffix(' %')}"


def config_table(contenders: Sequence[Contender]) -> Table:
    """Return the values in which the runs differ, a row for each key, a column for each run."""
    columns = [Column("key"), *(Column(f"#{n}") for n, _ in enumerate(contenders, 1))]
    rows = [
        [key, *(text(one.config[key]) if key in one.config else NOTHING for one in contenders)]
        for key in differing(contenders)
    ]
    return Table(columns, rows)


def _configuration(contenders: Sequence[Contender]) -> Section:
    table = config_table(contenders)
    same = [] if table.rows else ["The same in every value."]
    tables = [table] if table.rows else []
    return Section("configuration", "What differs in the configuration", same, tables=tables)


def _curves(contenders: Sequence[Contender]) -> Section:
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


def duel_table(found: Sequence[Duel]) -> Table:
    """Return the tests of the first run against each other one."""
    columns = [
        Column("runs", is_number=True),
        Column("only 1st right", is_number=True),
        Column("only 2nd right", is_number=True),
        Column("points", is_number=True),
        Column("95 %", is_number=True),
        Column("p", is_number=True),
        Column("verdict"),
    ]
    return Table(columns, [_duel_row(duel) for duel in found])


def _duel_row(duel: Duel) -> list[str]:
    low, high = (f"{100 * limit:+.2f}" for limit in duel.interval)
    better = f"#{(duel.first if duel.difference > 0 else duel.second) + 1} reads better"
    return [
        f"#{duel.first + 1}, #{duel.second + 1}",
        str(len(duel.only_first)),
        str(len(duel.only_second)),
        f"{100 * duel.difference:+.2f}",
        f"{low} to {high}",
        f"{duel.p:.2g}",
        better if duel.p < SIGNIFICANCE else "no difference shown",
    ]


def _predictions(contenders: Sequence[Contender], found: Sequence[Duel]) -> Section:
    words = ["Points: the accuracy of the first less that of the second, in percentage points."]
    if len(found) < len(contenders) - 1:
        words.append(
            "Runs that have not read the test set, or read another one than the first run, are"
            " left out."
        )
    tables = [duel_table(found)] if found else []
    return Section("predictions", "Who reads which digits", words, tables=tables)


def _pictures(
    contenders: Sequence[Contender], found: Sequence[Duel], images: Pixels
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
    labels = right.labels[which]
    return Block(heading, images[which], labels, wrong.read[which])
