"""A training state as one file: a zip of plain arrays (`.npz`) without pickle.

The entry `meta` is JSON in UTF-8: architecture, counters, history, configuration. All other
entries are arrays. A crash while it is written leaves the old file or the new one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digit_exp.nn.layers import Layer
from digit_exp.nn.learner import Learner, SavedLearner
from digit_exp.nn.network import COPIES, Network
from digit_exp.nn.prediction_averaging import DeformedCopies
from digit_exp.npz import ArchiveError, Arrays, read_arrays, write_arrays
from digit_exp.training.state import TrainState

FORMAT = "digit-exp checkpoint"
VERSION = 2
"""In version 1 the slots of optimizers held scaled sums: its networks can be loaded and used, but
training cannot go on from them."""

PLAIN = ("step", "epoch", "stop_reason", "schedule_memory", "history")
"""The fields of the state that JSON can hold."""

EXHAUSTED = (OverflowError, MemoryError, RecursionError)
"""What numbers and nesting that are too large raise."""


class CheckpointError(ValueError):
    """A file that is not a checkpoint, or is damaged."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"cannot use the checkpoint {path}: {problem}")


@dataclass(frozen=True)
class Checkpoint:
    """The content of a file: the state and the configuration of the run that wrote it."""

    state: TrainState
    config: dict[str, Any]
    version: int = VERSION

    @property
    def network(self) -> Network | SavedLearner:
        """A copy of the network as it was evaluated, with the averaged weights if there are any."""
        return self._network(self.state.evaluated)

    @property
    def outcome(self) -> Network | SavedLearner:
        """The network at the end of training: that of the best epoch, if a callback restores it."""
        remembered = (memory.get("best_storage") for memory in self.state.callback_memory.values())
        best = next((storage for storage in remembered if storage is not None), None)
        return self.network if best is None else self._network(best)

    def _network(self, storage: np.ndarray) -> Network | SavedLearner:
        kept = self.state.network
        if isinstance(kept, Learner):
            return SavedLearner(kept.shape, kept.classes, storage)
        network = Network.from_spec(kept.spec(), storage.dtype)
        network.restore(storage)
        return network


