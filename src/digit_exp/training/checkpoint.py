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
        """The network as it was evaluated, with the averaged weights if there are any."""
        self.state.network.parameters.storage[:] = self.state.evaluated
        return self.state.network


def save_checkpoint(
    path: str | Path, state: TrainState, config: Mapping[str, Any] | None = None
) -> Path:
    """Write `state` and `config` (plain values) to `path`, whole or not at all."""
    numbers, arrays = _divide(state.callback_memory)
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
    }
    entries: dict[str, np.ndarray] = {
        "meta": np.frombuffer(json.dumps(meta).encode(), np.uint8),
        "storage": state.network.parameters.storage,
        **{f"slots/{name}": slot for name, slot in state.slots.items()},
        **arrays,
    }
    if state.average is not None:
        entries["average"] = state.average
    return _write(Path(path), entries)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint and rebuild its network; raise CheckpointError if it is not whole."""
    path = Path(path)
    arrays = _read(path)
    meta = _meta(path, arrays)
    try:
        network = Network.from_spec(meta["network"], arrays["storage"].dtype)
        _fill(network.parameters.storage, arrays.pop("storage"), "storage")
        state = TrainState(
            network=network,
            slots=_group(arrays, "slots/", len(network.parameters)),
            schedule_memory=meta["schedule_memory"],
            average=arrays.get("average"),
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
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except CheckpointError:
        raise
    except zipfile.BadZipFile as error:
        raise CheckpointError(path, f"it is damaged or no .npz file ({error})") from error
    except (ValueError, OSError, EOFError, MemoryError) as error:
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
    return dict(meta)


def _fill(target: Array, source: np.ndarray, name: str) -> None:
    if target.shape != source.shape:
        raise ValueError(f"{name} has shape {source.shape}, the network needs {target.shape}")
    target[:] = source


def _group(arrays: Mapping[str, np.ndarray], prefix: str, size: int) -> dict[str, Array]:
    group = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
    for name, array in group.items():
        if array.shape != (size,):
            raise ValueError(f"{prefix}{name} has shape {array.shape}, the network needs {(size,)}")
    return group


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
            _, callback, key = entry.split("/")
            memory.setdefault(callback, {})[key] = array
    return memory
