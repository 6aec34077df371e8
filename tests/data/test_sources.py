import gzip
import shutil
import struct

import numpy as np
import pytest
from scipy import ndimage

from digit_exp.data import download, sources
from digit_exp.data.batches import batches
from digit_exp.data.idx import DataError, read_labels
from digit_exp.data.readers.idx_folder import FILES
from digit_exp.data.readers.orientation import looks_transposed
from digit_exp.data.sources import DATASETS, Mnist, Synthetic
from digit_exp.data.splits import class_counts, pixel_statistics
from digit_exp.registry import ConfigError

IDX = DATASETS["idx"]
DOWNLOADED = ["fashion_mnist", "kmnist"]


def idx_bytes(values):
    values = np.asarray(values, np.uint8)
    shape = values.shape
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + values.tobytes()


def write(folder, *values, names=FILES):
    """Write training images and labels, test images and labels."""
    for name, array in zip(names, values, strict=True):
        content = idx_bytes(array)
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return str(folder)


def images(count, height=3, width=2):
    return np.random.default_rng(count).integers(0, 256, (count, height, width))


@pytest.fixture(scope="module")
def mnist():
    return Mnist().load()


def test_mnist_is_the_set_of_the_specification(mnist):
    # specification, sections 2.1 and 2.2
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert (len(mnist.train), len(mnist.test)) == (60_000, 10_000)
    assert mnist.image_shape == (28, 28)
    assert mnist.classes == 10
    assert class_counts(mnist.train, 10).tolist() == counts
    assert (mnist.train.images.min(), mnist.train.images.max()) == (0, 255)


def test_mnist_has_its_well_known_pixel_statistics(mnist):
    # 0.1307 and 0.3081: the constants of PyTorch's MNIST example
    assert pixel_statistics(mnist.train) == pytest.approx((0.1307, 0.3081), abs=5e-5)


def test_mnist_begins_with_a_five(mnist):
    assert mnist.train.labels[:5].tolist() == [5, 0, 4, 1, 9]


@pytest.fixture
def copied_package(tmp_path, monkeypatch):
    """Let `sources` look for the shipped files in a copy of them."""
    shutil.copytree(sources.SHIPPED, tmp_path / "mnist")
    monkeypatch.setattr(sources, "SHIPPED", tmp_path / "mnist")
    return tmp_path / "mnist"


def test_shipped_files_with_another_content_are_refused(copied_package):
    path = copied_package / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[100] ^= 1
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(DataError, match="are not those of MNIST: install the package again"):
        Mnist().load()


@pytest.mark.parametrize("name", ["mnist", "idx", *DOWNLOADED])
def test_a_folder_that_is_given_is_used_as_it_is(tmp_path, name):
    folder = write(tmp_path, images(4), [0, 1, 2, 1], images(2), [2, 0])
    dataset = DATASETS[name](dir=folder).load()
    assert dataset.name == name
    assert (len(dataset.train), len(dataset.test)) == (4, 2)
    assert dataset.image_shape == (3, 2)
    assert dataset.train.labels.tolist() == [0, 1, 2, 1]
    np.testing.assert_array_equal(dataset.test.images, images(2))


@pytest.mark.parametrize(
    ("name", "classes", "first"),
    [("fashion_mnist", 10, "t-shirt"), ("kmnist", 10, "o"), ("fashion_mnist", 3, "0")],
)
def test_classes_have_names_unless_the_files_have_another_number_of_them(
    tmp_path, name, classes, first
):
    labels = np.arange(classes)
    folder = write(tmp_path, images(classes), labels, images(classes), labels)
    names = DATASETS[name](dir=folder).load().class_names
    assert (len(names), names[0]) == (classes, first)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_files_are_found_by_their_usual_names(tmp_path, suffix, dotted):
    names = [(name.replace("-idx", ".idx") if dotted else name) + suffix for name in FILES]
    folder = write(tmp_path, images(3), [0, 1, 1], images(2), [1, 0], names=names)
    assert len(IDX(dir=folder).load().train) == 3


def test_there_are_as_many_classes_as_the_largest_label_of_both_parts_says(tmp_path):
    folder = write(tmp_path, images(2), [0, 3], images(2), [255, 1])
    assert IDX(dir=folder).load().classes == 256


