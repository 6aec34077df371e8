"""Exceptions that end a run early. Quick to import, for the code that catches them."""

import signal

INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C, as in a shell."""


class JobFailed(Exception):
    """A run failed; the reason is in its log."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the run to end."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"ended by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum


def is_interruption(error: BaseException | None) -> bool:
    """Whether it is a KeyboardInterrupt, or what a library has raised because of one."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
