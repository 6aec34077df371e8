"""Jobs grouped as replicates, which differ in the seed alone, and the parameters that vary."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from digit_exp.analysis.job_result import JobResult
from digit_exp.analysis.objective import Objective
from digit_exp.analysis.statistics import Summary

Config = Mapping[str, object]


@dataclass(frozen=True)
class Group:
    """Jobs that differ in their seed only, and the parameters by which they differ from others."""

    parameters: Config
    results: Sequence[JobResult]

    def scores(self, objective: Objective) -> dict[object, float]:
        """Return the score of each seed that has one. A seed run twice is one replicate."""
        found = ((job.config.get("seed"), objective.score(job)) for job in self.results)
        return {seed: score for seed, score in found if score is not None}

    def summary(self, metric: str) -> Summary:
        """Return mean and spread of a metric over the seeds."""
        objective = Objective(metric)
        return objective.summarize(list(self.scores(objective).values()))

    def only(self, status: str) -> Group:
        """Return the part of the group that ended so."""
        return Group(self.parameters, [job for job in self.results if job.status == status])

    def count(self, status: str) -> int:
        """Return how many of the jobs ended so."""
        return len(self.only(status).results)

    def best(self, objective: Objective) -> JobResult | None:
        """Return the replicate with the best score, the first of them in the plan."""
        scored = [
            (objective.loss(score), job)
            for job in self.results
            if (score := objective.score(job)) is not None
        ]
        return min(scored, key=lambda pair: pair[0])[1] if scored else None


def varied(results: Iterable[JobResult]) -> list[str]:
    """Return the parameters that differ between jobs, in the order of the configuration.

    Not the seed, and not the name or the tracking of a run, which do not change what it computes.
    A value that follows from the choice of its group (Adam's `beta1`, a default learning rate) is
    no parameter of its own.
    """
    configs = [job.config for job in results]
    keys = dict.fromkeys(key for config in configs for key in config)
    return [key for key in keys if key != "seed" and decides(key) and _differs(key, configs)]


def grouped(results: Sequence[JobResult]) -> list[Group]:
    """Return the jobs as replicates of each other, in the order of their numbers."""
    keys = varied(results)
    found: dict[str, list[JobResult]] = {}
    for job in sorted(results, key=lambda job: job.number):
        found.setdefault(identity({key: job.config.get(key) for key in keys}), []).append(job)
    return [
        Group({key: jobs[0].config[key] for key in keys if key in jobs[0].config}, jobs)
        for jobs in found.values()
    ]


def with_most_seeds(results: Sequence[JobResult], objective: Objective) -> list[JobResult]:
    """Return the jobs whose configurations have results of the most seeds.

    In a race the others were dropped, or are not complete: their few scores do not compare.
    """
    groups = grouped(results)
    seeds = [len(group.scores(objective)) for group in groups]
    most = max(seeds, default=0)
    kept = zip(groups, seeds, strict=True)
    return [job for group, count in kept if count == most for job in group.results]


def identity(value: object) -> str:
    """Return a text that only equal values share; lists cannot be keys themselves."""
    return json.dumps(value, sort_keys=True)


def decides(key: str) -> bool:
    """Tell whether a value of a configuration decides what the run computes."""
    return key != "run_name" and key.partition(".")[0] != "tracking"


def _differs(key: str, configs: Iterable[Config]) -> bool:
    """Tell whether jobs that chose alike in the key's group, and have the key, differ in it."""
    choice = key.partition(".")[0]
    seen: dict[str, str] = {}
    for config in configs:
        if key in config:
            within = "" if choice == key else identity(config.get(choice))
            value = identity(config[key])
            if seen.setdefault(within, value) != value:
                return True
    return False
