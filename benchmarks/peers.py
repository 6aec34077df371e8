"""Everyone who trains in `training.py`: the same network, Adam, images and batch size.

    python benchmarks/peers.py NAME HIDDEN BATCH IMAGES        (run by training.py)

Each maker returns what is timed, by name and threads: functions that train one epoch and return its
mean loss, which shows that they train. Everyone shuffles, drops no image and computes in float32.
Where the loop is written here (JAX, PyTorch), it measures what our trainer measures in every step:
loss, hits and the norm of the gradient. Keras and scikit-learn measure what their own loop does.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from digit_exp.data.dataset import Split
from digit_exp.data.sources import Mnist
from measuring import answer

LR, BETA1, BETA2, EPS = 0.001, 0.9, 0.999, 1e-8
CLASSES = 10


Epoch = Callable[[], float]
Hidden = Sequence[int]


def ours(train: Split, hidden: Hidden, batch: int, threads: int) -> dict[str, Epoch]:
    """Return our trainer's epoch, and the matrix products in it."""
    from threadpoolctl import threadpool_limits

    from digit_exp.nn.models import MLP
    from digit_exp.optim.optimizers import Adam
    from digit_exp.training.callbacks import StopOnNonFinite
    from digit_exp.training.trainer import Trainer

    network = MLP(hidden=list(hidden)).build(train.images[0].size, CLASSES, seed=0)
    trainer = Trainer(
        network,
        Adam(lr=LR),
        epochs=0,
        batch_size=batch,
        seed=0,
        threads=threads,
        callbacks=[StopOnNonFinite()],
    )
    state = trainer.init_state()

    def epoch() -> float:
        trainer.epochs += 1
        trainer.fit(train, state=state)
        return state.history[-1]["train_loss"]

    products = matrix_products(len(train), [train.images[0].size, *hidden, CLASSES], batch)

    def limit() -> float:
        with threadpool_limits(threads, user_api="blas"):
            return products()

    return {f"digit-exp, {threads}": epoch, f"matrix products, {threads}": limit}


def matrix_products(images: int, widths: Sequence[int], batch: int) -> Epoch:
    """Return the products of an epoch: forward, and backward for weights and for inputs."""
    rng = np.random.default_rng(0)
    layers = []
    for inputs, units in itertools.pairwise(widths):
        shapes = (batch, inputs), (inputs, units), (batch, units), (inputs, units), (batch, inputs)
        layers.append([rng.standard_normal(shape, np.float32) for shape in shapes])

    def run() -> float:
        for start in range(0, images, batch):
            rows = min(batch, images - start)
            for x, w, y, _, _ in layers:
                np.matmul(x[:rows], w, out=y[:rows])
            for x, w, dy, dw, dx in reversed(layers):
                np.matmul(x[:rows].T, dy[:rows], out=dw)
                if x is not layers[0][0]:  # nobody needs the gradient of the images
                    np.matmul(dy[:rows], w.T, out=dx[:rows])
        return math.nan

    return run


def jax(train: Split, hidden: Hidden, batch: int, threads: int) -> dict[str, Epoch]:
    """Return whole epochs compiled by XLA: `lax.scan` over the batches, data on the device."""
    if threads == 1:  # before the import; otherwise XLA takes all cores there are
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    import jax
    import jax.numpy as jnp

    pixels, labels = jnp.asarray(rows_of(train)), jnp.asarray(train.labels, jnp.int32)
    steps = len(train) // batch

    def loss_of(layers, x, y):
        for w, b in layers[:-1]:
            x = jnp.maximum(x @ w + b, 0)
        w, b = layers[-1]
        logs = jax.nn.log_softmax(x @ w + b)
        return -jnp.take_along_axis(logs, y[:, None], axis=1).mean(), logs

    def step(carry, chosen):
        layers, m, v, t = carry
        x, y = pixels[chosen].astype(jnp.float32) * (1 / 255), labels[chosen]
        (loss, logs), grads = jax.value_and_grad(loss_of, has_aux=True)(layers, x, y)
        t += 1
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, grads)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, grads)
        rate, root = LR / (1 - BETA1**t), jnp.sqrt(1 - BETA2**t)
        layers = jax.tree.map(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) / root + EPS), layers, m, v
        )
        hits = (logs.argmax(axis=1) == y).sum()
        norm = jnp.sqrt(sum((g * g).sum() for g in jax.tree.leaves(grads)))
        return (layers, m, v, t), jnp.stack([loss * len(chosen), hits, norm])

    @jax.jit(donate_argnums=0)
    def epoch(carry, order):
        carry, sums = jax.lax.scan(step, carry, order[: steps * batch].reshape(steps, batch))
        total = sums.sum(axis=0)
        if len(order) % batch:
            carry, last = step(carry, order[steps * batch :])
            total += last
        return carry, total

    rng = np.random.default_rng(0)
    layers = [(jnp.asarray(w), jnp.asarray(b)) for w, b in initial(train, hidden, rng)]
    zeros = [jax.tree.map(jnp.zeros_like, layers) for _ in range(2)]
    carry = [(layers, *zeros, jnp.float32(0))]

    def run() -> float:
        order = rng.permutation(len(train)).astype(np.int32)
        carry[0], total = epoch(carry[0], order)
        return float(total[0]) / len(train)  # waits for the end

    return {f"JAX, {threads}": run}


