"""The life of a sweep: its plan, its parent run, its jobs, its report.

Hydra makes the jobs and runs them, one after the other or through a launcher; each job decides by
itself whether it is done, resumed or started (`run_job`). The report is made from the store, or
from the folders if nothing is tracked, also after failures.
"""

import hashlib
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from digit_exp.analysis.job_result import JobResult
from digit_exp.analysis.objective import Objective
from digit_exp.analysis.replicates import varied
from digit_exp.config.compose import Plan
from digit_exp.config.paths import conf_dir
from digit_exp.config.schema import Backend, RunConfig
from digit_exp.config.serialize import flatten, from_flat, read_yaml
from digit_exp.data.idx import DataError
from digit_exp.nn.network import Network
from digit_exp.runs.experiment import load_data
from digit_exp.runs.folder import relative_to_cwd
from digit_exp.runs.signals import Interruption
from digit_exp.sweeps.final_report import finish_sweep
from digit_exp.sweeps.main_program import main_program, require_main
from digit_exp.sweeps.outcomes import STOPPED, OutcomeLog, ProgressPrinter
from digit_exp.sweeps.search.study import require_search
from digit_exp.sweeps.worker_settings import SweepContext
from digit_exp.tracking.base import Status
from digit_exp.tracking.mlflow.sweep_runs import Sweep, open_sweep

FOLDER = Path("outputs") / "sweeps"

Launch = Callable[[], object]
"""Runs the jobs through Hydra."""


def run_sweep(plan: Plan, launch: Launch) -> int:
    """Run the jobs of a plan; return 0 if all ended and the report was written, else 1."""
    require_main()
    if plan.trials is not None:
        require_search(plan)
    planned, name = _planned(plan), sweep_name(plan)
    sweep = opened(plan.jobs[0], name)
    keys = list(dict.fromkeys([*search_space(plan), *swept_keys(plan)]))  # jobs are named by these
    context = _context(plan, name, keys, sweep)
    plan.set_hydra(_settings(context, plan))
    plan.loader.rounds = len(plan.seeds) if context.race else 1
    plan.loader.rises = Objective(context.objective).is_share
    _announce(plan, planned, context)
    status, missing = Status.KILLED, list[JobResult]()
    follower = ProgressPrinter(context, OutcomeLog(context, sweep))
    try:
        with follower, Interruption():
            is_whole = _has_launched(launch)
        _print_what_is_left(follower, context)
        missing = _without_outcome(planned, follower, context)
        failed = missing or follower.failures or not is_whole
        status = Status.FAILED if failed else Status.FINISHED
    finally:
        status = finish_sweep(context, sweep, status, missing)
    return int(status is not Status.FINISHED)


def sweep_name(plan: Plan) -> str:
    """Return the name that was given, or one that the same sweep has again."""
    return str(plan.launch["sweep"]["name"] or _name(plan, _planned(plan)))


def _planned(plan: Plan) -> list[JobResult]:
    return [
        JobResult(number, None, "PLANNED", flatten(config), {})
        for number, config in enumerate(plan.jobs)
    ]


def _has_launched(launch: Launch) -> bool:
    """Run the jobs; return False if the system has ended a process that worked on them."""
    try:
        launch()
    except BrokenExecutor:
        print(
            "the system ended a worker process of the launcher, and the launcher has stopped: the"
            " memory may be too small for so many jobs at once (hydra.launcher.n_jobs). The same"
            " command goes on with what is left",
            file=sys.stderr,
        )
        return False
    return True


def _print_what_is_left(follower: ProgressPrinter, context: SweepContext) -> None:
    left = context.jobs - len(follower.entries)
    if context.fail_fast and follower.failures and left > 0:
        jobs = "1 job was" if left == 1 else f"{left} jobs were"
        print(f"stopped at a failure: {jobs} not started; the same command runs the remaining jobs")
    stopped = sum(entry.word == STOPPED for entry in follower.entries)
    if context.is_out_of_time and left + stopped > 0:
        jobs = "1 job is" if left + stopped == 1 else f"{left + stopped} jobs are"
        print(f"stopped at the end of sweep.minutes: {jobs} left; the same command continues")


def _without_outcome(
    planned: Sequence[JobResult], follower: ProgressPrinter, context: SweepContext
) -> list[JobResult]:
    """Return the jobs that were launched and have no outcome, not even a failure."""
    stops = context.is_out_of_time or (context.fail_fast and follower.failures)
    if context.is_search or stops:
        return []
    ended = {entry.number for entry in follower.entries}
    reason = "the worker exited without a result; see the launcher's log"
    return [
        replace(job, status="FAILED", reason=reason) for job in planned if job.number not in ended
    ]


def opened(config: RunConfig, name: str) -> Sweep | None:
    """Return the sweep in the store, which is made here, before any job needs it."""
    settings = config.tracking
    if settings.backend is Backend.none:
        return None
    sweep = open_sweep(name, uri=settings.uri, experiment=settings.experiment)
    sweep.mark_dead()
    return sweep


def swept_keys(plan: Plan) -> list[str]:
    """Return the keys in which jobs differ, the seed included."""
    planned = _planned(plan)
    seeds = {job.config["seed"] for job in planned}
    return [*varied(planned), *(["seed"] if len(seeds) > 1 else [])]


