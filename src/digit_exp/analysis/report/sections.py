"""The sections of a report, of a sweep or of single runs, in the order in which they are read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from digit_exp.analysis.ranking import Ranking
from digit_exp.analysis.report import parameters, ranked, runs, search
from digit_exp.analysis.report.findings import method
from digit_exp.analysis.report.section import Results, Section
from digit_exp.analysis.report.tables import label
from digit_exp.plots.curves import History
from digit_exp.plots.sweeps import CURVES, best_curves

TITLE = "Learning curves"

Make = Callable[[Results], Iterator[Section]]
"""Makes sections of results, none if it has nothing to say about them."""


def sections(results: Results) -> Iterator[Section]:
    """Yield the sections that have something to say about these results."""
    for make in SECTIONS:
        yield from make(results)


def curves(results: Results) -> Iterator[Section]:
    """Yield the learning curves of the best configurations, or of the runs."""
    shown = {name: some for name, some in _histories(results).items() if some}
    few = dict(list(shown.items())[: len(CURVES)])
    lines = [f"The first {len(few)} of {len(shown)}."] if len(few) < len(shown) else []
    yield Section("curves", TITLE, lines, partial(best_curves, few, TITLE))


def _histories(results: Results) -> Mapping[str, Sequence[History]]:
    if (found := results.ranking) is None:
        return {
            f"#{number}  {run.name}": [run.history] if run.history else []
            for number, run in enumerate(results.runs, 1)
        }
    best = found.with_numbers[: len(CURVES)]
    return {
        f"#{rank}  {label(place.group.parameters, found.parameters)}": [
            history for job in place.group.results if (history := job.history())
        ]
        for rank, place in enumerate(best, 1)
    }


def how(results: Results) -> Iterator[Section]:
    """Yield how the numbers were computed."""
    lines = [] if results.ranking is None else method(results.ranking)
    yield Section("method", "Method", [*lines, *(runs.METHOD if results.runs else ())])


def _if_ranked(make: Callable[[Ranking], Iterator[Section]]) -> Make:
    return lambda results: iter(()) if results.ranking is None else make(results.ranking)


SECTIONS: Sequence[Make] = (
    _if_ranked(ranked.ranking),
    _if_ranked(ranked.replicates),
    runs.metrics,
    runs.configuration,
    _if_ranked(search.progress),
    _if_ranked(search.importance),
    _if_ranked(parameters.effects),
    _if_ranked(parameters.pairs),
    _if_ranked(search.parallel),
    curves,
    _if_ranked(ranked.trade_off),
    runs.predictions,
    _if_ranked(ranked.unfinished),
    how,
)
