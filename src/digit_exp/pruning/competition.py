"""Whether a job falls behind the others of its sweep: the rule of a pruner applied to histories."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from digit_exp.pruning.pruners import History, Pruner


@dataclass(frozen=True)
class Competition:
    """One job among others, of which `rivals` returns what they have measured, by number.

    Looking that up costs time, so it is called only when there is something to ask.
    """

    pruner: Pruner
    rivals: Callable[[], Mapping[int, History]]
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
