"""A RunConfig as plain values: for files, for MLflow, and to compare with the defaults."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from digit_exp.config.convert import plain
from digit_exp.config.parse import ABSENT, GROUPS, ROOT, defaults, from_mapping, leaves, nested
from digit_exp.config.paths import conf_dir
from digit_exp.config.schema import FAMILIES, RunConfig
from digit_exp.nn.models import MODELS, LearnerModel
from digit_exp.registry import ConfigError, Problem

OF_NETWORKS = ("optimizer", "schedule", "regularization", "trainer.ema", "data.normalize")
"""What a model of another library has of its own, under its own names."""


def resolved(config: RunConfig) -> dict[str, Any]:
    """Return every value of a configuration, as JSON and YAML can hold it."""
    mapping: dict[str, Any] = {name: plain(getattr(config, name)) for name in (*ROOT, *GROUPS)}
    for family, registry in FAMILIES.items():
        mapping[family] = {"name": registry.name_of(getattr(config, family)), **mapping[family]}
    return mapping


def flatten(config: RunConfig) -> dict[str, Any]:
    """Return the values by the keys of the command line: `optimizer`, `optimizer.lr`, ..."""
    return flat(resolved(config))


def flat(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same for a mapping that `resolved` wrote, even if it is no longer valid."""
    families = {f"{family}.name": family for family in FAMILIES}
    return {families.get(path, path): value for path, value in leaves(mapping, {})}


def from_flat(values: Mapping[str, Any]) -> RunConfig:
    """Return the configuration of which `flatten` returned `values`."""
    return from_mapping(
        nested({f"{key}.name" if key in FAMILIES else key: value for key, value in values.items()})
    )


def differences(config: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Return the values that differ from the defaults, as `(default, value)` by key.

    The fields of a component are compared with the defaults of its own class.
    """
    standard = {name: getattr(RunConfig, name) for name in ROOT} | _default_choices()
    for group in GROUPS:
        own = leaves(defaults(type(getattr(config, group))), {}, f"{group}.")
        standard |= {path: None if value == ABSENT else value for path, value in own}
    return {
        path: (standard.get(path), value)
        for path, value in flatten(config).items()
        if value != standard.get(path)
    }


@cache
def _default_choices() -> dict[str, Any]:
    """Return which choice each group has if nothing is said."""
    found: dict[str, Any] = {}
    for item in read_yaml(conf_dir() / "config.yaml")["defaults"]:
        found |= item if isinstance(item, Mapping) else {}
    return found


def unused(config: RunConfig, keys: Iterable[str] | None = None) -> Iterator[Problem]:
    """Yield what is set in vain, of `keys` or else of all that differs from the defaults.

    A model of another library trains itself.
    """
    if isinstance(config.model, LearnerModel):
        name = MODELS.name_of(config.model)
        for key in differences(config) if keys is None else keys:
            if key.startswith(OF_NETWORKS):
                message = f"model={name} trains itself and does not read it; leave it out"
                yield Problem(key, f"{message}, or use a field of model")


def as_yaml(mapping: Mapping[str, Any]) -> str:
    """Return a plain mapping as Hydra writes it."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(mapping)))


def read_yaml(file: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds; raise ConfigError if there is none."""
    try:
        container: Any = OmegaConf.to_container(OmegaConf.load(file))
    except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())
        raise ConfigError.at(str(file), f"cannot be read ({reason})") from error
    if not isinstance(container, dict):
        raise ConfigError.at(str(file), "does not hold a mapping")
    return container
