"""Exit codes, and the messages of errors that the user can fix."""

import sys
from collections.abc import Callable

from digit_exp.colour import RED, coloured
from digit_exp.runs.errors import INTERRUPTED, Interrupted, JobFailed

SUCCESS, FAILURE, USAGE_ERROR = 0, 1, 2
"""Done; a failed run or a negative answer; a command that cannot be run."""


def run_command(work: Callable[[], int]) -> int:
    """Return the exit code of `work`; print an error that has a message, raise any other."""
    try:
        return work()
    except Interrupted as signalled:
        print(signalled, file=sys.stderr)
        return signalled.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except JobFailed:  # the log has said why
        return FAILURE
    except Exception as error:
        text = message(error)
        if text is None:
            raise
        print(coloured(text, RED, sys.stderr), file=sys.stderr)
        return USAGE_ERROR


def message(error: Exception) -> str | None:
    """Return the message shown instead of a traceback; None for a bug of the program."""
    # These modules import NumPy, which `--help` must not wait for.
    from digit_exp.data.idx import DataError
    from digit_exp.registry import ConfigError
    from digit_exp.runs.reuse.found_run import RunError
    from digit_exp.tracking.base import TrackingError
    from digit_exp.tracking.mlflow.uri import without_password
    from digit_exp.training.checkpoint import CheckpointError

    if isinstance(error, ConfigError):
        return without_password("\n".join(map(str, error.problems)))
    is_known = isinstance(error, RunError | TrackingError | CheckpointError | DataError)
    if is_known or type(error).__module__.startswith(("hydra.", "omegaconf.")):
        return without_password(str(error))
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return None
