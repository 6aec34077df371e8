"""The main command: a command line is planned and checked as a whole, and then handed to Hydra.

Hydra makes the run's folder and its log, or gives the jobs of a sweep to a launcher. What it
composes from is what `compose` has composed and checked.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from digit_exp.cli.exit_codes import FAILURE, report
from digit_exp.cli.help import help_text
from digit_exp.config.compose import Plan, compose, job_loader
from digit_exp.config.composition.loader import limited_calls, plain_mapping
from digit_exp.config.overrides import override, typed
from digit_exp.config.schema import Backend, RunConfig
from digit_exp.registry import ConfigError
from digit_exp.runs.errors import JobFailed
from digit_exp.runs.folder import mark_dead_runs
from digit_exp.sweeps.worker_settings import current_sweep

if TYPE_CHECKING:
    from digit_exp.runs.runner import Work

OUTPUTS = Path("outputs")

NAME = "config"
"""The file in `conf/` in which a configuration begins."""

IGNORED = "MLFLOW_EXPERIMENT_NAME"
"""MLflow's variable for the experiment; here the configuration names it."""

EPOCHS = "trainer.epochs="
"""The only override that goes with `resume=`: it asks for a longer run."""

ONE_OF = ("run", "multirun", "cfg", "info", "dry_run", "explain", "hydra_help", "shell_completion")
"""Flags that say what is to be done. Only `-m` goes with others: it is planned and not run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        line = _flags(sys.argv[1:] if arguments is None else arguments)
        if line.help:
            print(help_text())
            return 0
        with limited_calls():
            if line.hydra_help or line.shell_completion:
                return _about_hydra(line)
            planned = compose(line.overrides, config_dir=line.config_dir, multirun=line.multirun)
            if line.cfg or line.info or line.explain or line.dry_run:
                return _show(planned, line)
            _warn_of_ignored_variable(planned.jobs[0])
            mark_dead_runs(OUTPUTS)
            if planned.launch["resume"] is not None:
                return _resume(planned, line)
            planned = _pinned(planned)
            return launch_sweep(planned) if planned.is_sweep else _run(planned)
    except OSError as error:  # before there was a log, or because there can be none
        reason = f"{error.filename}: {error.strerror}" if error.filename else error
        advice = "Start in a folder that can be written, or name one: hydra.run.dir=FOLDER"
        print(f"the folder of the run cannot be used: {reason}. {advice}", file=sys.stderr)
        return FAILURE
    except (Exception, KeyboardInterrupt) as error:
        return report(error, counted=True)


def _flags(arguments: Sequence[str]) -> Namespace:
    """Read Hydra's flags, in any order with the overrides, and refuse those that do not fit."""
    line = _parser().parse_intermixed_args(arguments)
    line.overrides = line.overrides or []
    asked = [name for name in ONE_OF if getattr(line, name)]
    if len(asked) > 1 and not (len(asked) == 2 and "multirun" in asked and "run" not in asked):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in asked)
        raise ConfigError.at(flags, "exclude each other; choose one")
    for name in ("resolve", "package"):
        if getattr(line, name) and not line.cfg:
            raise ConfigError.at(f"--{name}", "needs --cfg job, --cfg hydra or --cfg all")
    if line.json and not (line.dry_run or line.explain):
        raise ConfigError.at("--json", "needs --dry-run or --explain KEY")
    for name in ("config_name", "config_path", "experimental_rerun"):
        if getattr(line, name):
            flag = f"--{name.replace('_', '-')}"
            message = "is not used here; presets of your own are found with --config-dir FOLDER"
            raise ConfigError.at(flag, message)
    return line


def _parser() -> ArgumentParser:
    parser = get_args_parser()
    parser.prog = "digit-exp"
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--explain", metavar="KEY")
    parser.add_argument("--json", action="store_true")
    return parser


def _show(planned: Plan, line: Namespace) -> int:
    """Print what was planned: the configuration, Hydra's view, a source of values, a dry run."""
    hydra = Hydra("digit_exp", planned.loader)
    if line.cfg:
        hydra.show_cfg(NAME, [], line.cfg, line.package, line.resolve)
    elif line.info:
        hydra.show_info(line.info, NAME, list(planned.choices))
    elif line.explain:
        from digit_exp.cli.preview import show_explanation
        from digit_exp.config.value_sources import explain

        show_explanation(explain(planned, line.explain, line.overrides), line.json)
    else:
        return _dry_run(planned, line)
    return 0


def _pinned(planned: Plan) -> Plan:
    """Return the jobs with the weights that `start_from` names."""
    from digit_exp.runs.saved.start_from import pin_plan  # imports Numba

    return pin_plan(planned)


def launch_sweep(planned: Plan) -> int:
    """Run the jobs of a sweep, through Hydra's launcher, and return the exit code."""
    from digit_exp.sweeps.launch import run_sweep  # SciPy and matplotlib: a second to import

    hydra = Hydra("digit_exp", planned.loader)
    return run_sweep(planned, lambda: hydra.multirun(NAME, _trial, []))


