"""A training state as one file: a zip of plain arrays (`.npz`) without pickle.

The entry `meta` is JSON in UTF-8: architecture, counters, history, configuration. All other
entries are arrays. A file is written beside its place and moved there when it is whole on disk,
so that a crash leaves the old file or the new one.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digit_exp.arrays import Array
from digit_exp.nn.network import Network
from digit_exp.training.state import TrainState

FORMAT = "digit-exp checkpoint"
VERSION = 1


class CheckpointError(ValueError):
    """A file that is not a checkpoint, or is no longer one."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"cannot use the checkpoint {path}: {problem}")


@dataclass(frozen=True)
class Checkpoint:
    """What a file held: the state and the configuration of the run that wrote it."""

    state: TrainState
    config: dict[str, Any]

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
    return _write(Path(path), {"meta": encoded, **arrays})


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint and rebuild its network; raise CheckpointError if it is not whole."""
    path = Path(path)
    arrays = _read(path)
    meta = _meta(path, arrays)
    try:
        network = Network.from_spec(meta["network"], arrays["storage"].dtype)
        storage, values = network.parameters.storage, network.parameters.values
        storage[:] = _like(storage, arrays, "storage")
        state = TrainState(
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
        return Checkpoint(state, meta["config"])
    except (KeyError, TypeError, ValueError, AttributeError, MemoryError) as error:
        raise CheckpointError(path, f"its contents do not fit together ({error!r})") from error


def save_network(path: str | Path, network: Network) -> Path:
    """Write a network alone, in the same format, for `load_network`."""
    return save_checkpoint(path, TrainState(network, slots={}))


def load_network(path: str | Path) -> Network:
    """Return the network of a checkpoint, ready to predict."""
    return load_checkpoint(path).network


def _write(path: Path, entries: Mapping[str, np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            np.savez(file, allow_pickle=False, **entries)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise CheckpointError(path, "there is no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                # Ours never are; refusing keeps the memory needed below the size of the file.
                raise CheckpointError(path, "it holds compressed entries, so it is not ours")
            if (damaged := archive.testzip()) is not None:
                raise CheckpointError(path, f"its entry {damaged} is damaged")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except CheckpointError:
        raise
    # RuntimeError: a damaged flag claims that an entry is encrypted or of a later format
    except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
        reason = str(error) or "it ends too early"
        raise CheckpointError(path, f"it is damaged or no .npz file ({reason})") from error
    except (ValueError, OSError, MemoryError) as error:
        raise CheckpointError(path, f"it cannot be read ({error})") from error


def _meta(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    try:
        meta = json.loads(arrays.pop("meta").tobytes())
        known = meta["format"] == FORMAT
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(path, "it was not written by digit-exp") from error
    if not known:
        raise CheckpointError(path, "it was not written by digit-exp")
    if meta.get("version") != VERSION:
        raise CheckpointError(
            path, f"its format is version {meta.get('version')}, this program reads {VERSION}"
        )
    # A damaged list of contents can hide an entry that no checksum then misses.
    if missing := sorted(set(meta.get("arrays", ())) - arrays.keys()):
        raise CheckpointError(path, f"it lacks {', '.join(missing)}")
    return dict(meta)


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
