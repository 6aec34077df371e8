"""Checks the sampler and the space of a search before anything is created for it."""

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
    problems = []
    for key, entry in space.items():
        is_listed = entry["type"] == "categorical"
        ends = list(entry["choices"]) if is_listed else [entry["low"], entry["high"]]
        problems += plan.problems_of(key, ends)
    problems += unused(plan.jobs[0], space)
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
