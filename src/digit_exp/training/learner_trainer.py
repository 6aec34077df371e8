"""Training a model of another library, which is given the batches that a network would get."""

from __future__ import annotations

from dataclasses import dataclass

from digit_exp.data.dataset import Split
from digit_exp.nn.learner import Learner
from digit_exp.nn.losses import cross_entropy
from digit_exp.training.loop import EpochLoop
from digit_exp.training.state import TrainState


@dataclass(eq=False)
class LearnerTrainer(EpochLoop[Learner]):
    """Gives a learner the same batches in the same order as a network would get.

    `train_loss` is the cross-entropy of the logits that it returns, so that the curves of all
    models can be compared.
    """

    def _train_epoch(self, state: TrainState, train: Split) -> dict[str, float]:
        rng, total, correct = self.rng("learn", state.epoch), 0.0, 0
        for x, labels in self._batches(state, train):
            loss = cross_entropy(self.network.trained_on(x, labels, rng), labels)
            total += loss.mean * len(labels)
            correct += loss.correct
            state.step += 1
            self._emit("on_step_end", state, loss.mean)
            if state.stop_reason is not None:
                break
        return {"train_loss": total / len(train), "train_acc": correct / len(train)}

    def evaluate(self, split: Split) -> tuple[float, float]:
        loss = cross_entropy(self.network.logits(split.images[split.rows]), split.labels)
        return loss.mean, loss.correct / len(split)
