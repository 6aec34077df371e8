"""`--dry-run` and `--explain`: what they find, as a table or as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from digit_exp.cli.exit_codes import FAILURE, SUCCESS
from digit_exp.cli.output import columns, print_json
from digit_exp.config.convert import quoted
from digit_exp.config.overrides import written
from digit_exp.config.value_sources import Explanation
from digit_exp.runs.folder import relative_to_cwd
from digit_exp.sweeps.preview.dry_run import DryRun, PlannedJob
from digit_exp.sweeps.preview.duration import EpochTime

WORDS = {
    "new": "new",
    "resumed": "resumed",
    "done": "done before",
    "running": "running elsewhere",
    "failing": "cannot start",
}


def show_dry_run(found: DryRun, as_json: bool) -> int:
    """Print what would be done and return the exit code: 1 if a job cannot start."""
    if as_json:
        print_json(_as_json(found))
    else:
        print("\n".join(_lines(found)))
    return FAILURE if any(job.state == "failing" for job in found.jobs) else SUCCESS


def _lines(found: DryRun) -> Iterator[str]:
    if found.sweep is not None and found.folder is not None:
        count = (found.trials or len(found.jobs)) * found.replicates
        jobs = "1 job" if count == 1 else f"{count} jobs"
        yield f"sweep {found.sweep}: {jobs}, in {relative_to_cwd(found.folder)}"
    for key in found.varied:
        values = (written(job.values[key]) for job in found.jobs if key in job.values)
        yield f"  {key}: {', '.join(dict.fromkeys(values))}"
    for key, entry in found.space.items():
        yield f"  {key}: {quoted(entry)}"
    if found.trials is not None:
        yield f"{found.trials_done} of {found.trials} candidates of the search are done. Another:"
    yield f"\n{_table(found)}"
    yield from dict.fromkeys(f"{_state(job)}: {job.remark}" for job in found.jobs if job.remark)
    if found.trials is None:
        yield _counts(found)
    yield from _time(found)
    yield "dry run: nothing was created or trained"


def _table(found: DryRun) -> str:
    title = ["job", *(key.rpartition(".")[2] for key in found.varied), "state", "parameters"]
    rows = [
        [
            str(job.number),
            *(written(job.values[key]) if key in job.values else "" for key in found.varied),
            _state(job),
            "–" if job.parameters is None else f"{job.parameters:,}",
            "–" if job.seconds is None else duration_text(job.seconds) if job.seconds else "",
        ]
        for job in found.jobs
    ]
    return columns([*title, "training"], rows, [0, len(title) - 1, len(title)])


def _state(job: PlannedJob) -> str:
    if job.state == "resumed":
        return f"resumed after epoch {job.epochs_done} of {job.epochs}"
    return WORDS[job.state]


def _counts(found: DryRun) -> str:
    states = [job.state for job in found.jobs]
    return ", ".join(f"{states.count(s)} {w}" for s, w in WORDS.items() if s in states)


def _time(found: DryRun) -> Iterator[str]:
    timed = {job.epoch for job in found.jobs if job.epoch is not None and job.seconds}
    if found.seconds is None:
        is_missing = any(job.remark for job in found.jobs)
        why = "before the data are here" if is_missing else "of a model of another library"
        yield f"time: not known {why}"
    elif timed:
        parallel = f", {found.jobs_at_a_time} jobs at a time" if found.jobs_at_a_time > 1 else ""
        yield (
            f"time: about {duration_text(found.seconds)} of training{parallel}; early stopping may"
            " end a job sooner"
        )
        yield f"  an epoch as {' or '.join(sorted({_basis(time) for time in timed}))}"


def _basis(time: EpochTime) -> str:
    if time.basis == "recorded":
        return "recorded here with the same network and batch size"
    model = "a model says (docs/commands.md)"
    return f"{model}, scaled by {time.runs} recorded runs" if time.basis == "scaled" else model


def duration_text(seconds: float) -> str:
    """Write a time for a person."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _as_json(found: DryRun) -> dict[str, Any]:
    jobs = [
        {
            **{key: value for key, value in vars(job).items() if key != "epoch"},
            "seconds": job.seconds,
            "basis": None if job.epoch is None else job.epoch.basis,
        }
        for job in found.jobs
    ]
    folder = None if found.folder is None else str(relative_to_cwd(found.folder))
    return {**vars(found), "folder": folder, "seconds": found.seconds, "jobs": jobs}


def show_explanation(found: Explanation, as_json: bool) -> None:
    """Print the chain of those that set a key, the last of which wins."""
    if as_json:
        print_json(asdict(found))
        return
    print(f"{found.key} = {', '.join(found.values)}\n")
    last = len(found.sources) - 1
    rows = [
        [source.where, source.value, "wins" if number == last or source.kind == "rows" else ""]
        for number, source in enumerate(found.sources)
    ]
    print(columns(["set by", "to", ""], rows), end="")
