"""`digit-exp promote RUN`: a run's model becomes the champion, if it is not worse."""

from __future__ import annotations

import re
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
models:/digits@previous. A registered model belongs to one data set: digits to that of the default
configuration, digits-NAME to the data set NAME, or what --name says.
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
    parser.add_argument("--name", help="the registered model (default: digits, or digits-DATA)")
    parser.add_argument("--force", action="store_true", help="do not compare with the champion")
    add_store(parser)


def _promote(options: Namespace) -> int:
    from digit_exp.runs.folder import MODEL_FILE
    from digit_exp.runs.reuse.found_run import RunError
    from digit_exp.runs.reuse.lookup import Runs
    from digit_exp.runs.reuse.predict import write_model_of

    runs = Runs.of_folder(uri=options.uri)
    run = runs.find(options.run)
    if run.store is None and run.run_id is not None:  # found by its folder
        run = runs.find(run.run_id)
    if run.store is None or run.trial is None:
        raise RunError(f"{run.label} is not tracked in MLflow, where the champion is kept")
    if run.status != "FINISHED":
        raise RunError(f"{run.label} is {run.status.lower()}; only a finished run is promoted")
    from digit_exp.tracking.mlflow.registered_models import CHAMPION, PREVIOUS, RegisteredModel

    name = options.name or _name(run)
    if not re.fullmatch(r"[\w .-]{1,200}", name):
        raise RunError(f"--name {name!r}: a model has a name of letters, digits, '.', '-' and '_'")
    models = RegisteredModel(run.store, name)
    old = models.champion()
    if old is not None and old.run_id == run.run_id:
        print(f"{run.label} is the champion already: version {old.number} of {name}")
        return 0
    champion = next((one for one in runs.all if old and one.run_id == old.run_id), None)
    if champion is not None:
        _require_same_data(run, champion, name)
    if old is not None and not options.force and not _stands(run, runs.find(old.run_id)):
        return REFUSED
    with tempfile.TemporaryDirectory() as work:
        new = models.set_champion(run.trial, write_model_of(run, Path(work) / MODEL_FILE))
    print(
        f"{run.label}, trained on {run.data}, is version {new.number} of {name} and the champion:"
        f" models:/{name}@{CHAMPION}"
    )
    if old is not None:
        print(f"version {old.number} is kept as models:/{name}@{PREVIOUS}")
    return 0


def _name(run: FoundRun) -> str:
    """Return the registered model of the data set of a run."""
    from digit_exp.tracking.model.log import NAME

    return NAME if run.is_on_default_data else f"{NAME}-{run.config.get('data', 'unknown')}"


def _require_same_data(run: FoundRun, champion: FoundRun, name: str) -> None:
    """Refuse a run on another data set than the model's, whose users would not notice."""
    from digit_exp.runs.folder import DATA_DIGEST
    from digit_exp.runs.reuse.found_run import RunError

    ours, theirs = (one.tags.get(DATA_DIGEST) for one in (run, champion))
    if ours != theirs:
        raise RunError(
            f"the model {name} belongs to the data set of its champion {champion.label},"
            f" {champion.data}, and {run.label} was trained on another, {run.data}. Register it"
            f" under a name of its own: digit-exp promote {run.run_id} --name NAME"
        )


def _stands(run: FoundRun, champion: FoundRun) -> bool:
    """Compare with the champion, and say what came of it."""
    print(f"challenger: {run.label}\nchampion:   {champion.label}")
    from digit_exp.runs.reuse.champion import compare_paired

    result = compare_paired(run, champion)
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
