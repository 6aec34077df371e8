"""From YAML to objects, all of it checked at once, and back to plain values.

Hydra composes the files; what comes out is read by the annotations of the registered classes
alone, and not by OmegaConf's types: those would stop at the first mistake and know no ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, get_origin

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from digit_exp.app.conf import conf_dir
from digit_exp.app.foreign import guard
from digit_exp.app.reading import (
    ABSENT,
    GROUPS,
    ROOT,
    Reading,
    defaults,
    field_types,
    leaves,
)
from digit_exp.app.schema import FAMILIES, RunConfig
from digit_exp.app.values import plain
from digit_exp.registry import ConfigError
from digit_exp.sweep import search


@cache
def publish() -> None:
    """Offer the fields and defaults of every class to Hydra, for the `defaults` of YAML files.

    `schema/adam` in the group optimizer also holds `name: adam`, which `structure` goes by. A
    group without a registry, such as trainer, has one `schema`.
    """
    search.register()
    guard(conf_dir())
    store = ConfigStore.instance()
    for group, cls in GROUPS.items():
        if group not in FAMILIES:
            store.store(group=group, name="schema", package=group, node=_schema(cls))
            continue
        for name in FAMILIES[group].names():
            node = _schema(FAMILIES[group][name], name=name)
            store.store(group=f"{group}/schema", name=name, package=group, node=node)


def _schema(cls: type, **extra: str) -> DictConfig:
    node = OmegaConf.create({**extra, **defaults(cls)})
    for name, hint in field_types(cls).items():
        if get_origin(hint) is dict:  # the one place where new keys may be written: tags
            OmegaConf.set_struct(node[name], False)
    return node


def structure(cfg: DictConfig) -> RunConfig:
    """Return the checked objects, or raise ConfigError with everything that is wrong."""
    return from_mapping(plain_mapping(cfg))


def plain_mapping(cfg: DictConfig) -> dict[str, Any]:
    """Return what `cfg` holds; references to other values stay unresolved, to be refused."""
    container: Any = OmegaConf.to_container(cfg, resolve=False)
    return dict(container)


def as_yaml(mapping: Mapping[str, Any]) -> str:
    """Return a plain mapping as Hydra writes it."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(mapping)))


def from_mapping(mapping: Mapping[str, Any]) -> RunConfig:
    """Return the configuration that `resolved` wrote down; raises ConfigError as `structure`."""
    reading = Reading(mapping)
    if reading.problems:
        raise ConfigError(*reading.problems)
    return RunConfig(**reading.parts)


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
    """Return the same for what `resolved` wrote down, whether or not it can still be run."""
    families = {f"{family}.name": family for family in FAMILIES}
    return {families.get(path, path): value for path, value in leaves(mapping, {})}


def from_flat(values: Mapping[str, Any]) -> RunConfig:
    """Return the configuration of which `flatten` returned `values`."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        path = [key, "name"] if key in FAMILIES else key.split(".")
        node = tree
        for parent in path[:-1]:
            node = node.setdefault(parent, {})
        node[path[-1]] = value
    return from_mapping(tree)


def differences(config: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Return what was chosen otherwise than by default, as `(default, value)` by key.

    The fields of a component are compared with the defaults of its own class.
    """
    standard = {name: getattr(RunConfig, name) for name in ROOT}
    for item in OmegaConf.load(conf_dir() / "config.yaml").defaults:
        standard |= item if isinstance(item, Mapping) else {}
    for group in GROUPS:
        own = leaves(defaults(type(getattr(config, group))), {}, f"{group}.")
        standard |= {path: None if value == ABSENT else value for path, value in own}
    return {
        path: (standard.get(path), value)
        for path, value in flatten(config).items()
        if value != standard.get(path)
    }
