"""Configurations composed by Hydra from the files of `conf/`, for the tests of several packages."""

from hydra import compose as hydra_compose
from hydra import initialize_config_dir

from digit_exp.config.compose import compose
from digit_exp.config.composition.loader import plain_mapping, publish
from digit_exp.config.parse import from_mapping
from digit_exp.config.paths import conf_dir
from digit_exp.registry import ConfigError


def composed(*overrides, **options):
    """Return what Hydra composes."""
    publish()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return hydra_compose("config", list(overrides), **options)


def configured(*overrides):
    """Return the checked configuration."""
    return from_mapping(plain_mapping(composed(*overrides)))


def check(overrides, **options):
    """Return everything that is wrong with a command line; of a sweep, with every job."""
    try:
        compose(overrides, **options)
    except ConfigError as error:
        return list(error.problems)
    return []
