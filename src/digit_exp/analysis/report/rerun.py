"""The command line and the preset that run a job again."""

import shlex

from digit_exp.analysis.replicates import Config, decides
from digit_exp.config.overrides import override
from digit_exp.config.parse import nested
from digit_exp.config.serialize import as_yaml

PROGRAM = "python -m digit_exp"

ROOT = ("seed", "run_name", "start_from")
"""Keys without a dot that are values. The others are choices of groups."""


def command(config: Config) -> str:
    """Return the command line that runs a configuration again, ready to paste into a shell.

    >>> command({"seed": 1, "optimizer": "adam", "model.hidden": [128, 64]})
    "python -m digit_exp optimizer=adam seed=1 'model.hidden=[128,64]'"
    """
    words = [override(key, value) for key, value in _ordered(config)]
    return shlex.join([*PROGRAM.split(), *words])


def preset(config: Config, comment: str) -> str:
    """Return the YAML of an experiment preset that holds every value of a configuration."""
    choices = [key for key in config if _is_choice(key)]
    values = {key: value for key, value in _ordered(config) if not _is_choice(key)}
    return "\n".join(
        [
            "# @package _global_",
            *(f"# {line}" for line in comment.splitlines()),
            "defaults:",
            *(f"  - override /{choice}: {config[choice]}" for choice in choices),
            "",
            as_yaml(nested(values)),
        ]
    )


def _ordered(config: Config) -> list[tuple[str, object]]:
    """Return what decides the result: choices of groups, then the seed, then the groups' fields."""
    kept = [item for item in config.items() if decides(item[0])]
    return sorted(kept, key=lambda item: (not _is_choice(item[0]), "." in item[0]))


def _is_choice(key: str) -> bool:
    return "." not in key and key not in ROOT