def keras(train: Split, hidden: Hidden, batch: int, threads: int) -> dict[str, Epoch]:
    """Return `fit` on JAX with the accuracy as a metric, twenty steps in each call of XLA."""
    os.environ["KERAS_BACKEND"] = "jax"
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    import keras

    pixels = rows_of(train).astype(np.float32) * np.float32(1 / 255)
    labels = train.labels.astype(np.int32)
    layers = [keras.layers.Dense(units, activation="relu") for units in hidden]
    model = keras.Sequential(
        [keras.Input((pixels.shape[1],)), *layers, keras.layers.Dense(CLASSES)]
    )
    model.compile(
        keras.optimizers.Adam(LR),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=KERAS_STEPS,
    )

    def run() -> float:
        history = model.fit(pixels, labels, batch_size=batch, epochs=1, verbose=0)
        return float(history.history["loss"][0])

    return {f"Keras, {threads}": run}


KERAS_STEPS = 20


def pytorch(train: Split, hidden: Hidden, batch: int, threads: int) -> dict[str, Epoch]:
    """Return the usual loop, with the fused Adam, indexing tensors instead of a DataLoader."""
    return {f"PyTorch, {threads}": torch_loop(train, hidden, batch, threads, is_compiled=False)}


def compiled(train: Split, hidden: Hidden, batch: int, threads: int) -> dict[str, Epoch]:
    """Return the loop with its step, forward and backward, compiled by Inductor."""
    return {
        f"torch.compile, {threads}": torch_loop(train, hidden, batch, threads, is_compiled=True)
    }


def torch_loop(
    train: Split, hidden: Hidden, batch: int, threads: int, *, is_compiled: bool
) -> Epoch:
    """Return an epoch of PyTorch."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    pixels = torch.from_numpy(rows_of(train).astype(np.float32) * np.float32(1 / 255))
    labels = torch.from_numpy(train.labels.astype(np.int64))
    widths = [pixels.shape[1], *hidden]
    layers: list[nn.Module] = []
    for inputs, units in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, units), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(widths[-1], CLASSES))
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=LR, fused=True)

    def forward(x, y):
        logits = model(x)
        return nn.functional.cross_entropy(logits, y), (logits.argmax(dim=1) == y).sum()

    if is_compiled:
        forward = torch.compile(forward)

    def run() -> float:
        order = torch.randperm(len(pixels))
        total = torch.zeros(3)
        for start in range(0, len(pixels), batch):
            chosen = order[start : start + batch]
            optimizer.zero_grad()
            loss, hits = forward(pixels[chosen], labels[chosen])
            loss.backward()
            norm = nn.utils.get_total_norm([p.grad for p in parameters])
            optimizer.step()
            total += torch.stack([loss.detach() * len(chosen), hits, norm])
        return float(total[0]) / len(pixels)

    return run


def scikit_learn(train: Split, hidden: Hidden, batch: int, threads: int) -> dict[str, Epoch]:
    """Return `partial_fit`, which is one epoch, shuffled, without the checks of `fit`."""
    from sklearn.neural_network import MLPClassifier

    pixels = rows_of(train).astype(np.float32) * np.float32(1 / 255)
    model = MLPClassifier(
        tuple(hidden), batch_size=batch, learning_rate_init=LR, alpha=0, random_state=0
    )

    def run() -> float:
        model.partial_fit(pixels, train.labels, classes=np.arange(CLASSES))
        return model.loss_

    return {f"scikit-learn, {threads}": run}


PEERS = {
    "ours": ours,
    "jax": jax,
    "keras": keras,
    "pytorch": pytorch,
    "compiled": compiled,
    "sklearn": scikit_learn,
}


def rows_of(train: Split) -> np.ndarray:
    """Return the images as uint8, shape `(n, pixels)`."""
    return train.images[train.rows].reshape(len(train), -1)


def initial(
    train: Split, hidden: Hidden, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the weights and biases of each layer (He et al. 2015)."""
    widths = [train.images[0].size, *hidden, CLASSES]
    for inputs, units in itertools.pairwise(widths):
        weights = rng.standard_normal((inputs, units), np.float32) * math.sqrt(2 / inputs)
        yield weights.astype(np.float32), np.zeros(units, np.float32)


def main() -> None:
    """Train an epoch whenever a line comes in, and answer by the seconds it took."""
    name, hidden, batch, images = sys.argv[1:]
    threads = int(os.environ["OMP_NUM_THREADS"])
    train = Mnist().load().train.select(np.arange(int(images)))
    try:
        jobs = PEERS[name](train, [int(n) for n in hidden.split("-")], int(batch), threads)
    except ModuleNotFoundError as error:
        answer({"missing": str(error)})
        return
    for run in jobs.values():
        run()  # compiles, fills caches, faults pages in
    answer({})
    for _ in sys.stdin:
        seconds, losses = {}, {}
        for label, run in jobs.items():
            started = time.perf_counter()
            losses[label] = run()
            seconds[label] = time.perf_counter() - started
        answer({"seconds": seconds, "losses": losses})


if __name__ == "__main__":
    main()
