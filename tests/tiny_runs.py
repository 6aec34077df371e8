"""Tiny runs without a process and without Hydra, for the tests of several packages."""

from digit_exp.config.parse import from_mapping
from digit_exp.runs.experiment import Experiment
from digit_exp.runs.signals import Interruption
from digit_exp.tracking.base import Tracker

TINY = {
    "data": {"name": "synthetic", "samples": 200, "test_samples": 50, "val_ratio": 0.2},
    "model": {"name": "mlp", "hidden": [16]},
    "optimizer": {"name": "adam"},
    "schedule": {"name": "constant"},
    "regularization": {"name": "none"},
    "augmentation": {"name": "none"},
    "pruner": {"name": "none"},
    "trainer": {"epochs": 3},
    "tracking": {"backend": "none"},
}


def config(**changes):
    merged = {group: {**TINY[group], **changes.get(group, {})} for group in TINY}
    if "name" in changes.get("data", {}):  # the fields are those of another data set
        merged["data"] = changes["data"]
    return from_mapping({**merged, **{k: v for k, v in changes.items() if k not in TINY}})


def run(folder, tracker=None, checkpoint=None, **changes):
    experiment = Experiment.prepare(config(**changes), folder, checkpoint)
    with Interruption() as interruption:
        return experiment, experiment.run(tracker or Tracker(), interruption)
