"""Tiny runs without a process and without Hydra, for the tests of several packages."""

from contextlib import suppress

from digit_exp.config.parse import from_mapping
from digit_exp.runs.active_run import ActiveRun
from digit_exp.runs.experiment import Experiment
from digit_exp.runs.signals import Interruption
from digit_exp.runs.train_and_evaluate import train_and_evaluate

WORDS = [
    *("data=synthetic", "data.samples=200", "data.test_samples=50", "data.val_ratio=0.2"),
    *("model.hidden=[16]", "trainer.epochs=3", "tracking=none"),
]
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


def run(folder, checkpoint=None, **changes):
    """Run an experiment in a folder; return it and its result."""
    experiment = Experiment.prepare(config(**changes), folder, checkpoint)
    return experiment, start(experiment)


def start(experiment):
    """Run an experiment that is prepared and return its result."""
    run = ActiveRun(experiment.folder, experiment.config)
    with Interruption() as interruption:
        result = train_and_evaluate(experiment, run, interruption)
    with suppress(OSError):  # of a disk that a test has filled
        run.save()
    return result
