import io
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from digit_exp.training.checkpoint import (
    CheckpointError,
    load_checkpoint,
    load_for_resuming,
    load_network,
    save_checkpoint,
    save_network,
)


@pytest.fixture
def full_state(state):
    """A state in which everything is set and nothing is equal."""
    rng = np.random.default_rng(0)
    values = len(state.network.parameters)
    state.network.parameters.storage[:] = rng.uniform(0.1, 1, len(state.network.parameters.storage))
    state.average = rng.uniform(0.1, 1, state.network.parameters.storage.shape).astype(np.float32)
    state.slots = {name: rng.normal(size=values).astype(np.float32) for name in "mv"}
    state.schedule_memory = {"factor": 0.5, "best": float("inf")}
    state.step, state.epoch, state.stop_reason = 17, 2, "early_stopping"
    state.history = [{"epoch": 1, "val_acc": 0.1 + 0.2}, {"epoch": 2, "val_loss": float("nan")}]
    best = rng.normal(size=len(state.network.parameters.storage)).astype(np.float32)
    state.callback_memory = {"EarlyStopping val_acc": {"best": 0.3, "best_storage": best}}
    return state


def plain(state):
    """Return everything in a state as a value that can be compared; NaN equals NaN."""
    arrays = {"storage": state.network.parameters.storage, "average": state.average, **state.slots}
    numbers = (state.network.spec(), state.schedule_memory, state.step, state.epoch, state.history)
    memory = repr(state.callback_memory)
    return {k: v.tobytes() for k, v in arrays.items()}, repr(numbers), state.stop_reason, memory


def entries(path):
    with np.load(path) as file:
        return dict(file)


def refusal(path):
    """Return what is said about the file at `path`, which must be refused by its name."""
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(path)
    prefix = f"cannot use the checkpoint {path}: "
    assert str(error.value).startswith(prefix)
    return str(error.value).removeprefix(prefix)


def test_everything_in_a_state_comes_back_bit_for_bit(full_state, tmp_path):
    config = {"seed": 1, "model": {"hidden": [5]}, "run_name": None}
    checkpoint = load_checkpoint(save_checkpoint(tmp_path / "a.npz", full_state, config))
    assert plain(checkpoint.state) == plain(full_state)
    assert checkpoint.config == config


def test_a_state_without_average_and_slots_comes_back(state, tmp_path):
    state.slots = {}
    again = load_checkpoint(save_checkpoint(tmp_path / "a.npz", state)).state
    assert again.average is None
    assert again.slots == {}


def test_the_file_alone_rebuilds_a_network_that_predicts_the_same(state, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (9, 2, 3), np.uint8)
    again = load_network(save_network(tmp_path / "network.npz", state.network))
    expected = state.network.predict_proba(images)
    np.testing.assert_array_equal(again.predict_proba(images), expected)


def test_the_network_of_a_checkpoint_has_the_averaged_weights(full_state, tmp_path):
    checkpoint = load_checkpoint(save_checkpoint(tmp_path / "a.npz", full_state))
    storage = checkpoint.network.parameters.storage
    np.testing.assert_array_equal(storage, full_state.average)


def test_looking_at_the_network_does_not_change_the_state(full_state, tmp_path):
    checkpoint = load_checkpoint(save_checkpoint(tmp_path / "a.npz", full_state))
    checkpoint.network.parameters.storage[:] = 0
    assert plain(checkpoint.state) == plain(full_state)


def test_layers_see_what_was_loaded(full_state, tmp_path):
    network = load_checkpoint(save_checkpoint(tmp_path / "a.npz", full_state)).state.network
    assert np.shares_memory(network.layers[0].w, network.parameters.storage)
    assert network.layers[0].w.all()


@pytest.mark.parametrize("name", ["with space.npz", "größe-数字.npz", "no-suffix", "a/b/c.npz"])
def test_any_path_will_do(state, tmp_path, name):
    path = save_checkpoint(str(tmp_path / name), state)
    assert path == tmp_path / name
    assert load_checkpoint(str(path)).state.epoch == 0


class Bomb:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("entry", ["meta", "storage", "callbacks/EarlyStopping/best_storage"])
def test_a_pickle_in_the_file_is_refused_and_not_executed(state, tmp_path, entry):
    path, marker = save_checkpoint(tmp_path / "a.npz", state), tmp_path / "executed"
    bomb = np.array([Bomb(marker)], dtype=object)
    np.savez(path, allow_pickle=True, **{**entries(path), entry: bomb})
    assert "holds Python objects" in refusal(path)
    assert not marker.exists()


def test_a_truncated_file_is_refused_wherever_it_ends(full_state, tmp_path):
    whole = save_checkpoint(tmp_path / "a.npz", full_state).read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        (path := tmp_path / "cut.npz").write_bytes(whole[:length])
        assert refusal(path)


def test_a_flipped_bit_is_refused_or_was_of_no_account(full_state, tmp_path):
    whole = save_checkpoint(tmp_path / "a.npz", full_state).read_bytes()
    path, bits = tmp_path / "flipped.npz", np.random.default_rng(0).integers(8, size=len(whole))
    refused = 0
    for position, bit in enumerate(bits):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(bit)
        path.write_bytes(damaged)
        try:
            assert plain(load_checkpoint(path).state) == plain(full_state), (position, bit)
        except CheckpointError:
            refused += 1
    assert refused > 0.8 * len(whole)  # the rest are dates and permissions


