"""The reference of all configuration, in Markdown.

    python -m digit_exp.config.reference_page > docs/configuration.md

Types, ranges and defaults are those of the registered classes; what a field means is the comment
beside it in `conf/`. A test holds the page to both.
"""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from digit_exp.config.convert import NOUNS, Hint, quoted, unwrapped
from digit_exp.config.parse import ABSENT, GROUPS, ROOT, defaults, leaf_types, leaves
from digit_exp.config.paths import choices, conf_dir
from digit_exp.config.schema import FAMILIES, LAUNCH, PRESETS
from digit_exp.config.serialize import read_yaml

INTRODUCTION = """\
# Configuration

Every group, every choice, every key. This page is generated from the registered classes and from
`conf/`, and a test holds it to them; write it anew with

    python -m digit_exp.config.reference_page > docs/configuration.md

A key is set by `KEY=VALUE` on the command line or in a YAML file, a group by `GROUP=CHOICE`. The
keys of a group depend on the choice. `python -m digit_exp --cfg job ...` shows what a command line
leads to.
"""

LINE = re.compile(r"^(?P<indent> *)(?P<key>\w+):(?P<value>[^#]*)(?:# ?(?P<comment>.*))?$")
MORE = re.compile(r"^ +# ?(?P<comment>.*)$")


def reference() -> str:
    """Return the page, in Markdown."""
    types, notes = {**ROOT, **LAUNCH}, comments(conf_dir() / "config.yaml")
    parts = [INTRODUCTION, "## The run itself\n", *_table(launch_defaults(), types, notes, "")]
    for group, cls in GROUPS.items():
        parts.append("\n".join(_family(group) if group in FAMILIES else _plain(group, cls)))
    parts += ["\n".join(_presets(group)) for group in PRESETS]
    return "\n".join(parts)


def type_in_words(hint: Hint) -> str:
    """Return the values that a field may have, in words.

    >>> from digit_exp.registry import Count, Fraction
    >>> type_in_words(Fraction), type_in_words(Count | None), type_in_words(list[Count])
    ('number in [0, 1)', 'whole number at least 1, or null', 'list of: whole number at least 1')
    """
    kind, limits, may_be_null = unwrapped(hint)
    origin: object = get_origin(kind)
    if origin is list:
        words = f"list of: {type_in_words(*get_args(kind))}"
    elif origin is dict:
        has_lists = get_origin(get_args(kind)[1]) is list
        words = "keys with lists" if has_lists else "names and texts"
    elif issubclass(kind, Enum):
        words = ", ".join(f"`{member.name}`" for member in kind)
    else:
        words = " ".join([NOUNS[kind], *map(str, limits)])
    return f"{words}, or null" if may_be_null else words


def comments(file: Path) -> dict[str, str]:
    """Return the comment behind each key of a YAML file, by its dotted path."""
    found: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    path = ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if match := LINE.match(line):
            indent = len(match["indent"])
            parents = [parent for parent in parents if parent[0] < indent]
            path = ".".join([*(key for _, key in parents), match["key"]])
            parents.append((indent, match["key"]))
            if match["comment"]:
                found[path] = match["comment"].strip()
        elif path in found and (more := MORE.match(line)):
            found[path] += f" {more['comment'].strip()}"
    return found


def launch_defaults() -> dict[str, Any]:
    """Return the defaults of what belongs to no group."""
    values = dict(leaves(read_yaml(conf_dir() / "config.yaml"), LAUNCH))
    return {key: values[key] for key in (*ROOT, *LAUNCH)}


def _family(group: str) -> Iterator[str]:
    yield f"## {group}\n"
    for name, purpose in choices(group):
        if name not in FAMILIES[group].names():
            continue
        cls = FAMILIES[group][name]
        yield f"### {group}={name}\n\n{purpose}\n"
        notes = comments(conf_dir() / group / f"{name}.yaml")
        yield from _fields(group, cls, notes)


def _plain(group: str, cls: type) -> Iterator[str]:
    notes: dict[str, str] = {}
    yield f"## {group}\n"
    for name, purpose in choices(group):
        yield f"- `{group}={name}`: {purpose}"
        notes = {**comments(conf_dir() / group / f"{name}.yaml"), **notes}
    yield ""
    yield from _fields(group, cls, notes)


def _fields(group: str, cls: type, notes: Mapping[str, str]) -> Iterator[str]:
    types = leaf_types(cls)
    values = dict(leaves(defaults(cls), types))
    if values:
        yield from _table(values, types, notes, f"{group}.")
    else:
        yield "No keys.\n"


def _table(
    values: Mapping[str, Any], types: Mapping[str, Any], notes: Mapping[str, str], prefix: str
) -> Iterator[str]:
    yield "| key | default | may be | |\n|---|---|---|---|"
    for key, value in values.items():
        written = value if isinstance(value, str) else quoted(value)
        default = "must be given" if value == ABSENT else f"`{written}`"
        cells = [f"`{prefix}{key}`", default, type_in_words(types[key]), notes.get(key, "")]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _presets(group: str) -> Iterator[str]:
    yield f"## {group}\n\nPresets: each sets values of the groups above.\n"
    for name, purpose in choices(group):
        yield f"- `{group}={name}`: {purpose}"
    yield ""


if __name__ == "__main__":
    print(reference(), end="")
