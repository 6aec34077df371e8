"""Runs or configurations side by side: tables for a terminal, and a page with figures.

Where a configuration has runs of several seeds, as in a sweep, configurations are compared.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from digit_exp.analysis.job_result import JobResult, searched_in
from digit_exp.analysis.objective import NO_VALUE, Objective
from digit_exp.analysis.ranking import Ranking, rank
from digit_exp.analysis.report.render import Page, write
from digit_exp.analysis.report.section import Results, Section
from digit_exp.analysis.report.sections import sections
from digit_exp.analysis.report.terminal import terminal_table, text_table
from digit_exp.analysis.run_comparison import (
    ComparedRun,
    PairedTest,
    accuracy_interval,
    better,
    differing,
    loss_interval,
    paired_tests,
    validation_tests,
)
from digit_exp.registry import ConfigError
from digit_exp.runs import paths
from digit_exp.runs.folder import relative_to_cwd
from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.runs.saved.lookup import OUTPUTS, job_result
from digit_exp.runs.saved.views.listing import as_json
from digit_exp.tracking.mlflow.links import ID_LENGTH
from digit_exp.tracking.tags import Tag
from digit_exp.training.checkpoint import CheckpointError

T = TypeVar("T")

FOLDER = OUTPUTS / "comparisons"
LONGEST_NAME = 100
"""Characters of the name of a comparison's folder."""
MAX_NAMED = 3
"""Runs that the name of the folder lists."""


@dataclass(frozen=True)
class Comparison:
    """The comparison of some runs, section by section."""

    runs: Sequence[FoundRun]
    """Of configurations, one run each, with the seed of the winner's best replicate if it can."""
    compared: Sequence[ComparedRun]
    """The same runs, with what is compared of them."""
    sections: Sequence[Section]
    ranking: Ranking | None = None
    """The configurations, where they are compared."""

    def lines(self) -> str:
        """Return the tables for a terminal."""
        parts = []
        for section in self.sections:
            if section.key == "ranking" and self.ranking is not None:
                tables = [terminal_table(self.ranking)]
            else:
                tables = [text_table(table) for table in section.tables]
            if tables or section.key in ("configuration", "predictions"):
                parts.append("\n".join([section.title, "", *section.text, *tables]))
        return "\n\n".join(parts)

    def as_json(self, files: Sequence[Path]) -> dict[str, Any]:
        """Return the shape that `compare --json` prints; `files` are what `write` returned."""
        page, *figures = [str(relative_to_cwd(file)) for file in files]
        runs = zip(self.runs, self.compared, strict=True)
        return {
            "runs": [{**as_json(run), "intervals": _intervals(one)} for run, one in runs],
            "differing": {
                key: [one.config.get(key) for one in self.compared]
                for key in differing(self.compared)
            },
            "pairs": _pairs(self.compared),
            "configurations": None if self.ranking is None else _configurations(self.ranking),
            "page": page,
            "figures": figures,
        }

    def write(self, folder: Path | None = None) -> list[Path]:
        """Write the page and the figures; return the files, the page first."""
        labels = " · ".join(run.label for run in self.runs)
        what = "runs" if self.ranking is None else "configurations"
        page = Page(f"Comparison of {len(self.runs)} {what}", labels, self.sections)
        return write(page, folder or FOLDER / _name(self.runs), "comparison")


def compare(runs: Sequence[FoundRun]) -> Comparison:
    """Compare runs, or their configurations if those have several seeds.

    Raises RunError for fewer than two different runs.
    """
    places = {run.run_id or run.folder or run.checkpoint_file: run for run in runs}
    different = list(places.values())
    if len(different) < 2:
        names = ", ".join(run.label for run in different)
        raise RunError(
            f"a comparison needs two different runs, or the name of a sweep; got only {names}"
        )
    ranking = _ranking(different)
    if ranking is not None:
        different = [different[number] for number in _representatives(ranking)]
    compared = [_compared_run(run) for run in different]
    dataset = _if_any(different[0].dataset)
    results = Results(
        ranking=ranking,
        runs=compared,
        images=None if dataset is None else dataset.test.images[dataset.test.rows],
        class_names=() if dataset is None else dataset.class_names,
    )
    return Comparison(different, compared, list(sections(results)), ranking)


