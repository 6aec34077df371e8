"""What a file claims about itself is not believed: sizes, places, names, kinds."""

import io
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from digit_exp.npz import ArchiveError, read_arrays, write_arrays
from digit_exp.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint

MANY = 10**12


def header(shape, dtype="<f4"):
    file = io.BytesIO()
    described = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def zipped(path, **entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.fixture
def frugal():
    """Fail if the test took more than a megabyte."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([], np.uint8), "größe": np.ones(1)}
    again = read_arrays(write_arrays(tmp_path / "a.npz", arrays))
    assert list(again) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)


@pytest.mark.parametrize("shape", [(MANY,), (MANY, MANY), (3,), ()])
@pytest.mark.usefixtures("frugal")
def test_a_shape_that_lies_is_refused_before_there_is_room_for_it(tmp_path, shape):
    path = zipped(tmp_path / "a.npz", a=header(shape) + bytes(8))
    with pytest.raises(ArchiveError, match="a is not as large as its header says"):
        read_arrays(path)


@pytest.mark.usefixtures("frugal")
def test_entries_that_share_their_bytes_are_refused(tmp_path):
    """As in Fifield (2019), A better zip bomb: every entry is as large as the file."""
    content = header((65536,), "|u1") + bytes(65536)
    path = zipped(tmp_path / "a.npz", a=content)
    with zipfile.ZipFile(path, "a") as archive:
        first = archive.infolist()[0]
        for number in range(500):
            again = zipfile.ZipInfo(f"b{number}.npy")
            again.CRC, again.file_size, again.compress_size = first.CRC, *[first.file_size] * 2
            again.header_offset = first.header_offset
            archive.filelist.append(again)
        archive._didModify = True
    with pytest.raises(ArchiveError, match="lie one over the other"):
        read_arrays(path)


def test_two_entries_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", header((2,)) + bytes(8))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.npy", header((2,)) + bytes(8))
    with pytest.raises(ArchiveError, match="two entries of one name"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "a/../../evil", "..\\evil"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    """It would be harmless, as nothing is ever unpacked; but who writes such a file means harm."""
    with pytest.raises(ArchiveError, match="is a path out of it"):
        read_arrays(zipped(tmp_path / "a.npz", **{name: header((2,)) + bytes(8)}))
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("dtype", ["|O", "|V8", [("a", "|O")]])
def test_a_kind_of_value_that_is_no_number_does_not_become_a_network(state, tmp_path, dtype):
    entries = read_arrays(save_checkpoint(tmp_path / "good.npz", state))
    size = len(entries["storage"])
    raw = {name: header(a.shape, a.dtype.str) + a.tobytes() for name, a in entries.items()}
    raw["storage"] = header((size,), dtype) + bytes(8 * size)
    with pytest.raises(CheckpointError, match=r"Python objects|needs real numbers"):
        load_checkpoint(zipped(tmp_path / "a.npz", **raw))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(ArchiveError, match="there is no such file"):
        read_arrays(tmp_path / "pipe.npz")


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "loop.npz").symlink_to(tmp_path / "loop.npz")
    with pytest.raises(ArchiveError, match="there is no such file"):
        read_arrays(tmp_path / "loop.npz")


def rewritten(path, change):
    """Write a checkpoint again with its description changed."""
    entries = read_arrays(path)
    meta = json.loads(entries["meta"].tobytes())
    change(meta)
    entries["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    return write_arrays(path, entries)


@pytest.mark.usefixtures("frugal")
def test_an_architecture_of_a_million_million_weights_is_refused_unbuilt(state, tmp_path):
    def enlarge(meta):
        meta["network"]["layers"][0]["units"] = MANY

    path = rewritten(save_checkpoint(tmp_path / "a.npz", state), enlarge)
    with pytest.raises(CheckpointError, match="the network needs"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "change",
    [
        {"history": "abc"},
        {"history": [{"train_loss": 1.0}]},
        {"history": [{"epoch": "1"}]},
        {"epoch": -1},
        {"step": "1"},
        {"step": None},
        {"schedule_memory": [1]},
        {"schedule_memory": {"factor": "a"}},
        {"callback_memory": {"EarlyStopping": 3}},
        {"network": []},
        {"config": "seed: 1"},
        {"stop_reason": 3},
        {"arrays": 3},
    ],
    ids=str,
)
def test_a_description_of_other_kinds_is_refused(state, tmp_path, change):
    path = rewritten(save_checkpoint(tmp_path / "a.npz", state), lambda meta: meta.update(change))
    with pytest.raises(CheckpointError, match=r"do not fit together|it lacks a list"):
        load_checkpoint(path)


def test_a_description_nested_without_end_is_refused(tmp_path):
    deep = np.frombuffer(b"[" * 200_000, np.uint8)
    path = write_arrays(tmp_path / "a.npz", {"meta": deep})
    with pytest.raises(CheckpointError, match="not written by digit-exp"):
        load_checkpoint(path)
