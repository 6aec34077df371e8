"""Move runs to the trash, or back.

Moves runs to the folder `trash` beside `outputs`, and deletes them in MLflow, which keeps deleted
runs. Nothing is lost: --restore brings a run back to its place, in both. A run that is going on or
that is a registered model is refused, and so is a whole sweep: name its jobs by their ids.

Examples:
  digit-exp rm 1fa46133d48b
  digit-exp rm --list
  digit-exp rm --restore 1fa46133d48b

`digit-exp gc` frees the disk of what has been in the trash for 30 days.
"""

from argparse import ArgumentParser, Namespace

from digit_exp.cli.arguments import add_store


def configure(parser: ArgumentParser) -> None:
    what = "a run's id or its first characters, a name, a folder, or 'latest'"
    parser.add_argument("runs", nargs="*", metavar="RUN", help=what)
    parser.add_argument("--restore", action="store_true", help="bring the runs back")
    parser.add_argument("--list", action="store_true", help="print what is in the trash")
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.folder import relative_to_cwd
    from digit_exp.runs.saved.found_run import RunError
    from digit_exp.runs.saved.lookup import Runs
    from digit_exp.runs.saved.manage.trash import TRASH, remove, removed, restore

    if not options.runs and not options.list:
        raise RunError("name a run, or use --list to see what is in the trash")
    if options.restore:
        for text in options.runs:
            print(f"restored {relative_to_cwd(restore(text, TRASH.absolute()))}")
    else:
        runs = Runs.of_folder(uri=options.uri).without_store()
        for run in [runs.find_job(text) for text in options.runs]:
            print(f"{run.label} is in {relative_to_cwd(remove(run, TRASH.absolute()))}")
    if options.list:
        for each in removed(TRASH.absolute()):
            print(f"{each.when[:16].replace('T', ' ')}  {'  '.join(each.names)}")
    return 0