def test_the_digest_depends_on_content_not_on_compression(tmp_path):
    values = images(3), [0, 1, 1], images(2), [1, 0]
    (tmp_path / "gz").mkdir()
    plain = IDX(dir=write(tmp_path, *values)).load()
    gzipped = IDX(dir=write(tmp_path / "gz", *values, names=[f"{n}.gz" for n in FILES])).load()
    other = IDX(dir=write(tmp_path, *values[:3], [0, 0])).load()
    assert plain.digest == gzipped.digest != other.digest


def test_a_home_folder_may_be_abbreviated(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, images(3), [0, 1, 1], images(2), [1, 0])
    assert len(IDX(dir="~").load().train) == 3


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ((images(3), [0, 1], images(1), [0]), "3 training images, but 2 training labels"),
        ((images(2), [0, 1], images(1), [0, 0]), "1 test images, but 2 test labels"),
        ((images(2), [0, 1], images(1, 2, 3), [0]), "have 3 × 2 pixels, test images 2 × 3"),
        ((images(2), [7, 7], images(1), [0]), "all training labels are 7"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path, values, complaint):
    with pytest.raises(DataError, match=complaint) as refusal:
        IDX(dir=write(tmp_path, *values)).load()
    assert str(tmp_path) in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    folder = write(tmp_path, images(3), [0, 1, 1], images(2), [1, 0])
    (tmp_path / FILES[3]).unlink()
    with pytest.raises(DataError, match=r"lacks a file: .* t10k-labels-idx1-ubyte, .*\.gz"):
        IDX(dir=folder).load()


def test_a_folder_that_does_not_exist_is_named():
    with pytest.raises(DataError, match=r"data\.dir: nowhere is not a folder"):
        IDX(dir="nowhere").load()


@pytest.mark.parametrize("folder", [None, ""])
def test_idx_needs_a_folder(folder):
    with pytest.raises(ConfigError) as refusal:
        IDX(dir=folder)
    (problem,) = refusal.value.problems
    assert str(problem.under("data")).startswith("data.dir: must name the folder")
    assert "data.dir=FOLDER" in problem.message


@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_set_is_downloaded_with_the_checksum_of_each_file(tmp_path, monkeypatch, name):
    write(tmp_path, images(3), [0, 1, 1], images(2), [1, 0], names=[f"{f}.gz" for f in FILES])
    asked = []
    monkeypatch.setattr(download, "cache_folder", lambda dataset: tmp_path)
    monkeypatch.setattr(download, "fetch", lambda *arguments: asked.append(arguments))
    assert len(DATASETS[name]().load().train) == 3
    assert [file for file, *_ in asked] == [f"{file}.gz" for file in FILES]
    for _, mirrors, sha256, folder in asked:
        assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in mirrors)
        assert len(bytes.fromhex(sha256)) == 32
        assert folder == tmp_path
    assert len({sha256 for _, _, sha256, _ in asked}) == 4


def test_synthetic_has_the_sizes_asked_for():
    dataset = Synthetic(samples=50, test_samples=20, classes=4, height=5, width=7).load()
    assert dataset.train.images.shape == (50, 5, 7)
    assert dataset.test.images.shape == (20, 5, 7)
    assert dataset.train.images.dtype == np.uint8
    assert dataset.classes == 4
    assert np.ptp(class_counts(dataset.train, 4)) <= 1


def test_synthetic_is_a_function_of_its_seed():
    one, again, other = (Synthetic(seed=seed).load() for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.train.images, again.train.images)
    assert one.digest == again.digest != other.digest
    assert not np.array_equal(one.train.images[:200], one.test.images)


def test_a_linear_model_learns_synthetic_images():
    dataset = Synthetic().load()
    ((x, labels),) = [(x.reshape(len(x), -1), y) for x, y in batches(dataset.train, 1000)]
    weights = np.linalg.lstsq(x, np.eye(10)[labels], rcond=0.01)[0]
    ((x, labels),) = [(x.reshape(len(x), -1), y) for x, y in batches(dataset.test, 1000)]
    assert (np.argmax(x @ weights, axis=1) == labels).mean() > 0.9


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"samples": 9}, "samples: must be at least one for each of 10 classes, got 9"),
        ({"classes": 1}, r"classes: must be in \[2, 256\], got 1"),
        ({"classes": 257, "samples": 300}, "classes: must be in"),
        ({"noise": -1.0}, "noise: must be at least 0"),
        ({"val_ratio": 1.0}, r"val_ratio: must be in \[0, 1\)"),
        ({"train_size": 0}, "train_size: must be at least 1"),
    ],
)
def test_a_value_out_of_range_is_refused(fields, complaint):
    with pytest.raises(ConfigError, match=complaint):
        Synthetic(**fields)


