"""Give a run tags of your own.

Gives a run tags of your own, or takes them away. They are kept in its folder and sent to MLflow,
where runs can be searched by them. Tags that the run set itself stay as they are. A sweep stands
for all of its jobs. Without NAME=VALUE the tags are printed.

Examples:
  digit-exp tag latest paper=figure-3 reviewed=yes
  digit-exp tag latest --remove reviewed
  digit-exp tag my-sweep project=late-epochs
"""

from argparse import ArgumentParser, Namespace

from digit_exp.cli.arguments import RUN, add_json, add_store
from digit_exp.cli.output import print_json


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=f"{RUN} (all of its jobs)")
    parser.add_argument("tags", nargs="*", metavar="NAME=VALUE", help="a tag")
    parser.add_argument(
        "--remove", action="append", default=[], metavar="NAME", help="take a tag away"
    )
    add_json(parser)
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.saved.lookup import Runs
    from digit_exp.runs.saved.manage.annotate import annotate, given_tags, parse_tags
    from digit_exp.runs.saved.views.listing import as_json

    tags = parse_tags(options.tags)
    runs = Runs.of_folder(uri=options.uri).without_store().all_matching(options.run)
    changes = bool(tags or options.remove)
    given = [annotate(run, tags, options.remove) if changes else given_tags(run) for run in runs]
    if options.json:
        rows = zip(runs, given, strict=True)
        print_json({"runs": [{**as_json(run), "tags": now} for run, now in rows]})
        return 0
    for run, now in zip(runs, given, strict=True):
        words = " ".join(f"{name}={text}" for name, text in now.items())
        print(f"{run.label}: {words or 'no tags of yours'}")
    return 0
