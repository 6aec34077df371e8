"""Runs side by side: differences of configuration, and paired tests on the same images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digit_exp.analysis.predictions import Predictions
from digit_exp.analysis.replicates import Config, decides, identity
from digit_exp.analysis.statistics import SIGNIFICANCE, bootstrap, holm, mcnemar, wilson
from digit_exp.arrays import Labels, Metrics

Interval = tuple[float, float]


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs that are compared."""

    name: str
    id: str
    status: str
    config: Config
    metrics: Mapping[str, float]
    history: Sequence[Metrics] = ()
    test_predictions: Predictions | None = None
    """None if it was not tested."""
    val_predictions: Predictions | None = None
    """None if it has none; runs of version 0.1 do not."""
    val_images: int | None = None
    """How many images its validation accuracy was measured on."""
    folder: Path | None = None
    """Its folder, if it is on this machine."""
    page: str | None = None
    """The address of its page in MLflow."""

    @property
    def validation(self) -> Interval | None:
        """The interval of its validation accuracy, too narrow by what choosing an epoch adds."""
        share = self.metrics.get("best_val_acc")
        if share is None or self.val_images is None:
            return None
        return wilson(round(share * self.val_images), self.val_images)


@dataclass(frozen=True)
class PairedTest:
    """Two runs that read the same images, by their places among the runs."""

    first: int
    second: int
    only_first: Labels
    """The images that only the first classifies correctly, the clearest first."""
    only_second: Labels
    difference: float
    """Accuracy of the first minus that of the second."""
    interval: Interval
    p: float
    """The p-value of McNemar's test, corrected for the number of pairs."""
    uncorrected: float
    """The p-value of this pair without the correction."""


def accuracy_interval(predictions: Predictions) -> Interval:
    """Return the interval of the accuracy on any such images."""
    return wilson(int(predictions.is_right.sum()), len(predictions.labels))


def loss_interval(predictions: Predictions) -> Interval:
    """Return the interval of the mean cross-entropy."""
    return bootstrap(predictions.losses)


def differing(runs: Sequence[ComparedRun]) -> list[str]:
    """Return the keys of the configuration in which the runs differ, the seed included."""
    keys = dict.fromkeys(key for one in runs for key in one.config)
    return [
        key
        for key in keys
        if decides(key) and len({identity(one.config.get(key)) for one in runs}) > 1
    ]


def paired_tests(runs: Sequence[ComparedRun]) -> list[PairedTest]:
    """Compare the first run with each other one that was tested on the same images."""
    return _paired_tests([one.test_predictions for one in runs])


def validation_tests(runs: Sequence[ComparedRun]) -> list[PairedTest]:
    """Compare the first run with each other one that has the same validation images."""
    return _paired_tests([one.val_predictions for one in runs])


def better(test: PairedTest) -> int | None:
    """Return the place of the run that is shown to be better, if one is."""
    if test.p >= SIGNIFICANCE:
        return None
    return test.first if test.difference > 0 else test.second


def _paired_tests(found: Sequence[Predictions | None]) -> list[PairedTest]:
    ours = found[0]
    if ours is None:
        return []
    pairs = [
        (place, theirs)
        for place, theirs in enumerate(found[1:], 1)
        if theirs is not None and np.array_equal(theirs.labels, ours.labels)
    ]
    alone = [mcnemar(ours.is_right, theirs.is_right) for _, theirs in pairs]
    return [
        _paired_test(ours, theirs, place, *p)
        for (place, theirs), *p in zip(pairs, holm(alone), alone, strict=True)
    ]


def _paired_test(
    ours: Predictions, theirs: Predictions, place: int, p: float, uncorrected: float
) -> PairedTest:
    gain = ours.is_right.astype(np.float64) - theirs.is_right
    return PairedTest(
        0,
        place,
        _clearest(np.flatnonzero(gain > 0), ours, theirs),
        _clearest(np.flatnonzero(gain < 0), theirs, ours),
        float(gain.mean()),
        bootstrap(gain),
        p,
        uncorrected,
    )


def _clearest(images: Labels, winner: Predictions, loser: Predictions) -> Labels:
    """Sort images by how far the chances that both gave to the true class are apart."""
    labels = winner.labels[images]
    apart = winner.probabilities[images, labels] - loser.probabilities[images, labels]
    return images[np.argsort(-apart, kind="stable")]
