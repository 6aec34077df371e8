"""Values as overrides of a command line, in the grammar of Hydra's parser."""

import re
import shlex
from collections.abc import Mapping
from enum import Enum

PLAIN = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z_][\w./-]*", re.ASCII | re.IGNORECASE)
"""Text that Hydra reads as the same text without quotes."""


def override(key: str, value: object) -> str:
    r"""Return the override that gives `key` a value, for Hydra's parser.

    >>> override("optimizer.lr", 3.2e-05), override("model.hidden", [128, 64])
    ('optimizer.lr=3.2e-05', 'model.hidden=[128,64]')
    >>> override("run_name", "it's"), override("run_name", None)
    ("run_name='it\\'s'", 'run_name=null')
    """
    return f"{key}={written(value)}"


def written(value: object) -> str:
    """Return a value in Hydra's grammar of overrides."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(written, value))}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return _text(value.name if isinstance(value, Enum) else str(value))


def typed(word: str) -> str:
    """Return a word as it is typed into a shell.

    >>> print(typed("seed=1"), typed("run_name='a b'"))
    seed=1 "run_name='a b'"
    """
    if shlex.quote(word) == word or set(word) & set('"$`!\\'):
        return shlex.quote(word)
    return f'"{word}"'


def _text(text: str) -> str:
    if PLAIN.fullmatch(text):
        return text
    # A backslash counts as such unless a quote follows.
    quoted = re.sub(r"(\\*)('|\Z)", lambda at: 2 * at[1] + (r"\'" if at[2] else ""), text)
    return f"'{quoted}'"
