"""Checks the sampler and the space of a search before anything is created for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from digit_exp.config.plan import Plan
from digit_exp.config.serialize import unused
from digit_exp.registry import ConfigError
from digit_exp.sweeps.search.space import distributions
from digit_exp.sweeps.search.storage import require_storage
from digit_exp.sweeps.search.study import Sampler


def require_search(plan: Plan) -> None:
    """Raise ConfigError with what is wrong with the sampler or the space of a search, if it is one.

    The ends of every range are tried, and every choice: their fields must take them.
    """
    settings = plan.hydra["sweeper"]
    if "space" not in settings:
        return
    require_storage(settings["storage"])
    space = settings["space"]
    distributions(space)
    Sampler(settings["sampler"], settings["seed"], settings["sampler_options"]).at(0)
    problems = [each for key in space for each in plan.problems_of(key, _ends(space[key]))]
    problems += unused(plan.jobs[0], space)
    if problems:
        raise ConfigError(*dict.fromkeys(problems))


def _ends(entry: Mapping[str, Any]) -> list[object]:
    if entry["type"] == "categorical":
        return list(entry["choices"])
    return [entry["low"], entry["high"]]
