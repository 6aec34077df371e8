"""A network of PyTorch under digit-exp: python torch_mlp.py model=torch_mlp ..."""

import torch
from torch import nn

from digit_exp.cli.entry import main
from digit_exp.nn.learner import Learner
from digit_exp.nn.models import MODELS, LearnerModel
from digit_exp.registry import Count, Fraction, Positive


@MODELS.register("torch_mlp")
class TorchMlp(LearnerModel):
    """One hidden layer with dropout; layers, loss, gradients and optimizer are those of PyTorch."""

    hidden: Count = 64
    dropout: Fraction = 0.1
    lr: Positive = 0.001

    def learner(self, shape, classes, seed):
        torch.set_num_threads(1)  # another number may round sums differently
        torch.manual_seed(seed)
        first, last = nn.Linear(shape[0] * shape[1], self.hidden), nn.Linear(self.hidden, classes)
        learner = TorchLearner(shape, classes)
        learner.net = nn.Sequential(nn.Flatten(), first, nn.ReLU(), nn.Dropout(self.dropout), last)
        learner.adam = torch.optim.Adam(learner.net.parameters(), lr=self.lr)
        return learner


class TorchLearner(Learner):
    """Has a network of PyTorch in `net` and its optimizer in `adam`."""

    def learn(self, x, labels, rng):
        torch.manual_seed(int(rng.integers(2**63)))  # decides what is dropped
        logits = self.net.train()(torch.from_numpy(x))
        self.adam.zero_grad()
        nn.functional.cross_entropy(logits, torch.from_numpy(labels)).backward()
        self.adam.step()
        return logits.detach()

    def forward(self, x):
        return self.net.eval()(torch.from_numpy(x)).detach()

    def arrays(self):
        tensors, adam = self.net.state_dict(), self.adam.state_dict()["state"]
        tensors.update((f"adam.{i}.{name}", adam[i][name]) for i in adam for name in adam[i])
        return {name: tensor.numpy() for name, tensor in tensors.items()}

    def load(self, arrays):
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        adam = self.adam.state_dict()
        for _, i, key in [name.split(".") for name in tensors if name.startswith("adam.")]:
            adam["state"].setdefault(int(i), {})[key] = tensors.pop(f"adam.{i}.{key}")
        self.adam.load_state_dict(adam)
        self.net.load_state_dict(tensors)


if __name__ == "__main__":
    raise SystemExit(main())
