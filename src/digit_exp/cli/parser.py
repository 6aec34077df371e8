"""The parser of every command but `train`, whose words are Hydra's."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter

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

TRAIN = "train"
COMMANDS = {
    command.name: command
    for command in (
        list.COMMAND,
        show.COMMAND,
        tag.COMMAND,
        note.COMMAND,
        rm.COMMAND,
        gc.COMMAND,
        compare.COMMAND,
        export.COMMAND,
        import_run.COMMAND,
        try_change.COMMAND,
        reproduce.COMMAND,
        verify.COMMAND,
        committee.COMMAND,
        promote.COMMAND,
        predict.COMMAND,
        draw.COMMAND,
        sync.COMMAND,
        ui.COMMAND,
        doctor.COMMAND,
        schema.COMMAND,
    )
}
"""In the order in which `--help` lists them."""


def command_parser() -> ArgumentParser:
    """Return the parser; the options that it finds have `run`, what is to be done."""
    parser = ArgumentParser(prog="digit-exp")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS.values():
        added = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            epilog=command.epilog,
            formatter_class=RawDescriptionHelpFormatter,
        )
        command.configure(added)
        added.set_defaults(execute=command.run)
    return parser