def _ranking(runs: Sequence[FoundRun]) -> Ranking | None:
    """Rank the configurations; None of single runs, or of runs on several data sets."""
    if len({run.tags.get(Tag.DATA_DIGEST) for run in runs}) > 1 or not all(
        run.has_config for run in runs
    ):
        return None
    ranking = ranking_of(runs)
    is_replicated = 1 < len(ranking.places) < len(runs)
    return ranking if is_replicated else None


def ranking_of(runs: Sequence[FoundRun], objective: str | None = None) -> Ranking:
    """Rank the configurations of runs by `objective`, else by that of their sweep."""
    results = [_result(run, number) for number, run in enumerate(runs) if run.has_config]
    sweeps = {run.folder.parent for run in runs if run.folder is not None}
    searched = {key: is_log for folder in sweeps for key, is_log in searched_in(folder).items()}
    metric = objective or runs[0].tags.get(Tag.OBJECTIVE) or Objective().metric
    return rank(results, metric, searched)


def _result(run: FoundRun, number: int) -> JobResult:
    """Return a run as a job of a sweep, with what the sections read when they are written."""
    return replace(
        job_result(run, number),
        history=lambda: _if_any(run.history) or (),
        folder=run.folder,
        page=_page(run),
        predictions=lambda: _if_any(lambda: run.file(Path(paths.VAL_PREDICTIONS))),
    )


def _representatives(ranking: Ranking) -> list[int]:
    """Return the number of a run of each configuration, with the same seed where there is one.

    Networks of one seed have the same validation images, on which they are compared.
    """
    winner = ranking.winner
    best = winner.group.best(ranking.objective) if winner else None
    seed = best.config.get("seed") if best else None
    chosen = []
    for place in ranking.places:
        same = [job for job in place.group.results if job.config.get("seed") == seed]
        chosen.append((same or place.group.results)[0].number)
    return chosen


def _compared_run(run: FoundRun) -> ComparedRun:
    val = _if_any(run.val_split)
    return ComparedRun(
        run.name,
        (run.run_id or NO_VALUE)[:ID_LENGTH],
        run.status,
        run.config,
        run.metrics,
        _if_any(run.history) or (),
        _if_any(run.predictions),
        _if_any(run.val_predictions),
        len(val) or None if val else None,
        run.folder,
        _page(run),
    )


def _page(run: FoundRun) -> str | None:
    return None if run.store is None or run.trial is None else run.store.address(run.trial)


def _if_any(load: Callable[[], T]) -> T | None:
    try:
        return load()
    # it did not finish, its version did not keep them, or its data are not here
    except (RunError, ConfigError, CheckpointError):
        return None


def _name(runs: Sequence[FoundRun]) -> str:
    words = [run.run_id[:8] if run.run_id else run.name for run in runs[:MAX_NAMED]]
    more = [f"and-{len(runs) - MAX_NAMED}-more"] if len(runs) > MAX_NAMED else []
    # a name that every file system takes, whatever the locale
    return re.sub(r"[^A-Za-z0-9._=,-]+", "_", "-".join([*words, *more]))[:LONGEST_NAME]


def _configurations(ranking: Ranking) -> list[dict[str, Any]]:
    return [
        {
            "parameters": dict(place.group.parameters),
            "mean": place.summary.mean if place.summary else None,
            "interval": [place.summary.low, place.summary.high] if place.summary else None,
            "seeds": [
                {"seed": job.config.get("seed"), "score": ranking.objective.score(job)}
                for job in place.group.results
            ],
            "p": place.comparison.corrected if place.comparison else None,
            "outcome": place.comparison.outcome if place.comparison else None,
        }
        for place in ranking.places
    ]


def _intervals(one: ComparedRun) -> dict[str, Any]:
    read = one.test_predictions
    return {
        "best_val_acc": one.validation,
        "test_acc": None if read is None else accuracy_interval(read),
        "test_loss": None if read is None else loss_interval(read),
    }


def _pairs(compared: Sequence[ComparedRun]) -> list[dict[str, Any]]:
    validation = {pair.second: pair for pair in validation_tests(compared)}
    return [
        {
            "first": test.first,
            "second": test.second,
            **_counts(test),
            "validation": _counts(judged) if judged else None,
            "better": better(judged) if judged else None,
        }
        for test in paired_tests(compared)
        for judged in [validation.get(test.second)]
    ]


def _counts(pair: PairedTest) -> dict[str, Any]:
    return {
        "only_first": len(pair.only_first),
        "only_second": len(pair.only_second),
        "difference": pair.difference,
        "interval": pair.interval,
        "p": pair.p,
    }
