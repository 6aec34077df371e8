"""`digit-exp promote RUN`: a run's model becomes the champion, if it is not worse."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from digit_exp.cli.arguments import Command, add_run, add_store

if TYPE_CHECKING:
    from digit_exp.runs.reuse.found_run import FoundRun

REFUSED = 1
"""Exit code if the champion stays."""

DESCRIPTION = """\
Registers the model of a run and makes it the champion, models:/digits@champion. Where there is a
champion, the run must not be worse by a paired test on the validation set. The old one stays as
models:/digits@previous.
"""
EPILOG = """\
examples:
  digit-exp promote best
  digit-exp promote my-sweep            the winner of a sweep
  digit-exp promote 4f2a --force        whatever the test says

Exit code 0 if the run is the champion now, 1 if the champion stays, 2 if the command is wrong.
"""


def _configure(parser: ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--force", action="store_true", help="do not compare with the champion")
    add_store(parser)


def _promote(options: Namespace) -> int:
    from digit_exp.runs.reuse.found_run import RunError
    from digit_exp.runs.reuse.lookup import Runs
    from digit_exp.runs.reuse.serving import SERVED, served_file

    runs = Runs.around(uri=options.uri)
    run = runs.one(options.run)
    if run.store is None and run.run_id is not None:  # found by its folder
        run = runs.one(run.run_id)
    if run.store is None or run.trial is None:
        raise RunError(f"{run.label} is not tracked in MLflow, where the champion is kept")
    if run.status != "FINISHED":
        raise RunError(f"{run.label} is {run.status.lower()}; only a finished run is promoted")
    from digit_exp.tracking.model.log import NAME
    from digit_exp.tracking.model.registry import CHAMPION, PREVIOUS, Models

    models = Models(run.store)
    old = models.champion()
    if old is not None and old.run_id == run.run_id:
        print(f"{run.label} is the champion already: version {old.number} of {NAME}")
        return 0
    if old is not None and not options.force and not _stands(run, runs.one(old.run_id)):
        return REFUSED
    with tempfile.TemporaryDirectory() as work:
        new = models.crown(run.trial, served_file(run, Path(work) / SERVED))
    print(
        f"{run.label} is version {new.number} of {NAME} and the champion: models:/{NAME}@{CHAMPION}"
    )
    if old is not None:
        print(f"version {old.number} is kept as models:/{NAME}@{PREVIOUS}")
    return 0


def _stands(run: FoundRun, champion: FoundRun) -> bool:
    """Compare with the champion, and say what came of it."""
    print(f"challenger: {run.label}\nchampion:   {champion.label}")
    from digit_exp.runs.reuse.champion import duel

    result = duel(run, champion)
    print(*result.lines(), sep="\n")
    if result.is_worse:
        print("the challenger is worse; the champion stays (--force promotes it all the same)")
    return not result.is_worse


COMMAND = Command(
    "promote",
    "make a run's model the champion, if it is not worse",
    DESCRIPTION,
    EPILOG,
    _configure,
    _promote,
)