def save_checkpoint(
    path: str | Path,
    state: TrainState,
    config: Mapping[str, Any] | None = None,
    *,
    version: int = VERSION,
) -> Path:
    """Write `state` and `config` (plain values) to `path`, atomically.

    `version` is that of the checkpoint that the state was read from.
    """
    arrays = {"storage": state.network.storage}
    arrays |= {f"slots/{name}": slot for name, slot in state.slots.items()}
    if state.average is not None:
        arrays["average"] = state.average
    memory: dict[str, dict[str, Any]] = {}
    for callback, items in state.callback_memory.items():
        memory[callback] = {k: v for k, v in items.items() if not isinstance(v, np.ndarray)}
        arrays |= {f"callbacks/{callback}/{k}": items[k] for k in items.keys() - memory[callback]}
    meta = {
        "format": FORMAT,
        "version": version,
        "network": state.network.spec(),
        **{name: getattr(state, name) for name in PLAIN},
        "callback_memory": memory,
        "config": dict(config or {}),
        "arrays": list(arrays),
    }
    encoded = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    return write_arrays(Path(path), {"meta": encoded, **arrays})


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint and rebuild its network; raise CheckpointError if it is damaged."""
    path = Path(path)
    try:
        arrays = read_arrays(path)
    except ArchiveError as error:
        raise CheckpointError(path, str(error)) from error
    meta = _meta(path, arrays)
    try:
        return Checkpoint(_state(meta, arrays), meta["config"], meta["version"])
    except (LookupError, TypeError, ValueError, AttributeError, *EXHAUSTED) as error:
        raise CheckpointError(path, f"its contents do not fit together ({error!r})") from error


def load_for_resuming(path: str | Path) -> Checkpoint:
    """Read a checkpoint from which training can go on; raise CheckpointError if it cannot."""
    checkpoint = load_checkpoint(path)
    if checkpoint.version < VERSION:
        raise CheckpointError(
            Path(path),
            "an earlier version of digit-exp wrote it, whose optimizers kept other numbers. It can"
            " predict, but training cannot go on from it. Use `digit-exp reproduce` to train again",
        )
    return checkpoint


def save_network(path: str | Path, network: Network | Learner) -> Path:
    """Write a network alone, in the same format, for `load_network`."""
    return save_checkpoint(path, TrainState(network, slots={}))


def load_network(path: str | Path) -> Network:
    """Return the network of a checkpoint, ready to predict."""
    network = load_checkpoint(path).network
    if isinstance(network, SavedLearner):
        problem = "it holds a model of another library; load it with digit_exp.load_run(...)"
        raise CheckpointError(Path(path), problem)
    return network


def _meta(path: Path, arrays: Arrays) -> dict[str, Any]:
    try:
        meta = dict(json.loads(arrays.pop("meta").tobytes()))
    except (KeyError, ValueError, TypeError, RecursionError):
        meta = {}
    if meta.get("format") != FORMAT:
        raise CheckpointError(path, "it was not written by digit-exp")
    if (version := meta.get("version")) not in (1, VERSION):
        raise CheckpointError(
            path, f"its format is version {version}, this program reads 1 and {VERSION}"
        )
    # A damaged directory of the zip can hide an entry, and no checksum would miss it.
    if not isinstance(listed := meta.get("arrays"), list):
        raise CheckpointError(path, "it lacks a list of its contents")
    if missing := sorted(set(map(str, listed)) - arrays.keys()):
        raise CheckpointError(path, f"it lacks {', '.join(missing)}")
    return meta


def _state(meta: Mapping[str, Any], arrays: Arrays) -> TrainState:
    _check_kinds(meta)
    storage = arrays["storage"]
    plain = {name: meta[name] for name in PLAIN}
    if "learner" in meta["network"]:
        learner = _learner(meta["network"]["learner"], storage)
        return TrainState(learner, {}, callback_memory=_memory(meta, arrays), **plain)
    if storage.dtype not in (np.float32, np.float64):
        raise ValueError(f"storage holds {storage.dtype}, and a network needs real numbers")
    # compared before there is memory for a network of any size
    _check_size(arrays, "storage", _size(meta["network"]), storage.dtype)
    network = Network.from_spec(meta["network"], storage.dtype)
    network.parameters.storage[:] = storage
    slots = {e.removeprefix("slots/"): arrays[e] for e in arrays if e.startswith("slots/")}
    for name in slots:
        _check_size(arrays, f"slots/{name}", len(network.parameters), storage.dtype)
    if "average" in arrays:
        _check_size(arrays, "average", len(storage), storage.dtype)
    memory, average = _memory(meta, arrays), arrays.get("average")
    return TrainState(network, slots, average=average, callback_memory=memory, **plain)


def _memory(meta: Mapping[str, Any], arrays: Arrays) -> dict[str, dict[str, Any]]:
    """Return what the callbacks remember."""
    memory = {name: dict(items) for name, items in meta["callback_memory"].items()}
    for entry in (entry for entry in arrays if entry.startswith("callbacks/")):
        callback, _, key = entry.removeprefix("callbacks/").rpartition("/")
        memory.setdefault(callback, {})[key] = arrays[entry]
    return memory


def _learner(spec: Mapping[str, Any], storage: np.ndarray) -> SavedLearner:
    height, width = spec["shape"]
    whole = all(isinstance(number, int) for number in (height, width, spec["classes"]))
    if not whole or storage.dtype != np.uint8 or storage.ndim != 1:
        raise TypeError("the state of a model of another library is bytes, with a shape")
    return SavedLearner((height, width), spec["classes"], storage)


def _check_kinds(meta: Mapping[str, Any]) -> None:
    """Raise TypeError unless the values of `meta` are of the kinds that training relies on."""
    numbers = [meta["step"], meta["epoch"], *meta["schedule_memory"].values()]
    for metrics in meta["history"]:
        numbers += [metrics["epoch"], *metrics.values()]
    right = (
        isinstance(meta["step"], int)
        and isinstance(meta["epoch"], int)
        and isinstance(meta["config"], dict)
        and isinstance(meta["stop_reason"], str | None)
        and min(meta["step"], meta["epoch"]) >= 0
        and all(isinstance(number, int | float) for number in numbers)
    )
    if not right:
        raise TypeError("a counter or a metric is no number")


def _size(spec: Mapping[str, Any]) -> int:
    """Return how many numbers an architecture has, without making room for them."""
    slots = [slot for entry in spec["layers"] for slot in Layer.from_spec(entry).slots().values()]
    if COPIES in spec:
        slots += DeformedCopies(**spec[COPIES]).slots.values()
    return sum(math.prod(slot.shape) for slot in slots)


def _check_size(arrays: Arrays, entry: str, size: int, dtype: np.dtype) -> None:
    array = arrays[entry]
    if array.shape != (size,) or array.dtype != dtype:
        raise ValueError(
            f"{entry} holds {array.dtype} of shape {array.shape},"
            f" the network needs {dtype} of shape {(size,)}"
        )
