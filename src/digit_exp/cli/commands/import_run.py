"""Take in a run that somebody has exported.

Takes in a run that `digit-exp export RUN --to FILE.zip` has written: its folder goes below
outputs/imported/, and MLflow gets it if there is a store here. The digests of all files are checked
first; an archive that is damaged or of another program is refused, and so is a run that is here.

Examples:
  digit-exp import run.zip
  digit-exp import run.zip --as their-baseline
  digit-exp import run.zip data.dir=/data/my-digits    where its data are on this machine

Then `show`, `compare`, `predict`, `reproduce`, `verify` and `resume=` work on it.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from digit_exp.cli.arguments import add_json, add_store
from digit_exp.cli.exit_codes import FAILURE, SUCCESS
from digit_exp.cli.output import print_json

PLACE = "data.KEY=PLACE"


def add_places(parser: ArgumentParser) -> None:
    """Take words such as data.dir=FOLDER."""
    what = "where the data of the run are: data.dir=, data.train= or data.test="
    parser.add_argument("places", nargs="*", metavar=PLACE, help=what)


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.zip", help="the archive")
    add_places(parser)
    parser.add_argument("--as", dest="name", metavar="NAME", help="what it is called here")
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.folder import relative_to_cwd
    from digit_exp.runs.saved.handover.import_run import import_run, places
    from digit_exp.runs.saved.views.listing import as_json

    changes = places(options.places)
    taken, synced = import_run(options.file, name=options.name, uri=options.uri, changes=changes)
    is_all = synced is None or synced.is_all
    if options.json:
        print_json({**as_json(taken), "tracked": synced is not None, "complete": is_all})
    else:
        print(f"{taken.label} is in {relative_to_cwd(taken.folder or Path())}")
        print("\n".join(synced.where if synced else ["no store is here: not tracked"]))
    return SUCCESS if is_all else FAILURE
