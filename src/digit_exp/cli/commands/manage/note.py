"""Say in words what a run is.

Says in words what a run is. `show` prints the note, and MLflow shows it, as Markdown, on the run's
page. Without TEXT the note is printed; an empty text, "", takes it away.

Examples:
  digit-exp note latest "the first run with the new labels"
  digit-exp note latest
"""

from argparse import ArgumentParser, Namespace

from digit_exp.cli.arguments import add_run, add_store


def configure(parser: ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("text", nargs="*", metavar="TEXT", help="words; quotes are not needed")
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.saved.lookup import Runs
    from digit_exp.runs.saved.manage.annotate import annotate, given_tags
    from digit_exp.tracking.tags import Tag

    run = Runs.of_folder(uri=options.uri).without_store().find(options.run)
    if options.text:
        text = " ".join(options.text)
        old = given_tags(run)
        annotate(
            run,
            {Tag.NOTE: text} if text else {},
            [Tag.NOTE] if not text and Tag.NOTE in old else [],
        )
    print(given_tags(run).get(Tag.NOTE, "no note"))
    return 0
