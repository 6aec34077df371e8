"""What an application says of its sweep, in `hydra.sweeper`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from digit_exp.analysis.objective import Objective
from digit_exp.jobs.record import VALUE
from digit_exp.pruning.pruners import PRUNERS, Pruner
from digit_exp.registry import ConfigError, Problem, did_you_mean
from digit_exp.sweeps.search.sweeper import SearchSettings

RACE = "race.json"
"""The file in which a search tells its jobs of a race: the seeds, and how many candidates."""

NO_PRUNER = {"name": "none"}
WAYS = ("minimize", "maximize")


@dataclass
class AnySearchSettings(SearchSettings):
    """The node `hydra.sweeper` when `hydra/sweeper=digit_exp_search` is chosen."""

    _target_: str = "hydra_plugins.digit_exp_jobs.SearchOfJobs"
    direction: str | None = "minimize"
    metric: str = VALUE
    pruner: dict[str, Any] = field(default_factory=lambda: dict(NO_PRUNER))
    race: bool = False


@dataclass
class AnyGridSettings:
    """The node `hydra.sweeper` when `hydra/sweeper=digit_exp_grid` is chosen."""

    _target_: str = "hydra_plugins.digit_exp_jobs.GridOfJobs"
    max_batch_size: int | None = None
    params: dict[str, str] | None = None
    direction: str = "minimize"
    metric: str = VALUE
    pruner: dict[str, Any] = field(default_factory=lambda: dict(NO_PRUNER))


def objective_of(metric: str, direction: str | None) -> Objective:
    """Return what jobs are ranked by; raises ConfigError for an unknown direction."""
    if direction not in WAYS:
        near = did_you_mean(str(direction), list(WAYS))
        message = f"must be minimize or maximize, got {direction!r}.{near}".removesuffix(".")
        raise ConfigError.at("hydra.sweeper.direction", message)
    return Objective(VALUE, maximize=direction == "maximize", name=metric)


def pruner_of(settings: Mapping[str, Any]) -> Pruner:
    """Return the pruner of `{name: median, startup_runs: 3}`; raises ConfigError."""
    where = "hydra.sweeper.pruner"
    given = {key: value for key, value in settings.items() if key != "name"}
    name = str(settings.get("name", "none"))
    try:
        kind = PRUNERS[name]
        known = [each.name for each in fields(kind)]
        if unknown := [key for key in given if key not in known and name != "none"]:
            listed = f"Known: {', '.join(known)}"
            raise ConfigError(*(Problem(key, f"no field of {name}. {listed}") for key in unknown))
        return kind(**{key: value for key, value in given.items() if key in known})
    except ConfigError as error:
        own = (Problem(each.path.removeprefix("pruner"), each.message) for each in error.problems)
        raise ConfigError(*(each.under(where) for each in own)) from error
