"""A race between the candidates of a sweep: each job decides at its start whether to run.

Each job reads the results of the others, as a pruner does, so that a race is the same for a grid
and a search and under every launcher. A dropped job makes no run; it writes a note, from which the
report marks its candidate.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digit_exp.analysis.job_result import DROPPED, JobResult
from digit_exp.analysis.objective import Objective
from digit_exp.analysis.racing import deficit
from digit_exp.analysis.replicates import Group, grouped
from digit_exp.config.schema import RunConfig
from digit_exp.config.serialize import flatten
from digit_exp.sweeps.collect import results_of
from digit_exp.sweeps.worker_settings import SweepContext
from digit_exp.tracking.base import FolderMailbox, Mailbox
from digit_exp.tracking.mlflow.sweep_runs import Sweep

FOLDER = "dropped"


@dataclass(frozen=True)
class Race:
    """The race of one sweep, as each of its jobs sees it."""

    context: SweepContext
    sweep: Sweep | None

    def reason_to_drop(self, config: RunConfig, number: int) -> str | None:
        """Return why a job is dropped, None if it is to be run."""
        seeds = self.context.seeds
        if not self.context.race or config.seed == seeds[0]:
            return None
        mine = JobResult(number, None, "PLANNED", flatten(config), {})
        objective = Objective(self.context.objective)
        others = results_of(self.sweep, self.context.path)
        return reason_to_drop(others, mine, seeds, objective, self.context.jobs // len(seeds))

    def drop(self, identity: str, config: RunConfig, number: int, reason: str) -> None:
        """Note that a job is not run."""
        note = {"number": number, "config": flatten(config), "reason": reason}
        self._mailbox.put(f"{identity}.json", json.dumps(note))

    def dropped(self) -> list[JobResult]:
        """Return the jobs that were not run, in this command or an earlier one."""
        if not self.context.race:
            return []
        notes = [json.loads(self._mailbox.get(name)) for name in self._mailbox.names()]
        return [
            JobResult(note["number"], None, DROPPED, note["config"], {}, reason=note["reason"])
            for note in notes
        ]

    @property
    def _mailbox(self) -> Mailbox:
        if self.sweep is None:
            return FolderMailbox(Path(self.context.folder) / FOLDER)
        return self.sweep.mailbox(FOLDER)


def reason_to_drop(
    results: Sequence[JobResult],
    mine: JobResult,
    seeds: Sequence[int],
    objective: Objective,
    candidates: int,
) -> str | None:
    """Return why a job is dropped in view of the results of others, None if it is to be run."""
    groups = grouped([*results, mine])
    place = next(n for n, group in enumerate(groups) if any(job is mine for job in group.results))
    if groups[place].count("DIVERGED") and any(not g.count("DIVERGED") for g in groups):
        return "it diverged with another seed"
    scores = _scores(groups, seeds, objective, max(candidates, len(groups)))
    found = deficit(scores, place)
    if not found.is_too_large:
        return None
    behind, limit = (objective.spread(float(x)) for x in (found.behind, found.limit))
    seen = f"{found.seeds} seed{'s' if found.seeds > 1 else ''}"
    return f"behind the best by {behind} after {seen}; the limit is {limit}"


def _scores(
    groups: Sequence[Group], seeds: Sequence[int], objective: Objective, candidates: int
) -> np.ndarray:
    """Return the scores by candidate and seed, more being better, of jobs that went all the way."""
    found = np.full((candidates, len(seeds)), np.nan)
    for row, group in zip(found, groups, strict=False):
        known = group.only("FINISHED").scores(objective)
        row[:] = [-objective.loss(known[seed]) if seed in known else np.nan for seed in seeds]
    return found
