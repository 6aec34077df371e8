"""Rules that say when a run of a sweep has lost and may stop early.

A rule is a pure function of what the runs have measured, epoch by epoch. So it is the same for a
grid and a search, for one process and many machines, and all that the runs share is the store
that they are tracked in. Optuna's pruners have the same rules, but each asks a study in an Optuna
storage that every worker must reach and write to: a grid has no study, and the workers of a
cluster know the address of the MLflow server only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import Annotated

from digit_exp.arrays import Metrics
from digit_exp.registry import Component, Count, CountOrZero, Range, Registry
from digit_exp.rng import Rng

History = Mapping[int, float]
"""The values of one run by epoch (1, 2, ...), of those epochs in which they were measured."""

Rivals = Callable[[], Mapping[int, History]]
"""Returns what the other runs have measured, by their numbers, as far as they have come."""

Reduction = Annotated[int, Range(ge=2)]
"""One run in so many continues."""

Brackets = Annotated[int, Range(ge=1, le=10)]
"""How many brackets: of ten, the last begins at epoch 512 or later."""


class Pruner(Component):
    """The contract. Higher values are better; one that is not finite is worse than any other.

    A rule that asks at epoch e takes a run's values up to the first epoch from e on in which the
    run was evaluated. A run that has not come so far takes no part, and one that was pruned does.
    """

    def bracket(self, number: int) -> Pruner:
        """Return the rule to ask for the run `number` (0, 1, ...).

        Runs are rivals if their rules are equal. One rule for all of them by default.
        """
        return self

    def asks_at(self, epoch: int) -> bool:
        """Return whether anything can be asked of a run at `epoch` (1, 2, ...)."""
        raise NotImplementedError

    def threshold(self, epoch: int, rivals: Sequence[History]) -> float | None:
        """Return what the best value of a run must reach at `epoch`; None: it continues."""
        raise NotImplementedError


PRUNERS: Registry[Pruner] = Registry("pruner")


@PRUNERS.register("none")
class Unpruned(Pruner):
    """No run is pruned."""

    def asks_at(self, epoch: int) -> bool:
        return False

    def threshold(self, epoch: int, rivals: Sequence[History]) -> float | None:
        return None


@PRUNERS.register("median")
class Median(Pruner):
    """The median stopping rule (Golovin et al. 2017), in the form of Optuna's MedianPruner.

    A run r goes on past epoch e if  maxᵢ≤ₑ vᵣ(i) ≥ median{v_q(e) : rivals q}.

    With runs in parallel there may be none that is complete, so that all that have come to e
    count. It asks at the epochs  warmup_epochs + k · interval,  k = 1, 2, ...
    """

    startup_runs: Count = 5
    warmup_epochs: CountOrZero = 2
    interval: Count = 1

    def asks_at(self, epoch: int) -> bool:
        return epoch > self.warmup_epochs and (epoch - self.warmup_epochs) % self.interval == 0

    def threshold(self, epoch: int, rivals: Sequence[History]) -> float | None:
        values = [values[-1] for rival in rivals if (values := _values_until(epoch, rival))]
        if not self.asks_at(epoch) or len(values) < self.startup_runs:
            return None
        return median(values)


@PRUNERS.register("asha")
class SuccessiveHalving(Pruner):
    """Asynchronous successive halving (Li et al. 2020), in the form that stops runs at once.

    It asks at the rungs  eₖ = min_epochs · ηᵏ,  k = 0, 1, ...  Of the n runs that have come to a
    rung, this one among them, the ⌊n/η⌋ with the highest  maxᵢ≤ₑ v(i)  go on, and ties with them.
    While n < η there is no best 1/η, and a run goes on. The paper lets it wait for the others,
    which one process could not; Optuna asks it to be the best so far.
    """

    eta: Reduction = 3  # η
    min_epochs: Count = 1

    def asks_at(self, epoch: int) -> bool:
        rung = self.min_epochs
        while rung < epoch:
            rung *= self.eta
        return rung == epoch

    def threshold(self, epoch: int, rivals: Sequence[History]) -> float | None:
        best = [max(values) for rival in rivals if (values := _values_until(epoch, rival))]
        survivors = (len(best) + 1) // self.eta
        if not self.asks_at(epoch) or survivors == 0:
            return None
        # A run is among the best n if fewer than n others are better: no need to rank it too.
        return sorted(best, reverse=True)[survivors - 1]


@PRUNERS.register("hyperband")
class Hyperband(Pruner):
    """Hyperband (Li et al. 2018): successive halving, hedged against runs that are slow to start.

    Of B brackets, b = 0 … B−1 spares its runs until epoch  min_epochs · ηᵇ,  then halves them
    among themselves. With  s = B − 1 − b,  bracket b gets runs in proportion to ⌈B ηˢ / (s+1)⌉.
    For E epochs,  B = ⌊log_η(E / min_epochs)⌋ + 1  is the paper's choice.

    A run's bracket is drawn by its number alone. Blocks of numbers would not do: the jobs of a grid
    are in order, and one bracket would get all those of one learning rate.
    """

    eta: Reduction = 3  # η
    min_epochs: Count = 1
    brackets: Brackets = 3  # B

    def bracket(self, number: int) -> Pruner:
        shares = [math.ceil(self.brackets * self.eta**s / (s + 1)) for s in range(self.brackets)]
        *ends, total = accumulate(reversed(shares))
        place = Rng(0)("bracket", number).random() * total
        b = sum(place >= end for end in ends)
        return SuccessiveHalving(eta=self.eta, min_epochs=self.min_epochs * self.eta**b)


def number_of(identity: str) -> int:
    """Return a number for a run that no other run has, from its hash in hexadecimal digits."""
    return int(identity, 16) % 2**31


def by_epoch(epochs: Sequence[Metrics], metric: str) -> dict[int, float]:
    """Return a metric by epoch, of those epochs that have it."""
    return {int(epoch["epoch"]): epoch[metric] for epoch in epochs if metric in epoch}


def _values_until(epoch: int, history: History) -> list[float]:
    """Return the values in order, to the first epoch from `epoch` on; none if it ended before."""
    end = min((measured for measured in history if measured >= epoch), default=0)
    return [
        history[measured] if math.isfinite(history[measured]) else -math.inf
        for measured in sorted(history)
        if measured <= end
    ]


@dataclass(frozen=True)
class Competition:
    """One job among others, of which `rivals` returns what they have measured, by number.

    Looking that up costs time, so it is called only when there is something to ask.
    """

    pruner: Pruner
    rivals: Rivals
    number: int
    rises: bool
    """Whether more of what is measured is better."""

    def missed(self, history: History) -> float | None:
        """Return what the job should have reached by its latest step and has not, if anything.

        A step at which the rule asks, but nothing was measured, is made up for at the next one.
        """
        mine, rule = self._turned(history), self.pruner.bracket(self.number)
        *_, previous, latest = 0, *sorted(mine)
        asked = next((step for step in range(latest, previous, -1) if rule.asks_at(step)), None)
        if asked is None:
            return None
        threshold = rule.threshold(asked, self._competitors(rule))
        best = max(filter(math.isfinite, mine.values()), default=-math.inf)
        if threshold is None or best >= threshold:
            return None
        return threshold if self.rises else -threshold

    def _competitors(self, rule: Pruner) -> list[History]:
        """Return the histories of the jobs in this one's bracket, higher values being better."""
        return [
            self._turned(history)
            for number, history in self.rivals().items()
            if number != self.number and self.pruner.bracket(number) == rule
        ]

    def _turned(self, history: History) -> History:
        return {step: value if self.rises else -value for step, value in history.items()}