def test_labels_that_do_not_begin_with_0_are_told_with_what_to_set(tmp_path):
    labels = np.array([1, 2, 26], np.uint8)
    (folder := tmp_path / "letters").mkdir()
    write(folder, images(3), labels, images(3), labels)
    found = IDX(dir=str(folder)).load()
    assert (found.classes, len(found.remarks)) == (27, 1)
    assert "labels go from 1 to 26" in found.remarks[0]
    assert "data.first_label=1" in found.remarks[0]
    mended = IDX(dir=str(folder), first_label=1).load()
    assert (mended.classes, mended.remarks) == (26, [])
    assert mended.train.labels.tolist() == [0, 1, 25]
    assert mended.digest != found.digest
    with pytest.raises(DataError, match=r"has the label 1, below data\.first_label=2"):
        IDX(dir=str(folder), first_label=2).load()


def test_the_transposed_images_of_emnist_are_told_and_turned(tmp_path):
    labels = np.arange(3, dtype=np.uint8)
    (folder := tmp_path / "EMNIST_digits").mkdir()
    write(folder, images(3), labels, images(3), labels)
    found = IDX(dir=str(folder)).load()
    (remark,) = found.remarks
    assert "data.transpose=true" in remark
    turned = IDX(dir=str(folder), transpose=True).load()
    assert not turned.remarks
    assert turned.image_shape == (2, 3)
    np.testing.assert_array_equal(turned.test.images, found.test.images.swapaxes(1, 2))


PUBLISHED = {
    "EMNIST": [
        f"emnist-digits-{part}-{kind}-ubyte.gz"
        for part in ("train", "test")
        for kind in ("images-idx3", "labels-idx1")
    ],
    "QMNIST": [
        f"qmnist-{part}-{kind}"
        for part in ("train", "test")
        for kind in ("images-idx3-ubyte.gz", "labels-idx2-int")
    ],
}


def several(labels):
    """Return labels as QMNIST has them: the first of eight 32-bit integers an image."""
    values = np.full((len(labels), 8), -7, ">i4")
    values[:, 0] = labels
    return struct.pack(">HBB2I", 0, 0x0C, 2, *values.shape) + values.tobytes()


@pytest.mark.parametrize("publisher", PUBLISHED)
def test_files_are_found_by_the_names_of_their_publisher_at_any_size(tmp_path, publisher):
    names, labels = PUBLISHED[publisher], np.array([2, 0, 1], np.uint8)
    pixels = images(3, 32, 32)
    write(tmp_path, pixels, labels, pixels, labels, names=names)
    for name in names:
        if name.endswith("int"):
            (tmp_path / name).write_bytes(several(labels))
    found = IDX(dir=str(tmp_path)).load()
    assert (found.image_shape, found.classes) == ((32, 32), 3)
    assert found.test.labels.tolist() == [2, 0, 1]
    write(tmp_path, pixels, labels, names=["other-train-images-idx3-ubyte", FILES[3]])
    with pytest.raises(DataError, match="several files"):
        IDX(dir=str(tmp_path)).load()


def test_integers_that_are_no_classes_are_refused(tmp_path):
    file = tmp_path / "labels"
    file.write_bytes(several([0, 256]))
    with pytest.raises(DataError, match="0 to 256"):
        read_labels(file)
    file.write_bytes(several([0, 1])[:-1])
    with pytest.raises(DataError, match="cut off"):
        read_labels(file)


@pytest.mark.parametrize(
    ("turn", "is_told"),
    [
        (lambda x: x.swapaxes(1, 2), True),
        (lambda x: ndimage.zoom(x, (1, 1.2, 1.2))[:, 2:30, 2:30].swapaxes(1, 2), True),
        (lambda x: x, False),
        (lambda x: np.rot90(x, axes=(1, 2)), False),
        (lambda x: x[:, :, ::-1], False),
        (lambda x: 255 - x.swapaxes(1, 2), False),
        (np.zeros_like, False),
    ],
)
def test_transposed_digits_are_recognised_by_their_pixels(mnist, turn, is_told):
    some = mnist.train.select(np.arange(1000))
    assert looks_transposed(turn(some.images[some.rows]), some.labels) is is_told


def test_usual_data_have_no_remarks(mnist):
    assert not mnist.remarks
