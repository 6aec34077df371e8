"""The end of a sweep: its jobs gathered and ranked, the report, the parent closed, the links."""

import logging
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from digit_exp.analysis.job_result import JobResult, searched_in
from digit_exp.analysis.objective import NO_VALUE, Objective
from digit_exp.analysis.ranking import Ranking, rank
from digit_exp.atomic import write_text
from digit_exp.colour import GREEN, coloured
from digit_exp.config.serialize import differences, from_flat
from digit_exp.runs import paths
from digit_exp.runs.folder import RunRecord, display_status, records_below, relative_to_cwd
from digit_exp.runs.results.summary import run_name
from digit_exp.runs.signals import Interruption
from digit_exp.sweeps.collect import results_of
from digit_exp.sweeps.race import Race
from digit_exp.sweeps.worker_settings import SweepContext
from digit_exp.tracking.base import Status
from digit_exp.tracking.mlflow.queries import RUNNING
from digit_exp.tracking.mlflow.saved_view import SavedView, comparison_lines
from digit_exp.tracking.mlflow.sweep_runs import Sweep
from digit_exp.tracking.tags import Tag

log = logging.getLogger(__name__)

INDEX = "index.txt"
"""A table in a sweep's folder that says which folder holds which job."""


def finish_sweep(
    context: SweepContext, sweep: Sweep | None, status: Status, missing: Sequence[JobResult]
) -> Status:
    """Write the report, print the ranking, close the parent; return how the sweep has ended.

    `status` is how the command's own jobs have ended; another job of the sweep that failed makes it
    FAILED. `missing` are jobs of which nothing else is known.
    """
    with Interruption():
        if sweep is not None and status is Status.KILLED:
            sweep.mark_dead(and_own=True)  # a launcher that is stopped kills its workers
        found = results_of(sweep, context.path)
        known = [job.config for job in found]
        found += [
            job for job in [*missing, *Race(context, sweep).dropped()] if job.config not in known
        ]
        if status is Status.FINISHED and any(job.status == "FAILED" for job in found):
            status = Status.FAILED
        is_reported = not found or _report(found, context, sweep)
        if sweep is not None:
            _close(sweep, status)
    return status if is_reported else Status.FAILED


def _report(found: Sequence[JobResult], context: SweepContext, sweep: Sweep | None) -> bool:
    """Rank the jobs, write and publish the report; return False if that failed, and say why."""
    try:
        from digit_exp.analysis.report.sweep_report import write_report  # pandas, matplotlib

        write_index(context.path, Objective(context.objective))
        ranking = rank(found, context.objective, searched_in(context.path))
        files = write_report(ranking, context.path, name=context.name, shorten=_not_default)
        _print_ranking(ranking, context)
        if sweep is not None:
            _publish(sweep, ranking, files, context)
    except Exception as error:  # the jobs are done, and their results are in their folders
        log.error("the report of the sweep is not complete: %s: %s", type(error).__name__, error)
        log.debug("the error", exc_info=error)
        return False
    return True


def write_index(folder: Path, objective: Objective) -> Path:
    """Write a line for each job whose folder is below `folder`, by their names."""
    jobs = sorted(records_below(folder, f"*/{paths.RECORD}"), key=lambda job: job[1].name or "")
    title = ("folder", "job", "status", objective.metric)
    rows = [title, *((place.name, *_cells(record, objective)) for place, record in jobs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return write_text(folder / INDEX, "\n".join(lines) + "\n")


def _cells(record: RunRecord, objective: Objective) -> tuple[str, str, str]:
    value = record.summary.get(objective.metric)
    status = display_status(record.status, record.tags.get(Tag.STOP_REASON)).lower()
    return record.name or NO_VALUE, status, NO_VALUE if value is None else objective.text(value)


def _close(sweep: Sweep, status: Status) -> None:
    """End the parent, unless others are still at work on the sweep: they will."""
    others = [] if status is Status.KILLED else [t for t in sweep.children(RUNNING) if t.is_running]
    if others:
        print(f"{len(others)} of the jobs are running elsewhere; the sweep goes on there")
    else:
        sweep.end(status)


def _not_default(config: Mapping[str, object]) -> Mapping[str, object]:
    """Return the overrides that lead from the defaults to a configuration."""
    changed = differences(from_flat(config))
    return {key: value for key, value in config.items() if key in changed}


def _print_ranking(ranking: Ranking, context: SweepContext) -> None:
    from digit_exp.analysis.report.search import importance_line  # SciPy, matplotlib
    from digit_exp.analysis.report.terminal import terminal_table  # pandas

    lines = terminal_table(ranking).split("\n")
    if ranking.winner is not None:
        lines[2] = coloured(lines[2], GREEN, sys.stdout)  # below the title and the rule
    print("", *lines, sep="\n")
    if (line := importance_line(ranking)) is not None:
        print(line)
    print(f"\nreport: {relative_to_cwd(context.path) / 'report.html'}")
    print(f"which folder is which job: {relative_to_cwd(context.path) / INDEX}")
    if ranking.winner is not None:
        folder = shlex.quote(str(relative_to_cwd(context.path)))
        print(f"the winner again: python -m digit_exp --config-dir {folder} experiment=best")


def _note(report: str, run_id: str) -> str:
    """Return a report in Markdown with addresses that lead somewhere on its run's page in MLflow.

    Pictures are among the run's files, and a seed leads to its run instead of its folder.
    """
    picture = rf"](get-artifact?path=figures%2F\1&run_uuid={run_id})"
    report = re.sub(r"\]\(figures/([^)]+)\)", picture, report)
    report = re.sub(r"\]\([^)]*\) \[↗\](?=\()", "]", report)
    return re.sub(r"\]\(https?://[^)#]*(#/[^)?]*)[^)]*\)", r"](\1)", report)


def _publish(sweep: Sweep, ranking: Ranking, files: Sequence[Path], context: SweepContext) -> None:
    """Put the report on the parent's page, and print where the jobs can be compared."""
    kept = {str(file.relative_to(context.path).as_posix()): file for file in files}
    note = _note((context.path / "report.md").read_text(encoding="utf-8"), sweep.parent_id)
    best = ranking.winner.group.best(ranking.objective) if ranking.winner else None
    if best is None:
        sweep.publish(kept, note)
    else:
        name = run_name(from_flat(best.config), context.varied)
        sweep.publish(kept, note, name, best.metrics)
    asked = SavedView(
        sweep.name,
        ranking.parameters,
        metrics=[context.objective, "test_acc", "training_seconds"],
        objective=context.objective,
        ascending=not Objective(context.objective).is_share,
    )
    lines = comparison_lines(sweep, asked)
    print("\n".join(["to compare the jobs in MLflow:", *lines]), flush=True)
