"""The fields of every registered class as schemas of Hydra, and a composed configuration checked.

Hydra composes the files; what comes out is read by the annotations of the registered classes
alone, and not by OmegaConf's types: those would stop at the first mistake and know no ranges.
"""

from __future__ import annotations

from functools import cache
from typing import Any, get_origin

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from digit_exp.config.parse import GROUPS, defaults, field_types, from_mapping
from digit_exp.config.schema import FAMILIES, RunConfig


@cache
def publish() -> None:
    """Offer the fields and defaults of every class to Hydra, for the `defaults` of YAML files.

    `schema/adam` in the group optimizer also holds `name: adam`, which `structure` goes by. A
    group without a registry, such as trainer, has one `schema`.
    """
    OmegaConf.clear_resolver("oc.env")  # no file reads the environment
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
