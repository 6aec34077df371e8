"""One network of another library, trained and tested once.

    python benchmarks/board_peers.py NAME SEED        (run by board.py)

The network is [128, 64] with ReLU, Adam at 0.001, batches of 128, ten epochs of all 60,000 images
in [0, 1], the libraries' own initial values, one thread. The answer has the test accuracy and the
seconds.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from measuring import answer

HIDDEN, BATCH, EPOCHS = (128, 64), 128, 10
Images = tuple[np.ndarray, np.ndarray]


def scikit_learn(train: Images, test: Images, seed: int) -> float:
    """Return the accuracy of an MLPClassifier, without its penalty and its early stopping."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        HIDDEN, alpha=0, batch_size=BATCH, max_iter=EPOCHS, tol=0, random_state=seed
    )
    return float(model.fit(*train).score(*test))


def keras(train: Images, test: Images, seed: int) -> float:
    """Return the accuracy of a Sequential on JAX."""
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    import keras

    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(units, activation="relu") for units in HIDDEN]
    model = keras.Sequential([keras.Input((784,)), *layers, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.001), loss, metrics=["accuracy"])
    model.fit(*train, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return float(model.evaluate(*test, verbose=0)[1])


def pytorch(train: Images, test: Images, seed: int) -> float:
    """Return the accuracy of the usual loop."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    first, second = HIDDEN
    model = nn.Sequential(
        *(nn.Linear(784, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU()),
        nn.Linear(second, 10),
    )
    optimizer, loss = torch.optim.Adam(model.parameters(), lr=0.001), nn.CrossEntropyLoss()
    x, y = (torch.from_numpy(array) for array in train)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            loss(model(x[rows]), y[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        predicted = model(torch.from_numpy(test[0])).argmax(1).numpy()
    return float((predicted == test[1]).mean())


LIBRARIES = {"scikit-learn": scikit_learn, "keras": keras, "pytorch": pytorch}


def main() -> None:
    """Train one library's network and answer."""
    from digit_exp.data.sources import Mnist

    name, seed = sys.argv[1], int(sys.argv[2])
    data = Mnist().load()
    train, test = (
        (split.images.reshape(-1, 784)[split.rows].astype(np.float32) / 255, split.labels)
        for split in (data.train, data.test)
    )
    started = time.perf_counter()
    accuracy = LIBRARIES[name](train, test, seed)
    answer({"test_acc": accuracy, "training_seconds": time.perf_counter() - started})


if __name__ == "__main__":
    main()
