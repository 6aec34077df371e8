"""The command line: `python -m digit_exp`, and `digit-exp` where the package is installed.

A command line is checked as a whole before Hydra runs it. Hydra then composes the configuration,
makes the run's folder and its log, and calls `_job`, once or for every job of a multirun.
"""

from __future__ import annotations

import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from digit_exp.cli.help import help_text
from digit_exp.config.command_line import plan
from digit_exp.config.hydra_schema import plain_mapping, publish
from digit_exp.config.paths import conf_dir
from digit_exp.config.serialize import as_yaml
from digit_exp.registry import ConfigError, Problem
from digit_exp.runs.errors import Interrupted, JobFailed
from digit_exp.runs.folder import mark_dead
from digit_exp.sweeps.context import current_ticket
from digit_exp.tracking.base import TrackingError

OUTPUTS = Path("outputs")

FAILURE, USAGE_ERROR = 1, 2
"""Exit codes: a run that failed, a command line that cannot be run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    # Hydra then raises what it would print, and what it prints is said in our words.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    arguments = sys.argv[1:] if arguments is None else arguments
    line = get_args_parser().parse_args(arguments)
    if line.help:
        print(help_text())
        return 0
    try:
        return _run(arguments, line)
    except (ConfigError, HydraException, OmegaConfBaseException, TrackingError) as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    except OSError as error:  # before there was a log, or because there can be none
        print(f"the folder of the run cannot be used: {error}", file=sys.stderr)
        return FAILURE
    except Interrupted as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(arguments: Sequence[str], line: Namespace) -> int:
    """Give the command line to Hydra, with what it must know to resume or to sweep."""
    publish()
    if line.hydra_help or line.shell_completion or line.info:  # nothing is run
        return _hydra(arguments)
    found = plan(line.overrides, config_dir=line.config_dir, multirun=line.multirun)
    if _is_shown(line) and not found.is_sweep and found.launch["resume"] is None:
        print(as_yaml(found.launch), end="")  # what Hydra would compose once more
        return 0
    if not line.cfg:
        mark_dead(OUTPUTS)
        if (code := _sent(line.overrides)) is not None:
            return code
    if not found.is_sweep or line.cfg:
        resumed = _resumed(arguments, line.overrides, is_sweep=found.is_sweep)
        return _hydra(resumed)
    _resumed(arguments, line.overrides, is_sweep=True)
    from digit_exp.sweeps.launch import run_sweep  # SciPy and matplotlib: a second to import

    return run_sweep(found, lambda settings: _hydra([*arguments, *settings]))


def _is_shown(line: Namespace) -> bool:
    """Return whether `--cfg job` asks for what `plan` has composed, the whole and as it is."""
    others = vars(line).keys() - {"cfg", "overrides", "config_dir"}
    return line.cfg == "job" and not any(getattr(line, name) for name in others)


_failed: list[str] = []
"""The run of this process, if it failed: of an exception Hydra would say more than the log has."""


def _hydra(arguments: Sequence[str]) -> int:
    sys.argv[1:] = arguments
    _failed.clear()
    _job()
    return FAILURE if _failed else 0


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def _job(cfg: DictConfig) -> float | None:
    environment = HydraConfig.get()
    if environment.mode is RunMode.MULTIRUN and (ticket := current_ticket()) is not None:
        from digit_exp.sweeps.trial import run_trial

        return run_trial(plain_mapping(cfg), ticket, environment.job.num)
    from digit_exp.runs.runner import run_job  # the trainer and all it needs

    folder = environment.runtime.output_dir
    try:
        result = run_job(plain_mapping(cfg), Path(folder))
    except JobFailed:  # the log has said why
        _failed.append(folder)
        return None
    if result.is_failure or result.lost:
        _failed.append(folder)
    return None


def _resumed(arguments: Sequence[str], overrides: Sequence[str], *, is_sweep: bool) -> list[str]:
    """Replace `resume=...` by its checkpoint, and send Hydra to the folder of that run."""
    text = _asked(overrides)
    if text is None:
        return list(arguments)
    asked = [word for word in overrides if word.startswith("resume=")]
    others = [word for word in overrides if word not in asked and not word.startswith("hydra.")]
    if others or is_sweep:
        extra = ", ".join([*others, *(["-m"] if is_sweep else [])])
        problem = f"a run goes on with the configuration it began with; leave out {extra}"
        raise ConfigError(Problem("resume", problem))
    from digit_exp.runs.resume import find_checkpoint, run_folder

    checkpoint = find_checkpoint(text).resolve()
    rest = [word for word in arguments if word not in asked]
    folder = run_folder(checkpoint)
    if folder is not None:
        rest += [f"hydra.run.dir={_quoted(folder)}", "hydra.output_subdir=null"]
    return [*rest, f"resume={_quoted(checkpoint)}"]


def _sent(overrides: Sequence[str]) -> int | None:
    """Send what MLflow lacks of the run that is to be resumed, if that is all it lacks."""
    text = _asked(overrides)
    if text is None or len(overrides) > 1:
        return None
    from digit_exp.runs.resume import send, unsent_folder

    folder = unsent_folder(text)
    return None if folder is None else send(folder)


def _asked(overrides: Sequence[str]) -> str | None:
    """Return which run is to go on, if any."""
    asked = [word.removeprefix("resume=") for word in overrides if word.startswith("resume=")]
    text = asked[-1].strip("'\"") if asked else "null"
    return None if text in ("null", "") else text


def _quoted(path: Path) -> str:
    """Return a path as Hydra's override grammar wants it, whatever characters it has."""
    return "'" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"
