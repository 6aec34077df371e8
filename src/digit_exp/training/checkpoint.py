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

from digit_exp.arrays import Array
from digit_exp.nn.layers import Layer
from digit_exp.nn.network import Network
from digit_exp.training.archive import ArchiveError, Arrays, read_arrays, write_arrays
from digit_exp.training.state import TrainState

FORMAT = "digit-exp checkpoint"
VERSION = 2
"""In version 1 the slots of optimizers held scaled sums: its networks can be loaded and used, but
training cannot go on from them."""


class CheckpointError(ValueError):
    """A file that is not a checkpoint, or is no longer one."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"cannot use the checkpoint {path}: {problem}")


@dataclass(frozen=True)
class Checkpoint:
    """What a file held: the state and the configuration of the run that wrote it."""

    state: TrainState
    config: dict[str, Any]
    version: int = VERSION

    @property
    def network(self) -> Network:
        """A network of its own as it was evaluated, with the averaged weights if there are any."""
        return self._network(self.state.evaluated)

    @property
    def outcome(self) -> Network:
        """The network that training ended with: as of the best epoch, if a callback restores it."""
        remembered = (memory.get("best_storage") for memory in self.state.callback_memory.values())
        best = next((storage for storage in remembered if storage is not None), None)
        return self.network if best is None else self._network(best)

    def _network(self, storage: Array) -> Network:
        network = Network.from_spec(self.state.network.spec(), storage.dtype)
        network.parameters.storage[:] = storage
        return network


def save_checkpoint(
    path: str | Path, state: TrainState, config: Mapping[str, Any] | None = None
) -> Path:
    """Write `state` and `config` (plain values) to `path`, whole or not at all."""
    numbers, arrays = _divide(state.callback_memory)
    arrays["storage"] = state.network.parameters.storage
    arrays |= {f"slots/{name}": slot for name, slot in state.slots.items()}
    if state.average is not None:
        arrays["average"] = state.average
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "network": state.network.spec(),
        "step": state.step,
        "epoch": state.epoch,
        "stop_reason": state.stop_reason,
        "schedule_memory": state.schedule_memory,
        "history": state.history,
        "callback_memory": numbers,
        "config": dict(config or {}),
        "arrays": list(arrays),
    }
    encoded = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    return write_arrays(Path(path), {"meta": encoded, **arrays})


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint and rebuild its network; raise CheckpointError if it is not whole."""
    path = Path(path)
    try:
        arrays = read_arrays(path)
    except ArchiveError as error:
        raise CheckpointError(path, str(error)) from error
    meta = _meta(path, arrays)
    try:
        return Checkpoint(_state(meta, arrays), meta["config"], meta["version"])
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        MemoryError,
        RecursionError,
    ) as error:
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


def save_network(path: str | Path, network: Network) -> Path:
    """Write a network alone, in the same format, for `load_network`."""
    return save_checkpoint(path, TrainState(network, slots={}))


def load_network(path: str | Path) -> Network:
    """Return the network of a checkpoint, ready to predict."""
    return load_checkpoint(path).network


def _meta(path: Path, arrays: Arrays) -> dict[str, Any]:
    try:
        meta = json.loads(arrays.pop("meta").tobytes())
        known = meta["format"] == FORMAT
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(path, "it was not written by digit-exp") from error
    if not known:
        raise CheckpointError(path, "it was not written by digit-exp")
    if meta.get("version") not in (1, VERSION):
        raise CheckpointError(
            path, f"its format is version {meta.get('version')}, this program reads 1 and {VERSION}"
        )
    # A damaged list of contents can hide an entry that no checksum then misses.
    listed = meta.get("arrays")
    if not isinstance(listed, list):
        raise CheckpointError(path, "it lacks a list of its contents")
    if missing := sorted(set(map(str, listed)) - arrays.keys()):
        raise CheckpointError(path, f"it lacks {', '.join(missing)}")
    return dict(meta)


def _state(meta: Mapping[str, Any], arrays: Arrays) -> TrainState:
    _check_kinds(meta)
    network = _network(meta["network"], arrays["storage"])
    storage, values = network.parameters.storage, network.parameters.values
    return TrainState(
        network=network,
        slots={
            entry.removeprefix("slots/"): _like(values, arrays, entry)
            for entry in arrays
            if entry.startswith("slots/")
        },
        schedule_memory=meta["schedule_memory"],
        average=_like(storage, arrays, "average") if "average" in arrays else None,
        step=meta["step"],
        epoch=meta["epoch"],
        history=meta["history"],
        callback_memory=_unite(meta["callback_memory"], arrays),
        stop_reason=meta["stop_reason"],
    )


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


def _network(spec: Mapping[str, Any], storage: np.ndarray) -> Network:
    """Build the network, if `storage` has as many numbers as its architecture says."""
    if storage.dtype not in (np.float32, np.float64):
        raise ValueError(f"storage holds {storage.dtype}, and a network needs real numbers")
    if storage.shape != (size := (_size(spec),)):
        raise ValueError(
            f"storage holds {storage.dtype} of shape {storage.shape},"
            f" the network needs {storage.dtype} of shape {size}"
        )
    network = Network.from_spec(spec, storage.dtype)
    network.parameters.storage[:] = storage
    return network


def _size(spec: Mapping[str, Any]) -> int:
    """Return how many numbers an architecture needs, without making room for them."""
    size = 0
    for entry in spec["layers"]:
        values = dict(entry)
        layer = Layer.kinds[values.pop("kind")](**values)
        size += sum(math.prod(slot.shape) for slot in layer.slots().values())
    return size


def _like(vector: Array, arrays: Mapping[str, np.ndarray], entry: str) -> Array:
    array = arrays[entry]
    if array.shape != vector.shape or array.dtype != vector.dtype:
        raise ValueError(
            f"{entry} holds {array.dtype} of shape {array.shape},"
            f" the network needs {vector.dtype} of shape {vector.shape}"
        )
    return array


def _divide(memory: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Separate what callbacks remember into plain values and arrays."""
    numbers: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    for callback, items in memory.items():
        numbers[callback] = {k: v for k, v in items.items() if not isinstance(v, np.ndarray)}
        arrays |= {
            f"callbacks/{callback}/{k}": v for k, v in items.items() if isinstance(v, np.ndarray)
        }
    return numbers, arrays


def _unite(numbers: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Undo `_divide`."""
    memory: dict[str, dict[str, Any]] = {name: dict(items) for name, items in numbers.items()}
    for entry, array in arrays.items():
        if entry.startswith("callbacks/"):
            callback, _, key = entry.removeprefix("callbacks/").rpartition("/")
            memory.setdefault(callback, {})[key] = array
    return memory
