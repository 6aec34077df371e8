"""Whether a run may become champion: on images that neither network has learnt from, in pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digit_exp.data.dataset import Dataset
from digit_exp.runs.build import load, splits
from digit_exp.runs.reuse.found_run import FoundRun, RunError

FEWEST = 200
"""Images on which a comparison still says something."""


@dataclass(frozen=True)
class Duel:
    """How two networks read the same validation images."""

    images: int
    challenger: int
    """How many images the challenger reads right."""
    champion: int
    only_challenger: int
    only_champion: int
    p_worse: float
    """How likely so many of the images that one alone reads right were the champion's by chance."""

    @property
    def is_worse(self) -> bool:
        """Whether the challenger is worse, at the 5 % level."""
        from digit_exp.analysis.statistics import SIGNIFICANCE  # SciPy: not for --help

        return self.p_worse < SIGNIFICANCE

    def lines(self) -> list[str]:
        """Return the comparison for a person."""
        rows = [
            ("challenger", self.challenger, self.only_challenger),
            ("champion", self.champion, self.only_champion),
        ]
        return [
            f"on {self.images:,} validation images that neither has learnt from:",
            *(
                f"  {name:<10}  {right / self.images:7.2%} right, {alone} of them alone"
                for name, right, alone in rows
            ),
            f"  McNemar's exact test that the challenger is worse: p = {self.p_worse:.3g}",
        ]


def duel(challenger: FoundRun, champion: FoundRun) -> Duel:
    """Compare two runs on the validation images that they share.

    Raises RunError if they were trained on other data, or held out too few of the same images.
    """
    from scipy.stats import binomtest

    dataset = _dataset(challenger, champion)
    both = np.intersect1d(_held_out(challenger, dataset), _held_out(champion, dataset))
    if len(both) < FEWEST:
        raise RunError(
            f"{challenger.label} and the champion {champion.label} held out only {len(both)} of the"
            " same validation images. Train one with the other's seed and data.val_ratio, or use"
            " --force"
        )
    images = dataset.train.images[both]
    labels = np.empty(len(dataset.train.images), np.intp)
    labels[dataset.train.rows] = dataset.train.labels
    ours, theirs = (run.network().predict(images) == labels[both] for run in (challenger, champion))
    gained, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    p = (
        float(binomtest(lost, gained + lost, alternative="greater").pvalue)
        if gained + lost
        else 1.0
    )
    return Duel(len(both), int(ours.sum()), int(theirs.sum()), gained, lost, p)


def _dataset(challenger: FoundRun, champion: FoundRun) -> Dataset:
    """Load the data that both were trained on."""
    dataset = load(challenger.run_config().data)
    for run in (challenger, champion):
        if run.data_digest != dataset.digest:
            raise RunError(
                f"{run.label} was not trained on the data {dataset.name} as {challenger.label}"
                " reads it today, so the two cannot be compared. Use --force if you are sure"
            )
    return dataset


def _held_out(run: FoundRun, dataset: Dataset) -> NDArray[np.intp]:
    """Return the rows of a run's validation set."""
    return splits(run.run_config(), dataset)[1].rows
