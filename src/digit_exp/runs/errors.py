"""How a command may end early. What raises these is slow to import; what catches them is not."""

import signal

INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C, as the shell has it."""


class JobFailed(Exception):
    """A run failed, and its log says why."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the run to end."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"ended by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum
