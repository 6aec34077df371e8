"""What other work on the machine costs a run with one and with two threads.

    python benchmarks/busy_neighbour.py [ROUNDS]

An epoch of [256, 128], Adam, batch size 128, while none, one or two processes of the same priority
keep a core busy each. OpenBLAS's threads wait for the next product in a loop, and sleep after
`OPENBLAS_THREAD_TIMEOUT`: 26 (2²⁶ ticks) if nothing is set, 4 is the shortest.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

from measuring import Worker, answer, machine, table, usable_cores

TRAIN = "train"
BUSY = "while True: pass"


def main() -> None:
    """Measure every combination in every round; print medians, and the slowest epochs."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    cells = [(threads, timeout) for threads in (1, 2) for timeout in ("26", "4")]
    workers = {cell: started(*cell) for cell in cells}
    rows = [[f"{threads}, {timeout}"] for threads, timeout in cells]
    for count in range(3):
        seconds: dict[tuple[int, str], list[float]] = {cell: [] for cell in cells}
        for _ in range(rounds):
            with ExitStack() as neighbours:
                for _ in range(count):
                    neighbours.enter_context(busy())
                for cell, worker in workers.items():
                    seconds[cell].append(worker.ask("go")["seconds"])
        for row, cell in zip(rows, cells, strict=True):
            row.append(f"{median(seconds[cell]):.2f} ({max(seconds[cell]):.2f})")
    for worker in workers.values():
        worker.close()
    print(table(["threads, OPENBLAS_THREAD_TIMEOUT", "idle", "1 busy", "2 busy"], rows))
    print(f"\nmedians of {rounds} epochs (the slowest)\n{machine()}")


def started(threads: int, timeout: str) -> Worker:
    """Start a process that trains an epoch for each line it gets."""
    os.environ["OPENBLAS_THREAD_TIMEOUT"] = timeout  # which it reads at its start
    worker = Worker(
        __file__, TRAIN, str(threads), cores=len(usable_cores()), threads=len(usable_cores())
    )
    worker.wait()
    return worker


@contextmanager
def busy() -> Iterator[None]:
    """Keep a core busy."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def train(threads: int) -> None:
    """Train an epoch for each line of standard input, after one that compiles."""
    from digit_exp.data.sources import Mnist
    from digit_exp.nn.models import MLP
    from digit_exp.optim.optimizers import Adam
    from digit_exp.training.trainer import Trainer

    data = Mnist().load().train
    network = MLP(hidden=(256, 128)).build(data.images[0].size, 10, seed=0)
    trainer = Trainer(network, Adam(), epochs=1, batch_size=128, threads=threads)
    trainer.fit(data)
    answer({"ready": 1})
    for _ in sys.stdin:
        answer({"seconds": trainer.fit(data).history[0]["epoch_seconds"]})


if __name__ == "__main__":
    if sys.argv[1:2] == [TRAIN]:
        train(int(sys.argv[2]))
    else:
        main()
