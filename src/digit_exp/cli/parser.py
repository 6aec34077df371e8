"""The parser of every command but `train`, whose words are Hydra's."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from typing import Protocol

from digit_exp.cli.commands import (
    committee,
    doctor,
    draw,
    import_run,
    predict,
    reproduce,
    schema,
    try_change,
    verify,
)
from digit_exp.cli.commands.manage import gc, note, promote, rm, sync, tag
from digit_exp.cli.commands.views import compare, export, list, show, ui


class Command(Protocol):
    """A module of `commands/`. Its docstring is its `--help`."""

    __doc__: str | None

    def configure(self, parser: ArgumentParser) -> None:
        """Add the options to the parser."""

    def run(self, options: Namespace) -> int:
        """Do the work and return the exit code."""


TRAIN = "train"
COMMANDS: dict[str, Command] = {
    "list": list,
    "show": show,
    "tag": tag,
    "note": note,
    "rm": rm,
    "gc": gc,
    "compare": compare,
    "export": export,
    "import": import_run,
    "try": try_change,
    "reproduce": reproduce,
    "verify": verify,
    "committee": committee,
    "promote": promote,
    "predict": predict,
    "draw": draw,
    "sync": sync,
    "ui": ui,
    "doctor": doctor,
    "schema": schema,
}
"""In the order in which `--help` lists them."""


def help_of(command: Command) -> tuple[str, str, str]:
    """Return a line for the list of commands, what stands above the options, and below them."""
    summary, _, rest = (command.__doc__ or "").strip().partition("\n\n")
    description, _, epilog = rest.partition("\n\n")
    return summary, description, epilog


def command_parser() -> ArgumentParser:
    """Return the parser; the options that it finds have `execute`, what is to be done."""
    parser = ArgumentParser(prog="digit-exp")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        summary, description, epilog = help_of(command)
        added = commands.add_parser(
            name,
            help=summary,
            description=description,
            epilog=epilog,
            formatter_class=RawDescriptionHelpFormatter,
        )
        command.configure(added)
        added.set_defaults(execute=command.run)
    return parser
