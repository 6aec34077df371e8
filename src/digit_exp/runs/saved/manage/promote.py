"""Make a run's model the champion, unless a paired test finds it worse than the present one."""

import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digit_exp.runs import paths
from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.predict import write_model_of
from digit_exp.runs.saved.views.listing import as_json
from digit_exp.tracking.mlflow.queries import Trial
from digit_exp.tracking.mlflow.registered_models import (
    CHAMPION,
    PREVIOUS,
    RegisteredModel,
    Version,
)
from digit_exp.tracking.model.log import NAME
from digit_exp.tracking.tags import Tag

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


@dataclass(frozen=True)
class Promotion:
    """The result of `promote`."""

    run: FoundRun
    model: str
    """The name of the registered model."""
    version: Version | None
    """The version of the run; None if the champion stays."""
    champion: Version | None = None
    """The version that was the champion before, if any."""
    champion_run: FoundRun | None = None
    comparison: PairedComparison | None = None
    """The test against the champion, if one was made."""

    @property
    def is_champion(self) -> bool:
        """Whether the run is the champion."""
        return self.version is not None

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `promote --json` prints."""
        return {
            "run": as_json(self.run),
            "model": self.model,
            "promoted": self.is_champion,
            "version": self.version and self.version.number,
            "champion_before": self.champion and self.champion.number,
            "comparison": self.comparison and asdict(self.comparison),
        }

    def lines(self) -> Iterator[str]:
        """Yield the result as lines of text."""
        if self.champion is not None and self.champion == self.version:
            yield (
                f"{self.run.label} is the champion already: version {self.champion.number}"
                f" of {self.model}"
            )
            return
        if self.comparison is not None and self.champion_run is not None:
            yield f"challenger: {self.run.label}\nchampion:   {self.champion_run.label}"
            yield from self.comparison.lines()
        if self.version is None:
            yield "the challenger is worse; the champion stays (--force promotes it all the same)"
            return
        yield (
            f"{self.run.label}, trained on {self.run.data}, is version {self.version.number} of"
            f" {self.model} and the champion: models:/{self.model}@{CHAMPION}"
        )
        if self.champion is not None:
            yield f"version {self.champion.number} is kept as models:/{self.model}@{PREVIOUS}"


def promote(runs: Runs, text: str, *, name: str | None = None, force: bool = False) -> Promotion:
    """Make the run that `text` means the champion of the model `name`, or of that of its data set.

    With `force` it is not compared with the champion. Raises RunError if it cannot be promoted.
    """
    run, trial = _finished(runs, text)
    if (model := name) is None:
        is_usual = run.is_on_default_data
        model = NAME if is_usual else f"{NAME}-{run.config.get('data', 'unknown')}"
    if not re.fullmatch(r"[\w .-]{1,200}", model):
        raise RunError(f"--name {model!r}: a model has a name of letters, digits, '.', '-' and '_'")
    assert run.store is not None
    models = RegisteredModel(run.store, model)
    old = models.champion()
    if old is not None and old.run_id == run.run_id:
        return Promotion(run, model, old, old)
    champion = next((one for one in runs.all if old and one.run_id == old.run_id), None)
    if champion is not None:
        _require_same_data(run, champion, model)
    comparison = None
    if old is not None and not force:
        champion = champion or runs.find(old.run_id)
        comparison = compare_paired(run, champion)
        if comparison.is_worse:
            return Promotion(run, model, None, old, champion, comparison)
    with tempfile.TemporaryDirectory() as work:
        new = models.set_champion(trial, write_model_of(run, Path(work) / paths.MODEL))
    return Promotion(run, model, new, old, champion, comparison)


def _finished(runs: Runs, text: str) -> tuple[FoundRun, Trial]:
    """Return the run and what the store knows of it; only a finished one is promoted."""
    run = runs.find(text)
    if run.store is None and run.run_id is not None:  # found by its folder
        run = runs.find(run.run_id)
    if run.store is None or run.trial is None:
        raise RunError(
            f"{run.label} is not tracked in MLflow, where the champion is kept. Send it there:"
            f" {shlex.join(['digit-exp', 'sync', text])}"
        )
    if run.status != "FINISHED":
        raise RunError(f"{run.label} is {run.status.lower()}; only a finished run is promoted")
    return run, run.trial


def _require_same_data(run: FoundRun, champion: FoundRun, name: str) -> None:
    ours, theirs = (one.tags.get(Tag.DATA_DIGEST) for one in (run, champion))
    if ours != theirs:
        raise RunError(
            f"the model {name} belongs to the data set of its champion {champion.label},"
            f" {champion.data}, and {run.label} was trained on another, {run.data}. Register it"
            f" under a name of its own: digit-exp promote {run.run_id} --name NAME"
        )


def compare_paired(challenger: FoundRun, champion: FoundRun) -> PairedComparison:
    """Compare two runs on the validation images that they share.

    Raises RunError if their data are not there, or if they share too few validation images.
    """
    from scipy.stats import binomtest

    dataset = challenger.dataset()
    both = np.intersect1d(challenger.val_split().rows, champion.val_split().rows)
    if len(both) < MIN_IMAGES:
        raise RunError(
            f"{challenger.label} and the champion {champion.label} share only {len(both)}"
            " validation images. Train one with the other's seed and data.val_ratio, or use --force"
        )
    images = dataset.train.images[both]
    labels = np.empty(len(dataset.train.images), np.intp)
    labels[dataset.train.rows] = dataset.train.labels
    ours, theirs = (run.model().predict(images) == labels[both] for run in (challenger, champion))
    gained, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    p = (
        float(binomtest(lost, gained + lost, alternative="greater").pvalue)
        if gained + lost
        else 1.0
    )
    return PairedComparison(len(both), int(ours.sum()), int(theirs.sum()), gained, lost, p)
