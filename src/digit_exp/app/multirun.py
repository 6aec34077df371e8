"""The life of a sweep: its plan, its parent run, its jobs, its report.

Hydra makes the jobs and runs them, one after the other or through a launcher; whether a job is
done, goes on or fails is its own affair (`trial`). Whatever happens to the jobs, the report is made
from what the store and the folders hold.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from digit_exp.app.config import differences, flatten, from_flat
from digit_exp.app.experiment import load
from digit_exp.app.gather import results_in_folders, results_in_store
from digit_exp.app.interruption import Interruption
from digit_exp.app.ledger import Ledger
from digit_exp.app.overrides import Plan
from digit_exp.app.report import from_here
from digit_exp.app.schema import Backend, RunConfig
from digit_exp.app.ticket import Ticket, issued
from digit_exp.data.idx import DataError
from digit_exp.sweep.groups import varied
from digit_exp.sweep.objective import Objective
from digit_exp.sweep.ranking import Ranking, rank
from digit_exp.sweep.report import write_report
from digit_exp.sweep.results import JobResult
from digit_exp.sweep.terminal import terminal_table
from digit_exp.tracking.comparison import comparison_lines
from digit_exp.tracking.sweeps import Sweep, open_sweep
from digit_exp.tracking.tracker import Status

FOLDER = Path("outputs") / "sweeps"

Launch = Callable[[Sequence[str]], int]
"""Runs the jobs through Hydra, given settings for it."""


def run_sweep(plan: Plan, launch: Launch) -> int:
    """Run the jobs of `plan` and return the exit code: 0 if all came to an end, else 1."""
    planned = [
        JobResult(number, None, "PLANNED", flatten(config), {})
        for number, config in enumerate(plan.jobs)
    ]
    name = plan.launch["sweep"]["name"] or _name(plan, planned)
    sweep = _open(plan.jobs[0], name)
    ticket = _ticket(plan, name, _swept(planned), sweep)
    _announce(plan, planned, ticket)
    status = Status.KILLED
    try:
        with issued(ticket):
            launch(_settings(ticket))
        status = Status.FINISHED
    finally:
        failures = {} if plan.trials else Ledger(ticket).failures()
        status = _conclude(
            ticket,
            sweep,
            status,
            [replace(planned[n], status="FAILED", reason=why) for n, why in failures.items()],
        )
    return int(status is not Status.FINISHED)


def _open(config: RunConfig, name: str) -> Sweep | None:
    """Return the sweep in the store, which is made here, before any job needs it."""
    settings = config.tracking
    if settings.backend is Backend.none:
        return None
    sweep = open_sweep(name, uri=settings.uri, experiment=settings.experiment)
    sweep.mark_dead()
    return sweep


def _swept(planned: Sequence[JobResult]) -> list[str]:
    """Return the keys in which jobs differ, the seed included."""
    seeds = {job.config["seed"] for job in planned}
    return [*varied(planned), *(["seed"] if len(seeds) > 1 else [])]


def _ticket(plan: Plan, name: str, keys: list[str], sweep: Sweep | None) -> Ticket:
    settings = plan.launch["sweep"]
    return Ticket(
        name=name,
        folder=str((FOLDER / name).absolute()),
        jobs=plan.trials or len(plan.jobs),
        varied=keys,
        parent_id=None if sweep is None else sweep.parent.run_id,
        rerun=settings["rerun"],
        fail_fast=settings["fail_fast"],
        is_search=plan.trials is not None,
        objective=settings["objective"],
        started=time.time(),
    )


def _name(plan: Plan, planned: Sequence[JobResult]) -> str:
    """Return a name that the same sweep has again: what varies, and a digest of what does not."""
    keys = _swept(planned)
    fixed = {key: value for key, value in planned[0].config.items() if key not in keys}
    digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:6]
    words = [key.rpartition(".")[2] for key in keys]
    if plan.sampler is not None:
        words.append(plan.sampler.removesuffix("Sampler").lower())
    return f"{'-'.join(words or ['single'])[:80]}-{digest}"


def _settings(ticket: Ticket) -> list[str]:
    """Return what Hydra must know: jobs have folders and logs of their own."""
    direction = "maximize" if Objective(ticket.objective).is_share else "minimize"
    search = [f"hydra.sweeper.study_name='{ticket.name}'", f"hydra.sweeper.direction={direction}"]
    folder = ticket.folder.replace("\\", "\\\\").replace("'", "\\'")
    return [
        f"hydra.sweep.dir='{folder}'",
        "hydra.sweep.subdir=.",
        "hydra.output_subdir=null",
        "hydra/job_logging=quiet",
        "hydra.hydra_logging.root.level=WARNING",
        "hydra.mode=MULTIRUN",
        *(search if ticket.is_search else []),
    ]


def _announce(plan: Plan, planned: Sequence[JobResult], ticket: Ticket) -> None:
    """Print what is about to happen: how many jobs, what varies, how large the networks are."""
    print(f"sweep {ticket.name}: {ticket.jobs} jobs, in {from_here(ticket.path)}")
    for key in ticket.varied:
        values = dict.fromkeys(json.dumps(job.config.get(key)) for job in planned)
        print(f"  {key}: {', '.join(values)}")
    sizes = sorted({size for config in plan.jobs for size in _parameters(config)})
    print(f"  parameters of the networks: {', '.join(f'{size:,}' for size in sizes)}\n", flush=True)


def _parameters(config: RunConfig) -> Iterator[int]:
    """Yield how many numbers a job trains, unless its data cannot be had: then it will say so."""
    try:
        dataset = load(config.data)
    except DataError:
        return
    yield len(config.model.build(dataset.image_shape, dataset.classes, seed=0).parameters)


def _conclude(
    ticket: Ticket, sweep: Sweep | None, status: Status, failed: Sequence[JobResult]
) -> Status:
    """Write the report, print the ranking, close the parent; return how the sweep has ended.

    `status` is how its jobs were launched; one of them that failed makes it FAILED.
    """
    with Interruption():
        found = (
            results_in_folders(ticket.path)
            if sweep is None
            else results_in_store(sweep, ticket.path)
        )
        # A job whose data could not be read left nothing behind that could be found.
        known = [job.config for job in found]
        found += [job for job in failed if job.config not in known]
        is_failed = Ledger(ticket).failures() or any(job.status == "FAILED" for job in found)
        if status is Status.FINISHED and is_failed:
            status = Status.FAILED
        if found:
            files = write_report(
                found,
                ticket.path,
                name=ticket.name,
                objective=ticket.objective,
                shorten=_not_default,
            )
            ranking = rank(found, ticket.objective)
            _print_ranking(ranking, ticket)
            if sweep is not None:
                _publish(sweep, ranking, files, ticket)
        if sweep is not None:
            sweep.end(status)
    return status


def _not_default(config: Mapping[str, object]) -> Mapping[str, object]:
    """Return what a command line must say to come to a configuration."""
    changed = differences(from_flat(config))
    return {key: value for key, value in config.items() if key in changed}


def _print_ranking(ranking: Ranking, ticket: Ticket) -> None:
    print(f"\n{terminal_table(ranking)}\n\nreport: {from_here(ticket.path) / 'report.html'}")
    if ranking.winner is not None:
        folder = shlex.quote(str(from_here(ticket.path)))
        print(f"the winner again: python -m digit_exp --config-dir {folder} experiment=best")


def _publish(sweep: Sweep, ranking: Ranking, files: Sequence[Path], ticket: Ticket) -> None:
    """Put the report on the parent's page, and print where the jobs can be compared."""
    for file in files:
        folder = file.parent.relative_to(ticket.path)
        sweep.parent.log_file(file, None if folder == Path() else str(folder))
    sweep.parent.log_note((ticket.path / "report.md").read_text(encoding="utf-8")[:4900])
    lines = comparison_lines(
        sweep,
        parameters=ranking.parameters,
        metrics=[ticket.objective, "test_acc", "training_seconds"],
        objective=ticket.objective,
        ascending=not Objective(ticket.objective).is_share,
    )
    print("\n".join(["to compare the jobs in MLflow:", *lines]), flush=True)
