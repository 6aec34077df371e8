"""Reports as JSON, in the shapes of `docs/commands.md`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digit_exp.runs.folder import relative_to_cwd
from digit_exp.runs.reuse.views.listing import as_json

if TYPE_CHECKING:  # each command needs one of them, and some are slow to import
    from digit_exp.analysis.ranking import Ranking
    from digit_exp.analysis.run_comparison import ComparedRun, PairedTest
    from digit_exp.runs.reuse.compare import Comparison
    from digit_exp.runs.reuse.found_run import FoundRun
    from digit_exp.runs.reuse.manage.promote import Promotion
    from digit_exp.runs.reuse.manage.sync import Synced
    from digit_exp.runs.reuse.reproduce import Reproduction


def comparison_json(found: Comparison, files: Sequence[Path]) -> dict[str, Any]:
    """Return what `compare --json` prints; `files` are the page and its figures."""
    from digit_exp.analysis.run_comparison import differing

    page, *figures = [str(relative_to_cwd(file)) for file in files]
    runs = zip(found.runs, found.compared, strict=True)
    return {
        "runs": [{**as_json(run), "intervals": _intervals(one)} for run, one in runs],
        "differing": {
            key: [one.config.get(key) for one in found.compared]
            for key in differing(found.compared)
        },
        "pairs": _pairs(found),
        "configurations": None if found.ranking is None else _configurations(found.ranking),
        "page": page,
        "figures": figures,
    }


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
    from digit_exp.analysis.run_comparison import accuracy_interval, loss_interval

    read = one.test_predictions
    return {
        "best_val_acc": one.validation,
        "test_acc": None if read is None else accuracy_interval(read),
        "test_loss": None if read is None else loss_interval(read),
    }


def _pairs(found: Comparison) -> list[dict[str, Any]]:
    from digit_exp.analysis.run_comparison import better, paired_tests, validation_tests

    validation = {pair.second: pair for pair in validation_tests(found.compared)}
    return [
        {
            "first": test.first,
            "second": test.second,
            **_counts(test),
            "validation": _counts(judged) if judged else None,
            "better": better(judged) if judged else None,
        }
        for test in paired_tests(found.compared)
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


def promotion_json(found: Promotion) -> dict[str, Any]:
    """Return what `promote --json` prints."""
    test = found.comparison
    return {
        "run": as_json(found.run),
        "model": found.model,
        "promoted": found.is_champion,
        "version": None if found.version is None else found.version.number,
        "champion_before": None if found.champion is None else found.champion.number,
        "comparison": None if test is None else asdict(test),
    }


def synced_json(run: FoundRun, synced: Synced) -> dict[str, Any]:
    """Return what `sync --json` prints of one run."""
    return {
        **as_json(run),
        "stored_as": synced.run_id,
        "sent": synced.sent,
        "complete": synced.is_all,
        "page": synced.where,
    }


def reproduction_json(found: Reproduction) -> dict[str, Any]:
    """Return what `reproduce --json` prints."""
    first = found.first
    return {
        "verdict": found.verdict.name,
        "original": as_json(found.original),
        "again": as_json(found.again),
        "epochs": found.epochs,
        "first_difference": None
        if first is None
        else {
            "epoch": first.epoch,
            "metrics": {key: [*pair] for key, pair in first.values.items()},
        },
        "environment": {key: [*pair] for key, pair in found.changed.items()},
        "weights": found.weights,
        "predictions": found.predictions,
        "tolerance": found.tolerance,
    }
