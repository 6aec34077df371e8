"""The verdicts of `digit-exp try`, kept in a file with a line of JSON for each."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from digit_exp.analysis.objective import Objective
from digit_exp.analysis.sequential import Decision
from digit_exp.atomic import append_lines
from digit_exp.runs.saved.lookup import OUTPUTS

LEDGER = OUTPUTS / "verdicts.jsonl"


@dataclass(frozen=True)
class Pair:
    """The scores of both sides with one seed; None if it diverged."""

    seed: int
    baseline: float | None
    change: float | None

    @property
    def difference(self) -> float:
        """Score of the change minus that of the baseline."""
        return (self.change or 0.0) - (self.baseline or 0.0)


@dataclass(frozen=True)
class Verdict:
    """The decision on a change, with the pairs that led to it."""

    name: str
    """The name of the sweep with the runs."""
    verdict: Decision
    change: list[str]
    """The words that make it."""
    against: str
    effect: float | None
    """The mean difference of the best validation accuracy, change − baseline."""
    interval: tuple[float | None, float | None]
    """The interval of the mean difference; None for an end that is not known."""
    pairs: Sequence[Pair]
    alpha: float
    indifference: float
    seconds: float
    """Training time of all runs of the pairs, reused runs included."""
    decided: str
    """When, in UTC."""
    remark: str | None = None

    def text(self) -> str:
        """Return the verdict as a sentence for a person."""
        said, n = str(self.verdict), len(self.pairs)
        if self.verdict == "no difference":
            said = f"no difference of more than {Objective().spread(self.indifference)} points"
        if self.remark is not None or self.effect is None:
            return f"{said}: {self.remark or 'no pair was trained'}"
        found = f"{said}: {points(self.effect)} points after {n} pair{'s' if n > 1 else ''}"
        ends = [points(end) for end in self.interval if end is not None]
        return f"{found}, the interval is {' to '.join(ends)}" if ends else found


def points(share: float) -> str:
    """Write a difference of accuracies in percentage points.

    >>> points(0.0042)
    '+0.42'
    """
    return f"{100 * share:+.2f}"


def record(verdict: Verdict, ledger: Path = LEDGER) -> None:
    """Append a verdict, whole and in one write, unless the same one is there."""
    line = asdict(verdict)
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(ledger.with_name(f".{ledger.name}.lock")):
        plain = json.loads(json.dumps(line))
        if any({**plain, "decided": known.get("decided")} == known for known in verdicts(ledger)):
            return
        append_lines(ledger, json.dumps(line, allow_nan=False) + "\n", durable=True)


def verdicts(ledger: Path = LEDGER) -> list[dict[str, Any]]:
    """Return the verdicts, the oldest first; a line that was cut off is left out."""
    try:
        lines = ledger.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError):
            found.append(json.loads(line))
    return [each for each in found if isinstance(each, dict) and "verdict" in each]
