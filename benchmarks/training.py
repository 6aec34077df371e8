"""An epoch of training, beside everybody else's and beside the bare matrix products in it.

    python benchmarks/training.py [--networks 128-64 ...] [--batches 32 ...] [--cores 1 ...]
                                  [--peers jax ...] [--rounds 5] [--append] [--show]

Adam, 54,000 images, float32. On one core everybody is pinned to it, with one thread in every
library; on more, everybody runs with one thread and with as many as there are cores, and the
better time counts. Peers that are not
installed (`pip install 'digit-exp[bench]'`) are left out, and it is said.

With `--images` an epoch is measured by a part of it. The seconds of every round go to
`benchmarks/results/training.json`: a cell that is measured again is replaced there, or with
`--append` extended. The tables hold medians.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from measuring import Worker, machine, table, take_turns, usable_cores

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "training.json"
PEERS = ("ours", "jax", "keras", "pytorch", "compiled", "sklearn")
IMAGES = 54_000
OURS, LIMIT = "digit-exp", "matrix products"
OTHERS = ("JAX", "Keras", "PyTorch", "torch.compile", "scikit-learn")

Key = tuple[str, int, int]  # network, batch, cores
Samples = dict[str, list[float]]  # seconds of each round, by "name, threads"


def main() -> None:
    """Measure the chosen cells, one after the other, and print the tables of all there are."""
    chosen = arguments()
    found = read()
    for key in [] if chosen.show else cells(chosen):
        samples, losses = measure(key, chosen)
        before = found.get(key, {}) if chosen.append else {}
        found[key] = {name: before.get(name, []) + values for name, values in samples.items()}
        write(found)
        print(f"{key}: last losses {losses}", flush=True)
    for cores in sorted({cores for _, _, cores in found}):
        print(f"\n{cores} core(s), seconds an epoch:\n\n{shown(found, cores)}")
    print(f"\n{machine()}")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", nargs="+", default=["128-64", "256-128", "1024-512"])
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 128, 512])
    parser.add_argument("--cores", nargs="+", type=int, default=[1, len(usable_cores())])
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=IMAGES, help="in a part of an epoch")
    parser.add_argument("--append", action="store_true", help="keep the rounds there are")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    return parser.parse_args()


def cells(chosen: argparse.Namespace) -> Iterator[Key]:
    """Yield what is to be measured."""
    for network in chosen.networks:
        for batch in chosen.batches:
            for cores in chosen.cores:
                yield network, batch, cores


def measure(key: Key, chosen: argparse.Namespace) -> tuple[Samples, dict[str, float]]:
    """Return the seconds of each round by name, and the losses of the last epoch."""
    network, batch, cores = key
    workers = {}
    for peer in ("ours", *(peer for peer in chosen.peers if peer != "ours")):
        for threads in sorted({1, cores}):
            worker = Worker(
                HERE / "peers.py",
                *(peer, network, str(batch), str(chosen.images)),
                cores=cores,
                threads=threads,
            )
            workers[f"{peer}, {threads}"] = worker
    for name, worker in list(workers.items()):
        worker.wait()
        if "missing" in worker.ready:
            print(f"{name} is left out: {worker.ready['missing']}", flush=True)
            workers.pop(name).close()
    samples, losses = {}, {}
    for name, answers in take_turns(workers, chosen.rounds).items():
        for each in answers:
            for label, seconds in each["seconds"].items():
                samples.setdefault(label, []).append(seconds * IMAGES / chosen.images)
                losses[label] = round(each["losses"][label], 4)
        workers[name].close()
    return samples, losses


def shown(found: dict[Key, Samples], cores: int) -> str:
    """Return the table of a number of cores."""
    header = ["network, batch", LIMIT, OURS, *OTHERS, "ours / fastest", "ours / products"]
    rows = []
    for key in sorted(key for key in found if key[2] == cores):
        network, batch, _ = key
        best = fastest(found[key])
        ours, limit = best[OURS], best[LIMIT]
        peers = [best[name] for name in OTHERS if name in best]
        rows.append(
            [
                f"[{network.replace('-', ', ')}], {batch}",
                *(cell(best.get(name), cores) for name in (LIMIT, OURS, *OTHERS)),
                f"{ours[0] / min(peers)[0]:.2f}" if peers else "–",
                f"{ours[0] / limit[0]:.2f}",
            ]
        )
    return table(header, rows)


def fastest(samples: Samples) -> dict[str, tuple[float, str]]:
    """Return for each name the median of its better number of threads, and that number."""
    best: dict[str, tuple[float, str]] = {}
    for key, seconds in samples.items():
        name, _, threads = key.rpartition(", ")
        best[name] = min(best.get(name, (float("inf"), "")), (median(seconds), threads))
    return best


def cell(value: tuple[float, str] | None, cores: int) -> str:
    """Return the seconds, with the number of threads where that was a choice."""
    if value is None:
        return "–"
    seconds, threads = value
    return f"{seconds:.2f}" + (f" ({threads})" if cores > 1 else "")


def read() -> dict[Key, Samples]:
    """Return the results there are."""
    if not RESULTS.exists():
        return {}
    records = json.loads(RESULTS.read_text())["cells"]
    return {(r["network"], r["batch"], r["cores"]): r["seconds"] for r in records}


def write(found: dict[Key, Samples]) -> None:
    """Write all results, and on which machine the latest were measured."""
    RESULTS.parent.mkdir(exist_ok=True)
    records = [
        {
            "network": network,
            "batch": batch,
            "cores": cores,
            "seconds": {
                name: [round(value, 4) for value in values] for name, values in seconds.items()
            },
        }
        for (network, batch, cores), seconds in sorted(found.items())
    ]
    RESULTS.write_text(json.dumps({"machine": machine(), "cells": records}, indent=1) + "\n")


if __name__ == "__main__":
    main()
