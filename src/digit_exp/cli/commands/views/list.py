"""Show a table of runs and sweeps, with filters.

Lists the runs below outputs/ and in the MLflow store, the latest first. The jobs of a sweep are one
line, unless they are asked for by --sweep or --all.

Examples:
  digit-exp list                                    the latest runs, and all sweeps
  digit-exp list --best 5 --data mnist              the best five in validation accuracy
  digit-exp list --sweep my-sweep --sort test_loss  the jobs of a sweep, the best first
  digit-exp list --all --status failed killed       what did not finish, jobs of sweeps too
  digit-exp list --verdicts                         what was tried, and what that came to

The store is opened only if it has runs without a folder here, or is a server.
"""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from digit_exp.cli.arguments import add_json, add_store, number
from digit_exp.cli.output import columns, print_json

if TYPE_CHECKING:
    from digit_exp.runs.saved.found_run import FoundRun
    from digit_exp.runs.saved.views.listing import SweepSummary

STATUSES = ("running", "finished", "failed", "killed", "diverged", "pruned")
SHOWN = 20
"""Runs that are listed unless more are asked for."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--sweep", metavar="NAME", help="only the jobs of this sweep")
    parser.add_argument(
        "--status",
        nargs="+",
        default=[],
        choices=STATUSES,
        help="only runs that stand or ended so",
    )
    parser.add_argument("--data", metavar="NAME", help="only runs on this data set, such as mnist")
    parser.add_argument(
        "--sort", metavar="METRIC", help="the best in this metric first; default: the latest first"
    )
    parser.add_argument(
        "--best",
        type=number(int, 1),
        metavar="N",
        help="only the best N, of sweeps too, in validation accuracy or in the metric of --sort",
    )
    parser.add_argument(
        "--all", action="store_true", help=f"every run, not the first {SHOWN}; jobs of sweeps too"
    )
    parser.add_argument(
        "--local", action="store_true", help="only the folders below outputs/, not the store"
    )
    parser.add_argument(
        "--verdicts", action="store_true", help="the verdicts of `digit-exp try`, and nothing else"
    )
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.analysis.objective import Objective
    from digit_exp.runs.saved.lookup import OUTPUTS, Runs
    from digit_exp.runs.saved.views import listing

    if options.verdicts:
        return _list_verdicts(options.json)
    found = Runs(OUTPUTS) if options.local else Runs.of_folder(uri=options.uri).briefly()
    runs = listing.select(found.all, options.sweep, options.status, options.data)
    grouped = options.sweep is None and options.best is None and not options.all
    sweeps = listing.sweeps(runs) if grouped else []
    if grouped:
        runs = [run for run in runs if run.sweep is None]
    key = options.sort or (Objective().metric if options.best is not None else listing.STARTED)
    runs = listing.sort(runs, key)[: options.best]
    if options.json:
        rows = [listing.as_json(run) for run in runs]
        print_json({"runs": rows, "sweeps": [sweep.as_json() for sweep in sweeps]})
        return 0
    if not runs and not sweeps and found.all:
        print(_none_of(found.all, options))
        return 0
    shown = runs if options.all or options.best else runs[:SHOWN]
    print(_tables(shown, sweeps, key), end="")
    if len(shown) < len(runs):
        print(f"... and {len(runs) - len(shown)} more; --all lists them")
    return 0


def _none_of(runs: Sequence[FoundRun], options: Namespace) -> str:
    """Return that no run has what was asked for, and the names that there are."""
    from digit_exp.runs.saved.views.listing import data_name

    for flag, asked, known in (
        ("--sweep", options.sweep, {run.sweep for run in runs}),
        ("--data", options.data, {data_name(run) for run in runs}),
    ):
        if asked is not None and asked not in known:
            names = ", ".join(sorted(filter(None, known))) or "none"
            return f"no runs with {flag} {asked}; there are: {names}"
    return f"no runs like that, of {len(runs)} that are here"


def _list_verdicts(as_json: bool) -> int:
    from digit_exp.sweeps.tries.verdicts import points, verdicts

    found = verdicts()
    if as_json:
        print_json({"verdicts": found})
        return 0
    rows = [
        [
            datetime.fromisoformat(one["decided"]).astimezone().strftime("%Y-%m-%d %H:%M"),
            one["verdict"],
            "–" if one["effect"] is None else points(one["effect"]),
            " to ".join("–" if end is None else points(end) for end in one["interval"]),
            str(len(one["pairs"])),
            " ".join(one["change"]),
            one["against"],
        ]
        for one in reversed(found)
    ]
    title = ["decided", "verdict", "points", "interval", "pairs", "change", "against"]
    print(columns(title, rows, (2, 3, 4)) if rows else "no verdicts\n", end="")
    return 0


def _tables(runs: Sequence[FoundRun], sweeps: Sequence[SweepSummary], key: str) -> str:
    if not runs and not sweeps:
        return "no runs\n"
    tables = ([_run_table(runs, key)] if runs else []) + ([_sweep_table(sweeps)] if sweeps else [])
    return "\n".join(tables)


def _run_table(runs: Sequence[FoundRun], key: str) -> str:
    from digit_exp.runs.saved.views.listing import STARTED, data_name, status

    metrics = list(dict.fromkeys(["best_val_acc", "test_acc", *([key] if key != STARTED else [])]))
    in_sweep = any(run.sweep for run in runs)
    title = ["run", "started", "status", "data", *metrics]
    rows = [
        [
            _handle(run, runs),
            f"{run.started.astimezone():%Y-%m-%d %H:%M}",
            status(run),
            data_name(run) or "–",
            *(_metric(run, name) for name in metrics),
            *([run.sweep or ""] if in_sweep else []),
            run.name,
        ]
        for run in runs
    ]
    numbers = range(4, 4 + len(metrics))
    return columns([*title, *(["sweep"] if in_sweep else []), "name"], rows, numbers)


def _sweep_table(sweeps: Sequence[SweepSummary]) -> str:
    rows = []
    for sweep in sweeps:
        best = sweep.best
        value = "–" if best is None else _metric(best, sweep.objective.metric)
        rows.append(
            [
                sweep.name,
                f"{min(run.started for run in sweep.jobs).astimezone():%Y-%m-%d %H:%M}",
                f"{sweep.finished} of {len(sweep.jobs)}",
                value,
                sweep.objective.metric,
                "–" if best is None else best.name,
            ]
        )
    return columns(["sweep", "started", "finished", "best", "in", "of"], rows, (2, 3))


def _handle(run: FoundRun, runs: Sequence[FoundRun]) -> str:
    """Return what can be typed for this run and no other of the list."""
    from digit_exp.runs.folder import relative_to_cwd
    from digit_exp.tracking.mlflow.links import ID_LENGTH

    if run.run_id is None:
        return str(relative_to_cwd(run.folder)) if run.folder else run.name
    others = [other.run_id for other in runs if other.run_id not in (None, run.run_id)]
    length = ID_LENGTH
    while any(str(other).startswith(run.run_id[:length]) for other in others):
        length += 1
    return run.run_id[:length]


def _metric(run: FoundRun, name: str) -> str:
    from digit_exp.analysis.objective import Objective

    return Objective(name).text(run.metrics.get(name, math.nan))