def test_a_damaged_length_does_not_shorten_an_array(state, tmp_path):
    state.callback_memory = {"EarlyStopping": {"best_storage": np.ones(5000, np.float32)}}
    whole = save_checkpoint(path := tmp_path / "a.npz", state).read_bytes()
    assert whole.count(b"(5000,)") == 1
    path.write_bytes(whole.replace(b"(5000,)", b"(4000,)"))
    assert "its entry callbacks/EarlyStopping/best_storage is damaged" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04K\x01.", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    (path := tmp_path / "foreign.npz").write_bytes(content)
    assert "damaged or no .npz file" in refusal(path) or "not written by digit-exp" in refusal(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert refusal(tmp_path / "none.npz") == "there is no such file"
    assert refusal(tmp_path) == "there is no such file"


@pytest.mark.parametrize(
    "meta", [{}, {"meta": np.zeros(3)}, {"meta": np.frombuffer(b'{"format": "x"}', np.uint8)}]
)
def test_an_npz_file_of_others_is_refused(tmp_path, meta):
    np.savez(path := tmp_path / "foreign.npz", weights=np.zeros(3), **meta)
    assert refusal(path) == "it was not written by digit-exp"


def test_compressed_entries_are_refused(state, tmp_path):
    path = save_checkpoint(tmp_path / "a.npz", state)
    np.savez_compressed(path, **entries(path))
    assert refusal(path) == "it holds compressed entries, so it is not ours"


def test_another_version_is_refused_with_both_versions(state, tmp_path):
    path = save_checkpoint(tmp_path / "a.npz", state)
    contents = entries(path)
    meta = contents["meta"].tobytes().replace(b'"version": 2', b'"version": 9')
    np.savez(path, **{**contents, "meta": np.frombuffer(meta, np.uint8)})
    assert refusal(path) == "its format is version 9, this program reads 1 and 2"


def test_the_first_version_can_predict_but_not_go_on(state, tmp_path):
    path = save_checkpoint(tmp_path / "a.npz", state)
    contents = entries(path)
    meta = contents["meta"].tobytes().replace(b'"version": 2', b'"version": 1')
    np.savez(path, **{**contents, "meta": np.frombuffer(meta, np.uint8)})
    storage = state.network.parameters.storage
    np.testing.assert_array_equal(load_network(path).parameters.storage, storage)
    with pytest.raises(CheckpointError, match="cannot go on from it"):
        load_for_resuming(path)


@pytest.mark.parametrize("entry", ["storage", "slots/m", "average"])
@pytest.mark.parametrize("wrong", [np.zeros(3, np.float32), np.zeros((2, 2)), np.float32(1)])
def test_arrays_that_do_not_fit_the_network_are_refused(full_state, tmp_path, entry, wrong):
    path = save_checkpoint(tmp_path / "a.npz", full_state)
    np.savez(path, **{**entries(path), entry: wrong})
    message = refusal(path)
    assert f"{entry} holds {wrong.dtype} of shape {wrong.shape}, the network needs" in message


@pytest.mark.parametrize("entry", ["storage", "slots/v", "average"])
def test_a_missing_entry_is_named(full_state, tmp_path, entry):
    path = save_checkpoint(tmp_path / "a.npz", full_state)
    contents = entries(path)
    del contents[entry]
    np.savez(path, **contents)
    assert refusal(path) == f"it lacks {entry}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"kind": "relu"', b'"kind": "rely"'),
        (b'"units": 5', b'"units": 6'),
        (b'"units": 5', b'"bogus": 5'),
        (b'"step": ', b'"stop": '),
    ],
)
def test_an_architecture_that_does_not_fit_is_refused(full_state, tmp_path, old, new):
    path = save_checkpoint(tmp_path / "a.npz", full_state)
    contents = entries(path)
    meta = contents["meta"].tobytes()
    assert old in meta
    np.savez(path, **{**contents, "meta": np.frombuffer(meta.replace(old, new, 1), np.uint8)})
    assert "its contents do not fit together" in refusal(path)


def failing(*_, **__):
    raise OSError("no space left on device")


@pytest.mark.parametrize("target", ["numpy.savez", "os.fsync", "pathlib.Path.replace"], ids=str)
def test_a_write_that_fails_leaves_the_old_file_and_no_draft(state, tmp_path, monkeypatch, target):
    path = save_checkpoint(tmp_path / "a.npz", state)
    state.epoch = 1
    monkeypatch.setattr(target, failing)
    with pytest.raises(OSError, match="no space left"):
        save_checkpoint(path, state)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == [path]
    assert load_checkpoint(path).state.epoch == 0


def test_a_process_killed_while_it_writes_leaves_the_old_file(state, tmp_path):
    path = save_checkpoint(tmp_path / "a.npz", state)
    script = (
        "import os, signal, sys\n"
        "from digit_exp.training.checkpoint import load_checkpoint, save_checkpoint\n"
        "state = load_checkpoint(sys.argv[1]).state\n"
        "state.epoch = 1\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "save_checkpoint(sys.argv[1], state)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, path], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert load_checkpoint(path).state.epoch == 0


def test_the_file_is_a_plain_zip_of_arrays_that_numpy_alone_can_read(full_state, tmp_path):
    path = save_checkpoint(tmp_path / "a.npz", full_state)
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        assert archive.testzip() is None
    with np.load(path, allow_pickle=False) as file:
        stored = file["storage"]
    np.testing.assert_array_equal(stored, full_state.network.parameters.storage)
