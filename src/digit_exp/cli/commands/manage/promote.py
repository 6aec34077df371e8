"""Make a run's model the champion, if it is not worse.

Registers the model of a run and makes it the champion, models:/digits@champion. Where there is a
champion, the run must not be worse by a paired test on the validation set. The old one stays as
models:/digits@previous. A registered model belongs to one data set: digits to that of the default
configuration, digits-NAME to the data set NAME, or what --name says.

Examples:
  digit-exp promote best
  digit-exp promote my-sweep            the winner of a sweep
  digit-exp promote 4f2a --force        whatever the test says

Exit code 0 if the run is the champion now, 1 if the champion stays, 2 if the command is wrong.
"""

from argparse import ArgumentParser, Namespace

from digit_exp.cli.arguments import add_json, add_run, add_store
from digit_exp.cli.exit_codes import FAILURE, SUCCESS
from digit_exp.cli.output import print_finding


def configure(parser: ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--name", help="the registered model (default: digits, or digits-DATA)")
    parser.add_argument("--force", action="store_true", help="do not compare with the champion")
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.saved.lookup import Runs
    from digit_exp.runs.saved.manage.promote import promote

    runs = Runs.of_folder(uri=options.uri)
    found = promote(runs, options.run, name=options.name, force=options.force)
    print_finding(found, json=options.json)
    return SUCCESS if found.is_champion else FAILURE
