"""Make one model of several runs: a run of its own, whose network averages their probabilities."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from digit_exp.analysis.objective import Objective
from digit_exp.config.schema import RunConfig
from digit_exp.nn.committee import Committee
from digit_exp.nn.network import Network
from digit_exp.nn.prediction_averaging import MAPS
from digit_exp.optim.optimizers import SGD
from digit_exp.runs.experiment import Experiment, Result
from digit_exp.runs.folder import TEST_METRIC
from digit_exp.runs.runner import start_run
from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.runs.signals import Interruption
from digit_exp.runs.train_and_evaluate import train_and_evaluate
from digit_exp.tracking.tags import Tag

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """What a run adds to a committee; accuracies are None without validation images."""

    run: FoundRun
    val_acc: float | None
    """Of this one alone, on the validation images."""
    first_val_acc: float | None
    """Of the committee up to it."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "id": self.run.run_id,
            "name": self.run.name,
            "val_acc": self.val_acc,
            "first_val_acc": self.first_val_acc,
            "test_acc": self.run.metrics.get(TEST_METRIC),
        }


@dataclass(frozen=True)
class MadeCommittee:
    """A committee that was made, as a run."""

    folder: Path
    members: Sequence[Member]
    result: Result
    where: Sequence[str]
    """How to view it in MLflow."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        members = [member.as_json() for member in self.members]
        return {"folder": str(self.folder), "members": members, **self.result.summary}

    def lines(self) -> Iterator[str]:
        """Yield a line for each member, and the result."""
        width = max(len(member.run.label) for member in self.members)
        yield f"{'member':<{width}}  {'validation':>10}  {'first k':>8}  {'test':>8}"
        for member in self.members:
            test = member.run.metrics.get(TEST_METRIC)
            values = (member.val_acc, member.first_val_acc, test)
            alone, first, tested = ("–" if v is None else f"{v:.2%}" for v in values)
            yield f"{member.run.label:<{width}}  {alone:>10}  {first:>8}  {tested:>8}"
        test = self.result.summary.get(TEST_METRIC)
        yield f"committee of {len(self.members)}: " + (
            "the test set could not be read" if test is None else f"{test:.2%} of the test set"
        )
        yield f"the files of this run: {self.folder}"
        yield from self.where


def make_committee(members: Sequence[FoundRun], folder: Path, name: str | None) -> MadeCommittee:
    """Make a run in `folder`, which must not exist, of the networks of `members`.

    Nothing is trained; it is calibrated on the validation images and reads the test set once.
    Raises RunError if the runs do not fit together.
    """
    config = _together(members, name or f"committee of {len(members)}")
    networks = [run.network() for run in members]
    _require_alike(members, [network.shift_averaging for network in networks], "model.shifts")
    _require_alike(members, [network.copies for network in networks], "model.copies")
    folder.mkdir(parents=True)
    prepared = Experiment.prepare(config, folder)
    experiment = replace(prepared, network=committee_of(networks))
    ids = [run.run_id or str(run.folder) for run in members]
    tags = {Tag.COMMITTEE: json.dumps(ids)}
    with Interruption() as interruption, start_run(config, folder, origin=tags) as run:
        result = train_and_evaluate(experiment, run, interruption)
    return MadeCommittee(
        folder, list(_measured(members, networks, experiment)), result, run.tracker.where()
    )


def committee_of(networks: Sequence[Network]) -> Network:
    """Return the network that averages the probabilities of `networks`, with their values.

    They take the same images, know the same classes and average over the same shifts. Deformed
    copies are those of the first.
    """
    first = networks[0]
    layer = Committee([[layer.spec() for layer in network.layers] for network in networks])
    dtype = first.parameters.storage.dtype
    together = Network(first.inputs, [layer], dtype, first.shift_averaging, first.copies)
    for number, network in enumerate(networks, 1):
        for name, values in network.parameters.arrays().items():
            if name != MAPS:
                together.parameters.value(f"committee_1.{number}.{name}")[...] = values
            elif network is first:
                together.parameters.value(MAPS)[...] = values
    return together


def best_of(runs: Sequence[FoundRun], count: int) -> list[FoundRun]:
    """Return the `count` runs of the highest validation accuracy, the best first."""
    objective = Objective()
    scored = [run for run in runs if run.status == "FINISHED" and objective.metric in run.metrics]
    if len(scored) < count:
        raise RunError(
            f"--best {count}: only {len(scored)} of the runs have finished with a validation"
            " accuracy. Name the members one by one"
        )
    return sorted(scored, key=lambda run: -run.metrics[objective.metric])[:count]


def _together(members: Sequence[FoundRun], name: str) -> RunConfig:
    """Return the configuration of the committee: the first member's, without training."""
    if len(members) < 2:
        raise RunError(f"a committee has at least 2 members, got {len(members)}")
    for number, run in enumerate(members):
        if run.status != "FINISHED":
            raise RunError(f"{run.label} is {run.status.lower()}; members are finished runs")
        if (run.run_id, run.folder) in [(one.run_id, one.folder) for one in members[:number]]:
            raise RunError(f"{run.label} is named twice; each member counts once")
    _require_alike(members, [run.data_digest for run in members], "data set")
    held_out = [run.val_split().rows.tobytes() for run in members]
    _require_alike(members, held_out, "validation images (data.val_ratio, data.split_seed, seed)")
    first = members[0].run_config()
    trainer = replace(
        first.trainer, epochs=0, ema=0.0, ema_share=0.0, minutes=None, fit_minutes=None
    )
    return replace(first, run_name=name, start_from=None, trainer=trainer, optimizer=SGD())


def _require_alike(members: Sequence[FoundRun], values: Sequence[object], what: str) -> None:
    for run, value in zip(members, values, strict=True):
        if value != values[0]:
            raise RunError(
                f"{run.label} and {members[0].label} do not have the same {what}. The members of a"
                " committee share it: what one was trained on must not judge another"
            )


def _measured(
    members: Sequence[FoundRun], networks: Sequence[Network], experiment: Experiment
) -> Iterator[Member]:
    """Yield each member with its accuracy, and that of the committee up to it."""
    val = experiment.val
    total: Any = 0.0
    for run, network in zip(members, networks, strict=True):
        if not len(val):
            yield Member(run, None, None)
            continue
        alone = network.predict_proba(val.images[val.rows])
        total = total + alone
        accuracies = (float(np.mean(p.argmax(axis=1) == val.labels)) for p in (alone, total))
        yield Member(run, *accuracies)
