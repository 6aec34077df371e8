"""Jobs that are listed: keys whose values go together, or a file with a mapping for each job.

    sweep.zip={optimizer: [sgd, adam], optimizer.lr: [0.1, 0.001]}
    sweep.jobs=jobs.csv

Each row is one set of overrides. Swept keys are combined with the rows, as a product.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from digit_exp.config.composition.override_syntax import ONCE, is_text, misuse
from digit_exp.config.composition.untrusted_files import suspicion
from digit_exp.config.convert import InvalidValue, convert
from digit_exp.config.overrides import override
from digit_exp.config.parse import leaves
from digit_exp.config.schema import LAUNCH
from digit_exp.registry import ConfigError, Problem

ZIP, JOBS = "sweep.zip", "sweep.jobs"

EXAMPLE = "{optimizer: [sgd, adam], optimizer.lr: [0.1, 0.001]}"


@dataclass(frozen=True)
class Rows:
    """Rows of words, which are read as those of a command line."""

    source: str = ""
    """What messages call them."""
    words: Sequence[Sequence[str]] = ()
    overrides: list[Sequence[Override]] = field(default_factory=lambda: [()])
    """What was read of each; a single empty row stands for no rows."""

    def label(self, numbers: Iterable[int]) -> str:
        """Return what rows are called; they count from 1.

        >>> Rows("jobs.csv").label([0, 4])
        'rows 1, 5 of jobs.csv'
        """
        listed = [str(number + 1) for number in numbers]
        shown = ", ".join(listed[:8]) + (", ..." if len(listed) > 8 else "")
        return f"{'row' if len(listed) == 1 else 'rows'} {shown} of {self.source}"


def read_rows(zipped: object, file: object) -> Rows | None:
    """Return the rows that `sweep.zip` or `sweep.jobs` asks for, None if neither is set.

    Raises ConfigError if there are none. What a field refuses is not known here.
    """
    if zipped is None and file is None:
        return None
    if zipped is not None and file is not None:
        raise ConfigError.at(ZIP, f"excludes {JOBS}; write all rows into the file")
    return _zip(zipped) if file is None else _file(file)


def row_problem(found: Override, given: Mapping[str, object]) -> Problem | None:
    """Return why a row cannot set a key, given the keys that the command line sets."""
    key = found.key_or_group
    if key in ONCE or key.startswith(("hydra.", "hydra/")):
        return Problem(key, "is the same for all jobs; set it on the command line")
    if key in given:
        return Problem(key, "is set on the command line too; set it in one place")
    if found.is_sweep_override():
        return Problem(key, f"has one value in a row, got {str(found.input_line)!r}")
    return misuse(found, is_sweep=True, is_search=False)


def _zip(value: object) -> Rows:
    try:
        columns = convert(value, LAUNCH[ZIP])
    except InvalidValue as refused:
        raise ConfigError.at(ZIP, str(refused)) from None
    lengths = {key: len(values) for key, values in columns.items()}
    if not any(lengths.values()):
        raise ConfigError.at(ZIP, f"has no values; write {EXAMPLE}")
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{key}: {count}" for key, count in lengths.items())
        raise ConfigError.at(ZIP, f"needs lists of the same length, got {found}")
    rows = (zip(columns, values, strict=True) for values in zip(*columns.values(), strict=True))
    return Rows(ZIP, [[override(key, value) for key, value in row] for row in rows])


def _file(value: object) -> Rows:
    file = Path(str(value)).expanduser()
    readers = {".csv": _csv, ".yaml": _yaml, ".yml": _yaml}
    if (reader := readers.get(file.suffix.lower())) is None:
        raise ConfigError.at(JOBS, f"must end in {', '.join(readers)}, got {str(value)!r}")
    try:
        rows = reader(file)
    except (OSError, ValueError, YAMLError, OmegaConfBaseException, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise ConfigError.at(JOBS, f"{file} cannot be read: {reason}") from error
    if not rows:
        raise ConfigError.at(JOBS, f"{file} has no rows")
    return Rows(file.name, rows)


def _csv(file: Path) -> list[list[str]]:
    """Read a table: a column for each key, an empty cell for a value that is not set."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.DictReader(opened, skipinitialspace=True, strict=True)
        keys = [(key or "").strip() for key in reader.fieldnames or ()]
        if "" in keys or len({*keys}) < len(keys):
            raise ValueError(f"its first line must have another key for each column, got {keys}")
        rows = []
        for number, row in enumerate(reader, 1):
            cells = [*row.values()]
            if None in row or None in cells:
                found = len(keys) + len(row.get(None) or ()) - cells.count(None)
                raise ValueError(f"row {number} has {found} cells, the first line {len(keys)}")
            pairs = zip(keys, cells, strict=True)
            rows.append([_word(key, cell.strip()) for key, cell in pairs if cell.strip()])
    return rows


def _word(key: str, cell: str) -> str:
    """Return the word for a cell: text needs no quotes, whatever is in it."""
    return override(key, cell) if is_text(key) and cell != "null" else f"{key}={cell}"


def _yaml(file: Path) -> list[list[str]]:
    """Read a list of mappings, whose keys may be nested or dotted."""
    if (reason := suspicion(file)) is not None:
        raise ValueError(f"it {reason}")
    content: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ValueError("it must be a list, with a mapping of keys to values for each job")
    return [[override(key, value) for key, value in leaves(row, {})] for row in content]
