"""Exit codes, and the messages of errors that the user can fix."""

import sys

from digit_exp.colour import RED, coloured
from digit_exp.runs.errors import INTERRUPTED, Interrupted, JobFailed, interruption_in

SUCCESS, FAILURE, USAGE_ERROR = 0, 1, 2
"""Done; a failed run or a negative answer; a command that cannot be run."""


def report(error: BaseException, *, counted: bool = False) -> int:
    """Print an error that has a message and return the exit code; raise any other.

    `counted` says how many errors a configuration has before it lists them.
    """
    if isinstance(error, Interrupted):
        print(error, file=sys.stderr)
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, JobFailed):  # the log has said why
        return FAILURE
    if (text := message(error, counted)) is None:
        raise error
    print(coloured(text, RED, sys.stderr), file=sys.stderr)
    interruption = interruption_in(error)  # what came first decides
    return USAGE_ERROR if interruption is None else report(interruption)


def message(error: BaseException, counted: bool) -> str | None:
    """Return the message shown instead of a traceback; None for a bug of the program."""
    # These modules import NumPy, which `--help` must not wait for.
    from digit_exp.data.idx import DataError
    from digit_exp.registry import ConfigError
    from digit_exp.runs.saved.found_run import RunError
    from digit_exp.tracking.base import TrackingError
    from digit_exp.tracking.mlflow.uri import without_password
    from digit_exp.training.checkpoint import CheckpointError

    if isinstance(error, ConfigError):
        text = str(error) if counted else "\n".join(map(str, error.problems))
        return without_password(text)
    is_known = isinstance(error, RunError | TrackingError | CheckpointError | DataError)
    if is_known or type(error).__module__.startswith(("hydra.", "omegaconf.")):
        return without_password(str(error))
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return None
