"""The entry point: the first word is the command; help and version need no slow imports."""

import atexit
import gc
import shlex
import sys
from collections.abc import Sequence

from digit_exp.cli.exit_codes import USAGE_ERROR, report
from digit_exp.cli.output import lasting_output
from digit_exp.cli.parser import COMMANDS, TRAIN, command_parser
from digit_exp.registry import did_you_mean
from digit_exp.runs.errors import INTERRUPTED
from digit_exp.version import version

QUESTIONS = {
    *("--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc"),
    *("--dry-run", "--explain", "--version"),
}
"""Flags of a command line that trains nothing, and whose output a program may read."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with lasting_output():
        try:
            if words and words[0] in COMMANDS:
                return _run_command(words)
            if (answer := _answer(words)) is not None:
                return answer
            words = words[1:] if words[:1] == [TRAIN] else words
            if not QUESTIONS & {word.partition("=")[0] for word in words}:
                print(f"digit-exp {version()}: {_shown(words)}", flush=True)  # imports take seconds
            _collect_less_garbage()
            from digit_exp.cli import main as train

            return train.main(words)
        except KeyboardInterrupt:  # while the modules were being imported
            return INTERRUPTED


def _answer(words: Sequence[str]) -> int | None:
    """Print version, help or that a command is unknown; None if there is something to compose."""
    first = words[0] if words else TRAIN
    if first != TRAIN and "--version" in words:
        print(f"digit-exp {version()}")
        return 0
    if first != TRAIN and "=" not in first and not first.startswith(("-", "~")):
        print(_unknown(first), file=sys.stderr)
        return USAGE_ERROR
    if {"-h", "--help"} & {*words}:
        from digit_exp.cli.help import help_text

        print(help_text(_config_dir(words)))
        return 0
    return None


def _config_dir(words: Sequence[str]) -> str | None:
    """Return what `--config-dir` says, or its short form."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        flag, _, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            return value or following
    return None


def _shown(words: list[str]) -> str:
    """Return the command line as it may be read by anybody: addresses without their secrets."""
    if any("://" in word for word in words):
        from digit_exp.tracking.mlflow.uri import masked

        words = [masked(word) if "://" in word else word for word in words]
    return " ".join(map(shlex.quote, words)) or "the defaults"


def _run_command(words: list[str]) -> int:
    try:
        options = command_parser().parse_args(words)
    except SystemExit as end:  # after --help, or an error that argparse has printed
        return int(end.code or 0)
    _collect_less_garbage()
    try:
        return int(options.execute(options))
    except (Exception, KeyboardInterrupt) as error:
        return report(error)


def _unknown(word: str) -> str:
    names = [TRAIN, *COMMANDS]
    return (
        f"unknown command {word!r}.{did_you_mean(word, names)} Commands: {', '.join(names)}."
        f" To set a value, write {word}=VALUE"
    )


def _collect_less_garbage() -> None:
    # Imports and configurations make hundreds of thousands of objects and no garbage: to look for
    # it after every 700 of them, as is Python's default, takes a tenth of the start.
    gc.set_threshold(50_000)
    # And at the end it would look through all that MLflow and matplotlib made: most of a second.
    atexit.register(gc.freeze)