def search_space(plan: Plan) -> Mapping[str, Mapping[str, Any]]:
    """Return the ranges of a search that its command line leaves open; none of a grid."""
    space: Mapping[str, Mapping[str, Any]] = plan.hydra["sweeper"].get("space", {})
    said = {word.partition("=")[0] for word in plan.hydra["overrides"]["task"]}
    known = {key for config in plan.jobs for key in flatten(config)}
    groups = {key for key in space if "." not in key}  # whose fields are not known yet
    return {
        key: entry
        for key, entry in space.items()
        if key not in said and (key in known or key.partition(".")[0] in groups)
    }


def _context(plan: Plan, name: str, keys: list[str], sweep: Sweep | None) -> SweepContext:
    settings = plan.launch["sweep"]
    minutes = settings["minutes"]
    return SweepContext(
        name=name,
        command=uuid.uuid4().hex[:12],
        folder=str((FOLDER / name).absolute()),
        jobs=len(plan.jobs) if plan.trials is None else plan.trials * max(1, len(plan.seeds)),
        varied=keys,
        parent_id=None if sweep is None else sweep.parent_id,
        rerun=settings["rerun"],
        fail_fast=settings["fail_fast"],
        is_search=plan.trials is not None,
        objective=settings["objective"],
        seeds=list(plan.seeds),
        race=settings["race"],
        deadline=None if minutes is None else time.time() + 60 * minutes,
        failed=[] if sweep is None else sweep.failed(),
        script=main_program(),
    )


def _name(plan: Plan, planned: Sequence[JobResult]) -> str:
    """Return a name that the same sweep has again: what varies, and a digest of what does not."""
    keys = swept_keys(plan)
    fixed = {key: value for key, value in planned[0].config.items() if key not in keys}
    if plan.sampler is not None and plan.seeds:  # the mean over them is what it optimises
        fixed["seed"] = list(plan.seeds)
    digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:6]
    words = [key.rpartition(".")[2] for key in keys]
    if plan.sampler is not None:
        words.append(plan.sampler.removesuffix("Sampler").lower())
    return f"{'-'.join(words or ['single'])[:80]}-{digest}"


def _settings(context: SweepContext, plan: Plan) -> Mapping[str, object]:
    """Return what Hydra must know: jobs have folders and logs of their own."""
    direction = "maximize" if Objective(context.objective).is_share else "minimize"
    search = {"hydra.sweeper.study_name": context.name, "hydra.sweeper.direction": direction}
    return {
        **context.environment,
        "hydra.sweep.dir": context.folder,
        "hydra.sweep.subdir": ".",
        "hydra.output_subdir": None,
        "hydra.job_logging": read_yaml(conf_dir() / "hydra" / "job_logging" / "quiet.yaml"),
        "hydra.hydra_logging.root.level": "WARNING",
        "hydra.mode": "MULTIRUN",
        **(search if context.is_search else {}),
    }


def _announce(plan: Plan, planned: Sequence[JobResult], context: SweepContext) -> None:
    """Print what is about to happen: how many jobs, what varies, how large the networks are."""
    jobs = "1 job" if context.jobs == 1 else f"{context.jobs} jobs"
    print(f"sweep {context.name}: {jobs}, in {relative_to_cwd(context.path)}")
    for key in swept_keys(plan):
        values = dict.fromkeys(json.dumps(job.config.get(key)) for job in planned)
        print(f"  {key}: {', '.join(values)}")
    for key, entry in search_space(plan).items():
        print(f"  {key}: {_range(entry)}")
    if plan.seeds:
        race = ", unless it falls too far behind" if context.race else ""
        print(f"  each candidate with {len(plan.seeds)} seeds{race}")
    sizes = sorted({size for config in _architectures(plan) for size in _parameters(config)})
    if sizes:
        print(f"  parameters of the networks: {', '.join(f'{size:,}' for size in sizes)}")
    print(flush=True)


def _range(entry: Mapping[str, Any]) -> str:
    """Return the values of an entry of a search space, for a person."""
    if entry["type"] == "categorical":
        return ", ".join(map(json.dumps, entry["choices"]))
    step = "" if entry.get("step") is None else f", in steps of {entry['step']}"
    return f"{entry['low']} to {entry['high']}{step}{', logarithmic' if entry.get('log') else ''}"


def _architectures(plan: Plan) -> Iterator[RunConfig]:
    """Yield configurations with all networks that the jobs may have; none if they are not known."""
    space = dict(search_space(plan))
    widths = space.pop("model.hidden", {"choices": [None]}).get("choices")
    if widths is None or any(key.partition(".")[0] in ("model", "data") for key in space):
        return
    for config in plan.jobs:
        for width in widths:
            yield config if width is None else from_flat({**flatten(config), "model.hidden": width})


def _parameters(config: RunConfig) -> Iterator[int]:
    """Yield how many numbers a job trains, unless data or memory are missing."""
    with suppress(DataError, MemoryError):
        dataset = load_data(config.data)
        model = config.model.build(dataset.image_shape, dataset.classes, seed=0)
        if isinstance(model, Network):  # others may have no size before the first batch
            yield model.size
