"""How many epochs fit into a time, by the pace of some steps on this machine."""

from __future__ import annotations

import math
import time
from copy import deepcopy
from dataclasses import replace
from statistics import median

import numpy as np

from digit_exp.data.dataset import Split
from digit_exp.threads import threads_for
from digit_exp.training.learner_trainer import LearnerTrainer
from digit_exp.training.trainer import Trainer

SHARE, LONGEST = 0.02, 30.0
"""How long the pace is measured: a share of the time, and at most so many seconds."""

ROUNDS = 3
"""The fewest measurements, of which the median counts: another program may disturb one."""

STEPS, IMAGES = 20, 1024
"""Training steps and validation images of a measurement."""


def epochs_that_fit(
    trainer: Trainer | LearnerTrainer, train: Split, val: Split, seconds: float
) -> int:
    """Return how many epochs with their validations end in `seconds`; it may be 0.

    The steps that are measured are forgotten: the network has its weights back. Their time counts,
    that of compiling the kernels does not.
    """
    if isinstance(trainer, LearnerTrainer):  # a new one may have no state to go back to
        trainer = replace(trainer, network=deepcopy(trainer.network))
    before = trainer.network.storage.copy()
    try:
        with np.errstate(all="ignore"), threads_for(trainer.network, trainer.threads):
            _epoch_seconds(trainer, train, val)  # compiles
            started = time.perf_counter()
            rounds, spent = list[float](), 0.0
            while len(rounds) < ROUNDS or spent < min(SHARE * seconds, LONGEST):
                rounds.append(_epoch_seconds(trainer, train, val))
                spent = time.perf_counter() - started
    finally:
        trainer.network.restore(before)
    return math.floor((seconds - spent) / median(rounds))


def _epoch_seconds(trainer: Trainer | LearnerTrainer, train: Split, val: Split) -> float:
    """Return how long an epoch takes, of which a part is trained and validated."""
    shuffled = trainer.rng("pace").permutation(len(train))
    part = train.select(shuffled[: STEPS * trainer.batch_size])
    rehearsal = replace(trainer, callbacks=(), epochs=1)
    started = time.perf_counter()
    rehearsal.fit(part)
    trained = time.perf_counter()
    steps, all_steps = (math.ceil(len(s) / trainer.batch_size) for s in (part, train))
    seconds = (trained - started) * all_steps / steps
    if len(val):
        seen = val.select(np.arange(min(len(val), IMAGES)))
        trainer.evaluate(seen)
        validation = (time.perf_counter() - trained) * len(val) / len(seen)
        seconds += validation / trainer.eval_every
    return seconds