def _dry_run(planned: Plan, line: Namespace) -> int:
    from digit_exp.cli.preview import show_dry_run
    from digit_exp.runs import paths
    from digit_exp.runs.saved.extend_run import require_longer
    from digit_exp.runs.saved.resume import ended_folder, find_checkpoint
    from digit_exp.sweeps.preview.dry_run import dry_resume, dry_run
    from digit_exp.training.checkpoint import CheckpointError, load_for_resuming

    resume = planned.launch["resume"]
    if resume is None:
        return show_dry_run(dry_run(_pinned(planned)), line.json)
    epochs = _epochs(planned, line)
    try:
        if epochs is not None:
            require_longer(origin := ended_folder(resume), epochs)
            checkpoint = load_for_resuming(origin / paths.LAST_CHECKPOINT)
        else:
            checkpoint = load_for_resuming(find_checkpoint(resume))
    except CheckpointError as error:
        raise ConfigError.at("resume", str(error)) from error
    return show_dry_run(dry_resume(checkpoint, epochs), line.json)


def _warn_of_ignored_variable(config: RunConfig) -> None:
    """Warn of a variable of MLflow that names another experiment."""
    tracking, name = config.tracking, os.environ.get(IGNORED)
    if name and tracking.backend is Backend.mlflow and name != tracking.experiment:
        instead = typed(override("tracking.experiment", name))
        where = f"the experiment is {tracking.experiment!r}"
        print(f"{IGNORED}={name} is not used, {where}; write {instead}", file=sys.stderr)


def _about_hydra(line: Namespace) -> int:
    """Let Hydra explain itself, or complete words."""
    hydra = Hydra("digit_exp", job_loader())
    if line.hydra_help:
        line.overrides = []  # it explains Hydra, whatever the configuration
        hydra.hydra_help(NAME, get_args_parser(), line)
        return 0
    try:
        hydra.shell_completion(NAME, line.overrides)
    except ValueError as error:
        raise ConfigError.at("--shell-completion", f"{error}; write -sc install=bash") from None
    return 0


def _run(planned: Plan, work: Work | None = None) -> int:
    """Run a single run, or do other work, in the folder that Hydra makes; return the exit code."""
    failed: list[bool] = []

    def job(_: DictConfig) -> None:
        from digit_exp.runs.runner import execute, run_job  # the trainer and all it needs
        from digit_exp.runs.saved.start_from import initial_weights

        config = planned.jobs[0]
        runtime = HydraConfig.get().runtime
        with chdir(runtime.cwd):  # paths are those of the folder where the command was started
            try:
                train = work or partial(execute, config, initial=initial_weights(config))
                result = run_job(Path(runtime.output_dir), train)
            except JobFailed:  # the log has said why
                failed.append(True)
            else:
                failed.append(result.is_failure or bool(result.not_written))

    Hydra("digit_exp", planned.loader).run(NAME, job, [])
    return FAILURE if any(failed) else 0


def _trial(cfg: DictConfig) -> float | None:
    """Run one job of a sweep, in whatever process a launcher starts."""
    from digit_exp.sweeps.main_program import register_again
    from digit_exp.sweeps.run_job import run_trial

    environment, context = HydraConfig.get(), current_sweep()
    assert context is not None
    register_again(context.script)
    with chdir(environment.runtime.cwd):
        return run_trial(plain_mapping(cfg), context, environment.job.num)


def _resume(planned: Plan, line: Namespace) -> int:
    """Go on with a run in its folder, or send what MLflow lacks of one that is over."""
    from digit_exp.runs.runner import resume_run
    from digit_exp.runs.saved.resume import find_checkpoint, run_folder, send, unsent_folder

    text = planned.launch["resume"]
    if (epochs := _epochs(planned, line)) is not None:
        return _longer(planned, epochs)
    if (unsent := unsent_folder(text)) is not None:
        return send(unsent)
    checkpoint = find_checkpoint(text).resolve()
    if (folder := run_folder(checkpoint)) is not None:
        planned.set_hydra({"hydra.run.dir": str(folder), "hydra.output_subdir": None})
    return _run(planned, partial(resume_run, checkpoint))


def _epochs(planned: Plan, line: Namespace) -> int | None:
    """Return how many epochs a longer run is to have, if that was asked for, and nothing else."""
    keys = ("resume=", "hydra.", EPOCHS)
    others = [word for word in line.overrides if not word.lstrip("+").startswith(keys)]
    if others or planned.is_sweep:
        extra = ", ".join([*others, *(["-m"] if planned.is_sweep else [])])
        problem = f"a run goes on with the configuration it began with; leave out {extra}"
        raise ConfigError.at("resume", problem)
    is_longer = any(word.startswith(EPOCHS) for word in line.overrides)
    return planned.jobs[0].trainer.epochs if is_longer else None


def _longer(planned: Plan, epochs: int) -> int:
    """Make a longer run of one that has ended, in a folder of its own."""
    from digit_exp.runs.saved.extend_run import require_longer, run_longer
    from digit_exp.runs.saved.resume import ended_folder

    origin = ended_folder(planned.launch["resume"]).resolve()
    require_longer(origin, epochs)
    return _run(planned, partial(run_longer, origin, epochs))
