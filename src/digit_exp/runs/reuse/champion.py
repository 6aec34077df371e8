"""Whether a run may become champion: a paired test on images that no network was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digit_exp.data.dataset import Dataset
from digit_exp.runs.build import load_data, train_val_splits
from digit_exp.runs.reuse.found_run import FoundRun, RunError

MIN_IMAGES = 200
"""Fewer images are too few for a comparison."""


@dataclass(frozen=True)
class PairedComparison:
    """Results of two networks on the same validation images."""

    images: int
    challenger: int
    """Images that the challenger classifies correctly."""
    champion: int
    only_challenger: int
    only_champion: int
    p_worse: float
    """The p-value of McNemar's exact test that the challenger is worse."""

    @property
    def is_worse(self) -> bool:
        """Whether the challenger is significantly worse, at the 5 % level."""
        from digit_exp.analysis.statistics import SIGNIFICANCE  # SciPy: not for --help

        return self.p_worse < SIGNIFICANCE

    def lines(self) -> list[str]:
        """Return the comparison as lines of text."""
        rows = [
            ("challenger", self.challenger, self.only_challenger),
            ("champion", self.champion, self.only_champion),
        ]
        return [
            f"on {self.images:,} validation images that neither was trained on:",
            *(
                f"  {name:<10}  {right / self.images:7.2%} correct, {alone} only by it"
                for name, right, alone in rows
            ),
            f"  McNemar's exact test that the challenger is worse: p = {self.p_worse:.3g}",
        ]


def compare_paired(challenger: FoundRun, champion: FoundRun) -> PairedComparison:
    """Compare two runs on the validation images that they share.

    Raises RunError if their data differ, or if they share too few validation images.
    """
    from scipy.stats import binomtest

    dataset = _dataset(challenger, champion)
    both = np.intersect1d(_held_out(challenger, dataset), _held_out(champion, dataset))
    if len(both) < MIN_IMAGES:
        raise RunError(
            f"{challenger.label} and the champion {champion.label} share only {len(both)}"
            " validation images. Train one with the other's seed and data.val_ratio, or use --force"
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
    return PairedComparison(len(both), int(ours.sum()), int(theirs.sum()), gained, lost, p)


def _dataset(challenger: FoundRun, champion: FoundRun) -> Dataset:
    """Load the data set that both runs were trained on."""
    dataset = load_data(challenger.run_config().data)
    for run in (challenger, champion):
        if run.data_digest != dataset.digest:
            raise RunError(
                f"the data set {dataset.name} has changed since {run.label} was trained, so"
                f" it cannot be compared with {challenger.label}. Use --force to skip the test"
            )
    return dataset


def _held_out(run: FoundRun, dataset: Dataset) -> NDArray[np.intp]:
    """Return the rows of a run's validation split."""
    return train_val_splits(run.run_config(), dataset)[1].rows
