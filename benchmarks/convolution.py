"""An epoch of a convolutional network, beside PyTorch and JAX, on one core and on two.

    python benchmarks/convolution.py [--images 6000] [--rounds 5] [--batch 128] [--cores 1 2]

Adam and float32, the network of `model=cnn model.filters=[32,64] model.depth=2
model.batch_norm=true`. Everybody runs in a process of its own; they take turns. With several cores,
each library has as many threads.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from measuring import Worker, answer, machine, table, take_turns, usable_cores

FILTERS, DEPTH, HIDDEN, CLASSES, LR = (32, 64), 2, 128, 10, 0.001
PEERS = ("ours", "pytorch", "jax")

Epoch = Callable[[], float]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, len(usable_cores())])
    chosen = parser.parse_args()
    rows = []
    for cores in sorted(set(chosen.cores)):
        workers = {}
        for peer in PEERS:
            arguments = ("work", peer, str(chosen.batch), str(chosen.images), str(cores))
            worker = Worker(Path(__file__), *arguments, cores=cores, threads=cores)
            worker.wait()
            if "missing" in worker.ready:
                print(f"{peer} is left out: {worker.ready['missing']}", flush=True)
                worker.close()
            else:
                workers[peer] = worker
        found = take_turns(workers, chosen.rounds)
        for worker in workers.values():
            worker.close()
        seconds = {peer: median(a["seconds"] for a in answers) for peer, answers in found.items()}
        peers = [v for k, v in seconds.items() if k != "ours"]
        cells = (f"{seconds[peer]:.2f}" if peer in seconds else "–" for peer in PEERS)
        rows.append([str(cores), *cells, f"{seconds['ours'] / min(peers):.2f}" if peers else "–"])
    header = ["cores", "digit-exp", "PyTorch", "JAX", "ours / fastest"]
    print(f"seconds for {chosen.images} images, batches of {chosen.batch}\n")
    print(f"{table(header, rows)}\n\n{machine()}")


def work(peer: str, batch: str, images: str, threads: str) -> None:
    """Train whenever a line comes in."""
    rng = np.random.default_rng(0)
    pixels = rng.random((int(images), 28, 28), np.float32)
    labels = rng.integers(0, CLASSES, int(images))
    try:
        epoch = {"ours": ours, "pytorch": pytorch, "jax": jax}[peer](
            pixels, labels, int(batch), int(threads)
        )
    except ImportError as error:
        answer({"missing": str(error)})
        return
    epoch()  # compiles
    answer({"ready": True})
    for _ in sys.stdin:
        start = time.perf_counter()
        loss = epoch()
        answer({"seconds": time.perf_counter() - start, "loss": loss})


def ours(pixels: np.ndarray, labels: np.ndarray, batch: int, threads: int) -> Epoch:
    """Return our trainer's epoch."""
    from digit_exp.data.dataset import Split
    from digit_exp.nn.models import CNN
    from digit_exp.optim.optimizers import Adam
    from digit_exp.training.trainer import Trainer

    model = CNN(filters=list(FILTERS), depth=DEPTH, hidden=[HIDDEN], batch_norm=True)
    network = model.build((28, 28), CLASSES, seed=0)
    trainer = Trainer(network, Adam(lr=LR), epochs=0, batch_size=batch, threads=threads)
    state = trainer.init_state()
    train = Split.of((pixels * 255).astype(np.uint8), labels)

    def epoch() -> float:
        trainer.epochs += 1
        trainer.fit(train, state=state)
        return state.history[-1]["train_loss"]

    return epoch


def pytorch(pixels: np.ndarray, labels: np.ndarray, batch: int, threads: int) -> Epoch:
    """Return the usual loop, with channels last, which is the faster layout here."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    layers: list[nn.Module] = []
    channels = 1
    for filters in FILTERS:
        for _ in range(DEPTH):
            layers += [nn.Conv2d(channels, filters, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(filters), nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    layers += [nn.Flatten(), nn.Linear(7 * 7 * channels, HIDDEN, bias=False)]
    layers += [nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES)]
    model = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True)
    x = torch.from_numpy(pixels[:, None]).to(memory_format=torch.channels_last)
    y = torch.from_numpy(labels)

    def epoch() -> float:
        order, total = torch.randperm(len(x)), 0.0
        for start in range(0, len(x), batch):
            chosen = order[start : start + batch]
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            total += float(loss) * len(chosen)
        return total / len(x)

    return epoch


def jax(pixels: np.ndarray, labels: np.ndarray, batch: int, threads: int) -> Epoch:
    """Return steps compiled by XLA, with channels last."""
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)

    def normal(*shape: int) -> object:
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        return jnp.asarray(rng.normal(0, scale, shape), jnp.float32)

    widths = [f for f in FILTERS for _ in range(DEPTH)]
    convs = [normal(3, 3, c, f) for c, f in zip([1, *widths], widths, strict=False)]
    scales = [(jnp.ones(f), jnp.zeros(f)) for f in [*widths, HIDDEN]]
    dense = [normal(7 * 7 * widths[-1], HIDDEN), normal(HIDDEN, CLASSES)]

    def normalized(x, scale):
        axes = tuple(range(x.ndim - 1))
        mean, var = x.mean(axes), x.var(axes)
        return scale[0] * (x - mean) / jnp.sqrt(var + 1e-5) + scale[1]

    def loss_of(parameters, x, y):
        convs, scales, dense = parameters
        x = x[..., None]
        for i, w in enumerate(convs):
            numbers = ("NHWC", "HWIO", "NHWC")
            x = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=numbers)
            x = jnp.maximum(normalized(x, scales[i]), 0)
            if i % DEPTH == DEPTH - 1:
                window = (1, 2, 2, 1)
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
        x = jnp.maximum(normalized(x.reshape(len(x), -1) @ dense[0], scales[-1]), 0)
        logs = jax.nn.log_softmax(x @ dense[1])
        return -jnp.take_along_axis(logs, y[:, None], axis=1).mean()

    @jax.jit
    def step(parameters, m, v, t, x, y):
        loss, grads = jax.value_and_grad(loss_of)(parameters, x, y)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
        rate, root = LR / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
        parameters = jax.tree.map(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) / root + 1e-8), parameters, m, v
        )
        return parameters, m, v, loss

    parameters = (convs, scales, dense)
    state = [parameters, *(jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))]
    x, y, count = jnp.asarray(pixels), jnp.asarray(labels), [0]

    def epoch() -> float:
        order, total = rng.permutation(len(pixels)), 0.0
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            count[0] += 1
            *state[:], loss = step(*state, jnp.float32(count[0]), x[chosen], y[chosen])
            total += float(loss) * len(chosen)
        return total / len(order)

    return epoch


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(*sys.argv[2:])
    else:
        main()
