"""Send what MLflow lacks of runs, or copies of them to another store.

Sends what MLflow lacks of runs: metrics, parameters, tags, files, the model, the status. All of it
is in a run's folder. What MLflow has is not sent again. A sweep stands for all of its jobs.

Examples:
  digit-exp sync latest
  digit-exp sync outputs/2026-01-31/12-00-00
  digit-exp sync my-sweep --to http://127.0.0.1:5000    a copy on another server

Exit code 0 if the store has everything, 1 if it refuses something, 2 if the command is wrong or
the store does not answer.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from textwrap import shorten
from typing import TYPE_CHECKING

from digit_exp.cli.arguments import add_json, add_runs, add_store
from digit_exp.cli.exit_codes import FAILURE, SUCCESS
from digit_exp.cli.output import print_json

if TYPE_CHECKING:
    from digit_exp.runs.saved.found_run import FoundRun
    from digit_exp.runs.saved.manage.sync import Synced

WIDTH = 200


def configure(parser: ArgumentParser) -> None:
    add_runs(parser)
    parser.add_argument(
        "--to",
        metavar="ADDRESS",
        help="another store, which gets copies; default: the one that the run was tracked in",
    )
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.saved.lookup import Runs
    from digit_exp.runs.saved.manage.sync import sync
    from digit_exp.runs.saved.views.listing import as_json

    runs = Runs.of_folder(uri=options.uri)
    found = runs.all_of(options.runs)
    results = []
    for run in found:
        folder, _ = run.here()
        results.append(sync(folder, options.to or options.uri))
        if not options.json:
            print(_lines(run, results[-1]))
    if options.json:
        rows = zip(found, results, strict=True)
        print_json({"runs": [{**as_json(run), **result.as_json()} for run, result in rows]})
    return SUCCESS if all(result.is_all for result in results) else FAILURE


def _lines(run: FoundRun, synced: Synced) -> str:
    sent = shorten(", ".join(synced.sent), WIDTH, placeholder=" ...") or "nothing was missing"
    return "\n".join([f"{run.label}: {sent}", *synced.where])
