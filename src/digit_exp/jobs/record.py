"""What a job leaves in its folder: `job.json`, and `metrics.jsonl` with a line for each report."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from digit_exp.analysis.job_result import JobResult
from digit_exp.atomic import write_text

RECORD, METRICS = "job.json", "metrics.jsonl"

VALUE = "value"
"""The metric that holds the score of a job."""

ENDED = ("FINISHED", "PRUNED")


@dataclass
class JobRecord:
    """The content of `job.json`."""

    number: int
    config: Mapping[str, object]
    """By dotted keys."""
    status: str = "RUNNING"
    score: float | None = None
    reason: str | None = None
    """Why it was pruned or has failed."""
    seconds: float = 0.0
    code: Mapping[str, str] = field(default_factory=dict)
    """The digest of the application's file, and the versions of what it imports."""

    @property
    def is_over(self) -> bool:
        """Whether the job need not run again."""
        return self.status in ENDED

    def write(self, folder: Path) -> None:
        """Write the record into the folder of the job."""
        write_text(folder / RECORD, json.dumps(asdict(self), indent=2, default=str) + "\n")


def read_record(folder: Path) -> JobRecord | None:
    """Return the record of a job; None if there is none that can be read."""
    try:
        return JobRecord(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def read_reports(folder: Path) -> dict[int, dict[str, float]]:
    """Return what a job has reported, by step."""
    try:
        lines = (folder / METRICS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    found: dict[int, dict[str, float]] = {}
    for line in lines:
        try:
            values = json.loads(line)
            step = values.pop("step")
        except (ValueError, KeyError, AttributeError):
            continue  # cut off when the process was killed
        found = until(step, found)
        found[step] = {key: math.nan if v is None else v for key, v in values.items()}
    return found


def until(step: int, reports: Mapping[int, dict[str, float]]) -> dict[int, dict[str, float]]:
    """Return the reports before a step: those behind it are of an attempt that was broken off."""
    return {earlier: metrics for earlier, metrics in reports.items() if earlier < step}


def job_folders(sweep: Path) -> list[Path]:
    """Return the folders of the jobs of a sweep."""
    return sorted(file.parent for file in sweep.glob(f"*/{RECORD}"))


def results_in(sweep: Path) -> list[JobResult]:
    """Return the jobs of a sweep, as the analysis takes them; those of the code that ran last."""
    return sorted(_results(sweep), key=lambda job: job.number)


def _results(sweep: Path) -> Iterator[JobResult]:
    folders = job_folders(sweep)
    latest = max(folders, key=lambda folder: (folder / RECORD).stat().st_mtime_ns, default=None)
    current = None if latest is None else read_record(latest)
    for folder in folders:
        record = read_record(folder)
        if record is not None and current is not None and record.code == current.code:
            metrics = {"seconds": record.seconds}
            metrics |= {} if record.score is None else {VALUE: record.score}
            yield JobResult(
                record.number,
                None,
                record.status,
                record.config,
                metrics,
                history=partial(_history, folder),
                reason=record.reason,
                folder=folder,
            )


def _history(folder: Path) -> list[dict[str, float]]:
    return [{"epoch": step, **metrics} for step, metrics in read_reports(folder).items()]


def flattened(node: Mapping[Any, Any], prefix: str = "") -> dict[str, object]:
    """Return the single values of a configuration by dotted keys.

    >>> flattened({"x": 1, "walk": {"steps": 3}})
    {'x': 1, 'walk.steps': 3}
    """
    found: dict[str, object] = {}
    for key, value in node.items():
        name = f"{prefix}{key}"
        found |= flattened(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found
