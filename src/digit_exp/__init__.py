"""Configuration-driven experiments on a neural network written from scratch in NumPy.

    import digit_exp

    run = digit_exp.run("optimizer=sgd", seed=1)
    digit_exp.sweep({"optimizer.lr": [0.1, 0.01]}, seeds=[1, 2, 3])
    best = digit_exp.load_run("best")
    digit_exp.runs().sort_values("best_val_acc")
    print(digit_exp.compare("best", "latest").lines())

A name is imported from the module that defines it when it is first used: importing the package
imports neither NumPy nor Hydra.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digit_exp.api import SweepResult as SweepResult
    from digit_exp.api import compare as compare
    from digit_exp.api import load_run as load_run
    from digit_exp.api import run as run
    from digit_exp.api import sweep as sweep
    from digit_exp.api import try_change as try_change
    from digit_exp.data.sources import IdxFolder as IdxFolder
    from digit_exp.data.sources import Mnist as Mnist
    from digit_exp.data.splits import train_val_split as train_val_split
    from digit_exp.jobs.job import job as job
    from digit_exp.jobs.job import job_folder as job_folder
    from digit_exp.jobs.job import report as report
    from digit_exp.nn.builder import NetworkBuilder as NetworkBuilder
    from digit_exp.nn.network import Network as Network
    from digit_exp.optim.optimizers import SGD as SGD
    from digit_exp.optim.optimizers import Adagrad as Adagrad
    from digit_exp.optim.optimizers import Adam as Adam
    from digit_exp.optim.optimizers import AdamW as AdamW
    from digit_exp.optim.optimizers import Lion as Lion
    from digit_exp.optim.optimizers import Momentum as Momentum
    from digit_exp.optim.optimizers import NAdam as NAdam
    from digit_exp.optim.optimizers import Nesterov as Nesterov
    from digit_exp.optim.optimizers import RMSprop as RMSprop
    from digit_exp.optim.regularizers import L1 as L1
    from digit_exp.optim.regularizers import L2 as L2
    from digit_exp.optim.regularizers import ElasticNet as ElasticNet
    from digit_exp.optim.schedules import Constant as Constant
    from digit_exp.optim.schedules import Cosine as Cosine
    from digit_exp.optim.schedules import Exponential as Exponential
    from digit_exp.optim.schedules import OneCycle as OneCycle
    from digit_exp.optim.schedules import Plateau as Plateau
    from digit_exp.optim.schedules import Step as Step
    from digit_exp.optim.schedules import WarmupCosine as WarmupCosine
    from digit_exp.optim.schedules import WarmupExponential as WarmupExponential
    from digit_exp.registry import ConfigError as ConfigError
    from digit_exp.rng import Rng as Rng
    from digit_exp.runs.errors import JobFailed as JobFailed
    from digit_exp.runs.saved.compare import Comparison as Comparison
    from digit_exp.runs.saved.found_run import FoundRun as FoundRun
    from digit_exp.runs.saved.found_run import RunError as RunError
    from digit_exp.runs.saved.views.listing import table as runs
    from digit_exp.sweeps.tries.verdicts import Verdict as Verdict
    from digit_exp.training.callbacks import Callback as Callback
    from digit_exp.training.callbacks import EarlyStopping as EarlyStopping
    from digit_exp.training.callbacks import ModelCheckpoint as ModelCheckpoint
    from digit_exp.training.checkpoint import load_network as load_network
    from digit_exp.training.checkpoint import save_network as save_network
    from digit_exp.training.progress import Progress as Progress
    from digit_exp.training.trainer import Trainer as Trainer

    __version__: str

_HOMES = {
    "digit_exp.api": ("SweepResult", "compare", "load_run", "run", "sweep", "try_change"),
    "digit_exp.data.sources": ("IdxFolder", "Mnist"),
    "digit_exp.data.splits": ("train_val_split",),
    "digit_exp.jobs.job": ("job", "job_folder", "report"),
    "digit_exp.nn.builder": ("NetworkBuilder",),
    "digit_exp.nn.network": ("Network",),
    "digit_exp.optim.optimizers": (
        *("SGD", "Adagrad", "Adam", "AdamW", "Lion", "Momentum", "NAdam", "Nesterov", "RMSprop"),
    ),
    "digit_exp.optim.regularizers": ("L1", "L2", "ElasticNet"),
    "digit_exp.optim.schedules": (
        *("Constant", "Cosine", "Exponential", "OneCycle", "Plateau", "Step"),
        *("WarmupCosine", "WarmupExponential"),
    ),
    "digit_exp.registry": ("ConfigError",),
    "digit_exp.rng": ("Rng",),
    "digit_exp.runs.errors": ("JobFailed",),
    "digit_exp.runs.saved.compare": ("Comparison",),
    "digit_exp.runs.saved.found_run": ("FoundRun", "RunError"),
    "digit_exp.sweeps.tries.verdicts": ("Verdict",),
    "digit_exp.training.callbacks": ("Callback", "EarlyStopping", "ModelCheckpoint"),
    "digit_exp.training.checkpoint": ("load_network", "save_network"),
    "digit_exp.training.progress": ("Progress",),
    "digit_exp.training.trainer": ("Trainer",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", "runs", *_HOME]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from digit_exp.version import version

        return version()
    if name == "runs":  # the package of that name, which can be called
        return import_module("digit_exp.runs")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
