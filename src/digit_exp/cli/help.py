"""The text of `--help`, read from the files of `conf/` alone.

Neither Hydra nor the components are imported: that would take ten times as long as all the rest.
"""

import yaml  # type: ignore[import-untyped]

from digit_exp.cli.parser import COMMANDS, help_of
from digit_exp.config.paths import choices, conf_dir

INTRODUCTION = """\
digit-exp [train] [GROUP=CHOICE] [KEY=VALUE] ...    the same as python -m digit_exp
digit-exp COMMAND ...

Trains a neural network, written from scratch in NumPy, on images of digits. Without arguments it
trains on MNIST and tracks the run in MLflow.
"""

EXAMPLES = """\
Examples

  digit-exp experiment=debug                               a tiny run, in seconds
  digit-exp model.hidden=[256,128] optimizer.lr=0.01       another network and learning rate
  digit-exp optimizer=lion schedule=warmup_cosine          another way to train
  digit-exp data=folder data.dir=my_pictures augmentation=full  your own images
  digit-exp -m seed=1,2,3 regularization=none,dropout      six runs, one for each combination
  digit-exp sweep=tpe pruner=asha                          a search, whose losing runs stop early
  digit-exp resume=latest                                  go on with an interrupted run
  digit-exp start_from=best optimizer.lr=1e-4              begin with the weights of another run

Results go below the folder it is started in: log, checkpoints and figures to outputs/, metrics and
everything to compare runs with to mlruns/.

eval "$(digit-exp -sc install=bash)" lets TAB complete groups, choices and keys. (With the command
digit-exp only, not with python -m.)

--dry-run with any command line shows its jobs, which of them are done, and how long it will take.
--explain KEY shows which class, files and words set a value, and who won.
digit-exp --cfg job [...] shows every key and value that a command line leads to. --version is the
version of digit-exp; --hydra-help explains Hydra's own options, train --version is Hydra's version.
"""


def help_text(config_dir: str | None = None) -> str:
    """Return what the program does, its groups with a line for each choice, and examples.

    The choices in the folder `config_dir` are among them.
    """
    groups = "\n".join(_group(*group, config_dir) for group in _defaults().items())
    return f"{INTRODUCTION}\n{_commands()}\n{groups}\n{EXAMPLES}"


def _commands() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {help_of(command)[0]}" for name, command in COMMANDS.items()]
    return "\n".join(["Commands, each with its own --help", "", *lines, ""])


def _group(group: str, default: str | None, config_dir: str | None) -> str:
    lines = [group]
    for name, purpose in choices(group, config_dir):
        lines.append(f"  {name:<19} {purpose}{' [default]' if name == default else ''}")
    return "\n".join([*lines, ""])


def _defaults() -> dict[str, str | None]:
    """Return the groups and their default choices, in the order of the table of contents."""
    config = yaml.safe_load((conf_dir() / "config.yaml").read_text(encoding="utf-8"))
    return {
        group: choice
        for entry in config["defaults"]
        if isinstance(entry, dict)  # not _self_
        for group, choice in entry.items()
        if not group.startswith("override ")
    }
