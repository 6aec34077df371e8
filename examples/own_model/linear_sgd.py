"""A classifier of scikit-learn under digit-exp: python linear_sgd.py model=linear_sgd ..."""

from enum import Enum

import numpy as np
from sklearn.linear_model import SGDClassifier

from digit_exp.cli.entry import main
from digit_exp.nn.learner import Learner
from digit_exp.nn.models import MODELS, LearnerModel
from digit_exp.registry import Positive

Loss = Enum("Loss", {"log_loss": "log_loss", "hinge": "hinge", "modified_huber": "modified_huber"})
STATE = ("coef_", "intercept_", "t_")


@MODELS.register("linear_sgd")
class LinearSgd(LearnerModel):
    """One linear classifier for each class, against all others."""

    loss: Loss = Loss.log_loss
    alpha: Positive = 0.0001

    def learner(self, shape, classes, seed):
        return Classifiers(shape, classes, self)


class Classifiers(Learner):
    """Gives each batch to `partial_fit`."""

    def __init__(self, shape, classes, settings):
        super().__init__(shape, classes)
        self.sgd = SGDClassifier(loss=settings.loss.value, alpha=settings.alpha, shuffle=False)
        self.sgd.classes_ = np.arange(classes)

    def learn(self, x, labels, rng):
        self.sgd.partial_fit(x.reshape(len(x), -1), labels)
        return self.forward(x)

    def forward(self, x):
        if not hasattr(self.sgd, "coef_"):
            return np.zeros((len(x), self.classes))
        scores = x.reshape(len(x), -1) @ self.sgd.coef_.T + self.sgd.intercept_
        return scores if self.classes > 2 else scores * [-1, 1]

    def arrays(self):
        return {name: getattr(self.sgd, name) for name in STATE if hasattr(self.sgd, name)}

    def load(self, arrays):
        for name, array in arrays.items():
            setattr(self.sgd, name, array if array.ndim else float(array))


if __name__ == "__main__":
    raise SystemExit(main())
