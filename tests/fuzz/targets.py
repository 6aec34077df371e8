"""What the three parsers promise about any input whatever, as functions of its bytes.

Each either reads the input or refuses it with the one exception that its callers turn into a
sentence. Everything else that escapes is a bug.
"""

import io
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf

from digit_exp.config.compose import compose
from digit_exp.config.parse import from_mapping
from digit_exp.config.serialize import resolved
from digit_exp.data.idx import DataError, read_images, read_labels
from digit_exp.nn.builder import NetworkBuilder
from digit_exp.registry import ConfigError
from digit_exp.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from digit_exp.training.state import TrainState

SECRET = "correct-horse-battery-staple"
CORPUS = Path(__file__).parent / "corpus"
DEFAULTS = resolved(compose([]).jobs[0])


def scratch() -> Path:
    """Return a folder of this process for the file that is tried."""
    folder = Path(tempfile.gettempdir()) / f"digit_exp-fuzz-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    return folder


def idx(data: bytes) -> str:
    """Read the input as images and as labels: what comes out is as large as the input says."""
    path = scratch() / "data"
    path.write_bytes(data)
    outcomes = []
    for read in (read_images, read_labels):
        try:
            values = read(path)
        except DataError as error:
            outcomes.append(str(error))
        else:
            assert 0 < values.size <= 1032 * len(data)
            outcomes.append(f"{values.shape}")
    assert all(str(path) in outcome or outcome.startswith("(") for outcome in outcomes)
    return " | ".join(outcomes)


def checkpoint(data: bytes) -> str:
    """Read the input as a checkpoint; one that is read can be written, read and used."""
    path = scratch() / "checkpoint.npz"
    path.write_bytes(data if data.startswith(b"PK") else _wrapped(data))
    try:
        found = load_checkpoint(path)
    except CheckpointError as error:
        return str(error)
    again = load_checkpoint(save_checkpoint(path, found.state, found.config))
    assert again.state.history == found.state.history or "NaN" in json.dumps(again.state.history)
    network = found.network
    if network.inputs < 10_000:
        network.predict_proba(np.zeros((1, network.inputs), np.uint8))
    return "read"


def config(data: bytes) -> str:
    """Read the input as a file of somebody's own and as words of a command line."""
    os.environ["DIGIT_EXP_FUZZ_SECRET"] = SECRET
    text, _, words = data.decode(errors="replace").partition("\0")
    outcome = _mapped(text)
    if words or (
        data.startswith(b"# @") and len(data) % 8 == 0
    ):  # Hydra takes a hundred times longer
        outcome += _planned(text, [word for word in words.split("\0") if word][:4])
    assert SECRET not in outcome
    assert not any(scratch().glob("executed*")), "something was executed"
    return outcome


def _mapped(text: str) -> str:
    """Read a text as the whole of a configuration."""
    try:
        mapping = OmegaConf.create(text)
        container = OmegaConf.to_container(mapping, resolve=False)
    except Exception:  # what is no YAML is told by Hydra
        return "no YAML"
    if not isinstance(container, dict):
        return "no mapping"
    try:
        job = from_mapping({**DEFAULTS, **container})
    except ConfigError as error:
        return str(error)
    assert from_mapping(resolved(job)) == job
    return str(resolved(job))


def _planned(text: str, words: list[str]) -> str:
    """Read a text as a preset of somebody's own, and words as a command line."""
    folder = scratch() / "experiment"
    folder.mkdir(exist_ok=True)
    (folder / "fuzz.yaml").write_text(text, encoding="utf-8", errors="replace")
    try:
        jobs = compose(["experiment=fuzz", *words], config_dir=str(scratch())).jobs
    except ConfigError as error:
        return str(error)
    return str([resolved(job) for job in jobs[:3]])


def seeds(parser: str) -> list[bytes]:
    """Return inputs to begin with: right ones, and ones that people have tried."""
    return {"idx": _idx_seeds, "checkpoint": _checkpoint_seeds, "config": _config_seeds}[parser]()


def _wrapped(data: bytes) -> bytes:
    """Put the input's parts into a zip whose checksums are right: half of the reader lies behind.

    The parts, separated by four zero bytes, are the description and then entries.
    """
    parts = data.split(bytes(4))
    names = ["meta", "storage", "slots/m", "average", "callbacks/EarlyStopping/best_storage"]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, part in zip(names, parts, strict=False):
            archive.writestr(f"{name}.npy", _npy(part) if name == "meta" else part)
    return file.getvalue()


def _npy(content: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.frombuffer(content, np.uint8), allow_pickle=False)
    return file.getvalue()


def _idx_seeds() -> list[bytes]:
    import gzip

    images = bytes([0, 0, 8, 3]) + np.array([2, 3, 4], ">u4").tobytes() + bytes(range(24))
    labels = bytes([0, 0, 8, 1]) + np.array([5], ">u4").tobytes() + bytes([0, 1, 2, 3, 255])
    lying = bytes([0, 0, 8, 3]) + b"\xff" * 12 + bytes(24)
    plain = [images, labels, lying, b"<!DOCTYPE html>", b"", images[:9]]
    return plain + [gzip.compress(one, mtime=0) for one in plain]


def _checkpoint_seeds() -> list[bytes]:
    network = (
        NetworkBuilder().input(3).dense(2, activation="relu", batch_norm=True).dense(2).build()
    )
    storage = network.parameters.storage
    slot = np.ones(len(network.parameters), np.float32)
    state = TrainState(
        network,
        slots={"m": slot},
        average=storage.copy(),
        history=[{"epoch": 1, "val_acc": 0.5}],
        callback_memory={"EarlyStopping": {"best": 0.5, "best_storage": storage.copy()}},
        schedule_memory={"factor": 0.5},
    )
    path = save_checkpoint(scratch() / "seed.npz", state, {"seed": 1})
    with np.load(path) as file:
        meta = file["meta"].tobytes()
    with zipfile.ZipFile(path) as archive:
        others = [archive.read(f"{name}.npy") for name in ("storage", "slots/m", "average")]
    return [
        path.read_bytes(),
        bytes(4).join([meta, *others]),
        b"PK\x05\x06" + bytes(18),
        b"\x80\x04.",
    ]


def _config_seeds() -> list[bytes]:
    own = "# @package _global_\n"
    texts = [
        "optimizer:\n  lr: 0.1\n",
        "defaults:\n  - override /optimizer: sgd\n  - _self_\nseed: 7\n",
        "optimizer:\n  _target_: os.system\n  command: touch executed\n",
        "run_name: ${oc.env:DIGIT_EXP_FUZZ_SECRET}\n",
        "hydra:\n  run:\n    dir: ${oc.env:DIGIT_EXP_FUZZ_SECRET}\n",
        "defaults:\n  - override /optimizer: ${oc.env:DIGIT_EXP_FUZZ_SECRET}\n",
        "tracking:\n  tags: {a: b, c: ${d}}\n",
        "a: &a [x, x]\nb: &b [*a, *a]\n",
        "run_name: !!python/object/apply:os.system ['touch executed']\n",
        "trainer:\n  checkpoint:\n    filename: ../{epoch}.npz\n",
        "model:\n  hidden: [128, 64]\n  activation: gelu\n",
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      optimizer.lr: 0.1,0.2\n",
    ]
    words = ["seed=1", "optimizer=adam", "run_name='a b'", "optimizer.lr=0.1,0.2", "~data", "+x=1"]
    return [
        *(f"{own}{text}".encode() for text in texts),
        *(f"{own}seed: 1\n\0{word}".encode() for word in words),
    ]


TARGETS = {"idx": idx, "checkpoint": checkpoint, "config": config}
