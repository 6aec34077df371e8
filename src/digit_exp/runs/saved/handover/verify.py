"""`verify RUN|FILE.zip`: a run is trained again, and the result is judged against luck.

The training and the comparison are those of `reproduce`. What is added is how far results may be
apart: as far as those of two seeds, if runs here show how far that is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from digit_exp.runs.saved.found_run import FoundRun
from digit_exp.runs.saved.reproduce import (
    JUDGED_METRICS,
    TOLERANCE,
    Reproduction,
    Verdict,
    reproduce,
)
from digit_exp.runs.saved.views.listing import recorded_config
from digit_exp.tracking.tags import Tag

FEWEST = 3
"""Seeds from which a spread is estimated."""
FREE = ("seed", "run_name", "tracking")
"""Keys, or groups, in which replicates may differ."""
WORDS = {
    Verdict.identical: "bit-identical",
    Verdict.tolerable: "same within seeds",
    Verdict.different: "not reproduced",
}


@dataclass(frozen=True)
class Limit:
    """How far accuracies may be apart, as a share, and how many seeds say so."""

    difference: float
    seeds: int
    """0 if there are too few, and the tolerance of `reproduce` holds."""

    def sentence(self) -> str:
        """Return the rule in words."""
        points = f"{100 * self.difference:.3g} points"
        if not self.seeds:
            return f"accuracies within {points}, as there are no {FEWEST} seeds of it here"
        return f"accuracies within {points}, as 95 % of two seeds are; {self.seeds} seeds are here"


@dataclass(frozen=True)
class Verification:
    """A run that was trained again, and by which rule it was judged."""

    found: Reproduction
    limit: Limit

    @property
    def verdict(self) -> str:
        """bit-identical, same within seeds, or not reproduced."""
        return WORDS[self.found.verdict]

    @property
    def is_verified(self) -> bool:
        """Whether the run came to the same, to the bit or within the limit."""
        return self.found.verdict is not Verdict.different

    def lines(self) -> Iterator[str]:
        """Yield the comparison as lines of text, the verdict last."""
        yield from [*self.found.lines()][:-1]
        yield f"data: the same, {self.found.original.data_digest[:12]}"
        yield f"rule: {self.limit.sentence()}"
        yield f"verdict: {self.verdict}"

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `verify --json` prints: that of `reproduce`, and the rule."""
        return {
            **self.found.as_json(),
            "verdict": self.verdict,
            "data_digest": self.found.original.data_digest,
            "seeds": self.limit.seeds,
        }


def verify(original: FoundRun, folder: Path, others: Sequence[FoundRun]) -> Verification:
    """Train a run again in `folder` and judge it; `others` may have replicates of it.

    Raises what `reproduce` does.
    """
    found = reproduce(original, folder, track=False, tolerance=TOLERANCE)
    limit = limit_of(original, others)
    return Verification(replace(found, tolerance=limit.difference), limit)


def limit_of(original: FoundRun, others: Sequence[FoundRun]) -> Limit:
    """Return how far two runs of one configuration may be apart.

        t(0.975, n − 1) · s · √2        of n seeds with the standard deviation s

    covers the difference of two seeds in 95 of 100 cases. The larger one of the judged metrics.
    """
    replicates = _replicates(original, others)
    if len(replicates) < FEWEST:
        return Limit(TOLERANCE, 0)
    from digit_exp.analysis.statistics import spread_of_two

    limits = [
        spread_of_two([run.metrics[name] for run in replicates])
        for name in JUDGED_METRICS
        if all(name in run.metrics for run in replicates)
    ]
    return Limit(max(limits, default=TOLERANCE), len(replicates) if limits else 0)


def _replicates(original: FoundRun, others: Sequence[FoundRun]) -> list[FoundRun]:
    """Return a finished run of each seed with the configuration and the data of `original`."""
    config, found = _fixed(original), {original.config.get("seed"): original}
    for run in others:
        is_same = run.tags.get(Tag.DATA_DIGEST) == original.data_digest and _fixed(run) == config
        if run.status == "FINISHED" and is_same:
            found.setdefault(run.config["seed"], run)
    return list(found.values())


def _fixed(run: FoundRun) -> dict[str, object]:
    config = recorded_config(run)
    return {key: value for key, value in config.items() if key.split(".")[0] not in FREE}
