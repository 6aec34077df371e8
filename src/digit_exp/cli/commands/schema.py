"""Write JSON schemas, for editors of YAML.

Writes a JSON schema for each kind of configuration file: the groups (data, model, optimizer, ...),
presets (experiment, sweep), config and search spaces. With them an editor that knows YAML completes
keys, shows what they mean and which values are allowed, and underlines wrong ones.

Put this line at the top of a file of your own (below `# @package _global_`, if it has that):

  # yaml-language-server: $schema=DIR/experiment.json
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from digit_exp.cli.exit_codes import SUCCESS
from digit_exp.cli.output import print_json


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--write",
        type=Path,
        metavar="DIR",
        help="write a file for each; without it, all are printed as one JSON object",
    )


def run(options: Namespace) -> int:
    from digit_exp.config.json_schema import schemas, write_schemas

    if options.write is None:
        print_json(schemas())
    else:
        for file in write_schemas(options.write):
            print(file)
    return SUCCESS
