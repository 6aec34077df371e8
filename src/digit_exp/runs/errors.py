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


def interruption_in(error: BaseException | None) -> KeyboardInterrupt | None:
    """Return the KeyboardInterrupt that `error` is, or during which it was raised."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error
