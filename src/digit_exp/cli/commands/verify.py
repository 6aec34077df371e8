"""Train a run or an archive again, and say whether its result holds.

Trains a run, or the run in an archive, again from its configuration, and says: bit-identical,
same within seeds, not reproduced; with the numbers, and what differs of versions and machine.

same within seeds: the accuracies are no further apart than those of two seeds are in 95 % of
cases, if runs of three seeds are here; else no further than 0.5 percentage points.

exit codes:
  0  bit-identical, or same within seeds
  1  not reproduced
  2  it could not be tried: a damaged archive, data that are not there, no such run

The new run goes to outputs/reproductions/ and is not tracked.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from digit_exp.cli.arguments import RUN, add_json, add_store
from digit_exp.cli.commands.import_run import add_places
from digit_exp.cli.commands.reproduce import add_out, new_folder, progress_to
from digit_exp.cli.exit_codes import FAILURE, SUCCESS
from digit_exp.cli.output import print_finding
from digit_exp.registry import ConfigError

if TYPE_CHECKING:
    from digit_exp.runs.saved.found_run import FoundRun
    from digit_exp.runs.saved.lookup import Runs


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN|FILE.zip", help=f"an archive, or {RUN} (its winner)")
    add_places(parser)
    add_out(parser)
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.saved.handover.verify import verify
    from digit_exp.runs.saved.lookup import Runs

    folder, runs = new_folder(options.out), Runs.of_folder(uri=options.uri)
    with _original(options, runs) as original:
        print(f"verifying {original.label}", file=progress_to(options.json), flush=True)
        found = verify(original, folder, runs.all)
        print_finding(found, json=options.json)
    return SUCCESS if found.is_verified else FAILURE


@contextmanager
def _original(options: Namespace, runs: Runs) -> Iterator[FoundRun]:
    """Yield the run that is meant; that of an archive is extracted for so long."""
    from digit_exp.runs.saved.handover.export_run import SUFFIX
    from digit_exp.runs.saved.handover.import_run import places, unpack

    file, changes = Path(options.run), places(options.places)
    if file.suffix.lower() != SUFFIX:
        if changes:
            raise ConfigError.at(options.places[0], "is for an archive; RUN has its data")
        yield runs.find(options.run)
        return
    with TemporaryDirectory(prefix="digit_exp-") as work:
        yield unpack(file, Path(work) / "run", changes)
