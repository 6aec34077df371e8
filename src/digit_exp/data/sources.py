"""Which data sets there are, and how each becomes a `Dataset`.

All but one are four IDX files: shipped with the package, in a folder that a person names, or in
the cache after a download. `synthetic` is made in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Annotated

import numpy as np

from digit_exp.arrays import Array, Labels, Pixels
from digit_exp.data import idx
from digit_exp.data.dataset import Dataset, Split
from digit_exp.data.idx import DataError
from digit_exp.registry import (
    Component,
    Count,
    CountOrZero,
    Fraction,
    NonNegative,
    Problem,
    Range,
    Registry,
)
from digit_exp.rng import Rng

TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
FILES = (*TRAIN, *TEST)

Classes = Annotated[int, Range(ge=2, le=256)]
"""How many classes: a label is one byte."""


class Normalize(Enum):
    """What the network sees: pixels in [0, 1], or these minus their mean, over their deviation."""

    unit = "unit"
    standardize = "standardize"


@dataclass(frozen=True, kw_only=True)
class DataSource(Component):
    """The contract: where images come from, and how the training set is used."""

    val_ratio: Fraction = 0.1
    stratified: bool = False
    train_size: Count | None = None
    normalize: Normalize = Normalize.unit

    def load(self) -> Dataset:
        """Return the data set with its whole training set. Raises DataError if it is unusable."""
        raise NotImplementedError

    def needs_download(self) -> bool:
        """Tell whether `load` would download files first."""
        return False


DATASETS: Registry[DataSource] = Registry("data")


# of the decompressed files, in the order of FILES
MNIST_SHA256 = (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)


@DATASETS.register("mnist")
@dataclass(frozen=True, kw_only=True)
class Mnist(DataSource):
    """Handwritten digits (LeCun, Cortes & Burges 1998), shipped with the package."""

    dir: str | None = None

    def load(self) -> Dataset:
        shipped = Path(__file__).parent / "mnist"
        dataset = read_folder("mnist", self.dir or shipped)
        if not self.dir and dataset.digest != combined(MNIST_SHA256):
            raise DataError(
                f"the files in {shipped} are not those of MNIST: install the package again"
            )
        return dataset


@DATASETS.register("idx")
@dataclass(frozen=True, kw_only=True)
class IdxFolder(DataSource):
    """Any four IDX files: any size of image, up to 256 classes."""

    dir: str | None = None
    transpose: bool = False
    first_label: CountOrZero = 0

    def conflicts(self) -> Iterator[Problem]:
        if not self.dir:
            yield Problem(
                "dir",
                f"must name the folder that holds {TRAIN[0]} and its three companions,"
                f" gzipped or not, got {self.dir!r}. Write data.dir=FOLDER",
            )

    def load(self) -> Dataset:
        folder = self.dir or ""
        found = read_folder("idx", folder, transpose=self.transpose, first_label=self.first_label)
        if "emnist" in str(Path(folder).expanduser().resolve()).lower() and not self.transpose:
            advice = "the images of EMNIST are published transposed; set data.transpose=true"
            return replace(found, remarks=[*found.remarks, advice])
        return found


FASHION_MNIST_MIRRORS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
# of the archives in the data set's repository, the first mirror
FASHION_MNIST_SHA256 = (
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
)

FASHION_MNIST_CLASSES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


@DATASETS.register("fashion_mnist")
@dataclass(frozen=True, kw_only=True)
class FashionMnist(DataSource):
    """Photographs of clothes (Xiao, Rasul & Vollgraf 2017), downloaded once."""

    dir: str | None = None

    def load(self) -> Dataset:
        folder = self.dir or _download("fashion_mnist", FASHION_MNIST_MIRRORS, FASHION_MNIST_SHA256)
        return replace(read_folder("fashion_mnist", folder), named=FASHION_MNIST_CLASSES)

    def needs_download(self) -> bool:
        return not self.dir and _is_missing("fashion_mnist", FASHION_MNIST_SHA256)


KMNIST_MIRRORS = (
    "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    "https://web.archive.org/web/2024id_/http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
)
# of the archives, as tensorflow_datasets publishes them (url_checksums/kmnist.txt)
KMNIST_SHA256 = (
    "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
    "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
    "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
    "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
)

KMNIST_CLASSES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
"""In Latin letters: the fonts of figures have no hiragana."""


@DATASETS.register("kmnist")
@dataclass(frozen=True, kw_only=True)
class Kmnist(DataSource):
    """Cursive Japanese characters, Kuzushiji (Clanuwat et al. 2018), downloaded once."""

    dir: str | None = None

    def load(self) -> Dataset:
        folder = self.dir or _download("kmnist", KMNIST_MIRRORS, KMNIST_SHA256)
        return replace(read_folder("kmnist", folder), named=KMNIST_CLASSES)

    def needs_download(self) -> bool:
        return not self.dir and _is_missing("kmnist", KMNIST_SHA256)


@DATASETS.register("synthetic")
@dataclass(frozen=True, kw_only=True)
class Synthetic(DataSource):
    """One random picture for each class, under Gaussian noise: learnable, and made in a moment."""

    samples: Count = 1000
    test_samples: Count = 200
    classes: Classes = 10
    height: Count = 28
    width: Count = 28
    noise: NonNegative = 0.25  # standard deviation, where black is 0 and white is 1
    seed: CountOrZero = 0

    def conflicts(self) -> Iterator[Problem]:
        if self.samples < self.classes:
            yield Problem(
                "samples",
                f"must be at least one for each of {self.classes} classes, got {self.samples}",
            )

    def load(self) -> Dataset:
        rng = Rng(self.seed)("synthetic")
        pictures = rng.random((self.classes, self.height, self.width), np.float32)
        train = self._draw(pictures, self.samples, rng)
        return assemble("synthetic", train, self._draw(pictures, self.test_samples, rng))

    def _draw(self, pictures: Array, count: int, rng: np.random.Generator) -> tuple[Pixels, Labels]:
        """Return `count` noisy copies with their labels, the classes in equal parts."""
        labels = rng.permutation(np.arange(count) % self.classes)
        images = rng.standard_normal((count, self.height, self.width), np.float32)
        images *= self.noise
        images += pictures[labels]
        np.clip(images, 0, 1, out=images)
        return (images * 255).astype(np.uint8), labels


def read_folder(
    name: str, folder: str | Path, *, transpose: bool = False, first_label: int = 0
) -> Dataset:
    """Read the four IDX files of `folder`, by any of their usual names.

    `transpose` swaps rows and columns; `first_label` is the label that becomes class 0.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise DataError(f"data.dir: {folder} is not a folder. Give the one with the IDX files")
    train_images, train_labels, test_images, test_labels = (_find(folder, file) for file in FILES)
    train = idx.read_images(train_images), idx.read_labels(train_labels) - first_label
    test = idx.read_images(test_images), idx.read_labels(test_labels) - first_label
    if (least := min(train[1].min(), test[1].min())) < 0:
        raise DataError(
            f"{folder} has the label {least + first_label}, below data.first_label={first_label}."
            " Set it to the smallest label of the files"
        )
    if transpose:
        train, test = ((_transposed(images), labels) for images, labels in (train, test))
    try:
        return assemble(name, train, test)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def assemble(name: str, train: tuple[Pixels, Labels], test: tuple[Pixels, Labels]) -> Dataset:
    """Make a data set of images and labels. Raises DataError if they do not fit together."""
    _check_fit(train, test)
    (train_images, train_labels), (test_images, test_labels) = train, test
    return Dataset(
        name=name,
        train=Split.of(train_images, train_labels),
        test=Split.of(test_images, test_labels),
        classes=int(max(train_labels.max(), test_labels.max())) + 1,
        digest=combined(
            idx.sha256(values.astype(np.uint8, copy=False)) for values in (*train, *test)
        ),
        remarks=_remarks(np.concatenate([train_labels, test_labels])),
    )


def _transposed(images: Pixels) -> Pixels:
    turned: Pixels = np.ascontiguousarray(images.swapaxes(1, 2))
    return turned


def _remarks(labels: Labels) -> list[str]:
    """Say what is odd about the labels, and what to set."""
    least = int(labels.min())
    if not least:
        return []
    classes = "class 0 has" if least == 1 else f"classes 0 to {least - 1} have"
    return [
        f"labels go from {least} to {labels.max()}: {classes} no image;"
        f" if {least} is the first class, set data.first_label={least} (data=idx)"
    ]


def combined(sha256: Iterable[str]) -> str:
    """Return the digest of a data set whose files, decompressed, have these checksums."""
    return hashlib.sha256("".join(sha256).encode()).hexdigest()


def _check_fit(train: tuple[Pixels, Labels], test: tuple[Pixels, Labels]) -> None:
    for part, (images, labels) in {"training": train, "test": test}.items():
        if len(images) != len(labels):
            raise DataError(
                f"there are {len(images)} {part} images, but {len(labels)} {part} labels."
                " Take both files from the same set"
            )
    here, there = (" × ".join(map(str, images.shape[1:])) for images, _ in (train, test))
    if here != there:
        raise DataError(
            f"training images have {here} pixels, test images {there}. They must agree:"
            " take all files from the same set"
        )
    labels = train[1]
    if labels.min() == labels.max():
        raise DataError(
            f"all training labels are {labels[0]}, and a classifier needs at least two classes."
            " Give a training set with more of them"
        )


def _find(folder: Path, file: str) -> Path:
    dotted = file.replace("-idx", ".idx")  # an unpacker of long ago wrote the dot
    names = (file, dotted, f"{file}.gz", f"{dotted}.gz")
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise DataError(f"{folder} lacks a file: it must hold one of {', '.join(names)}")


def _download(name: str, mirrors: Sequence[str], sha256: Sequence[str]) -> Path:
    """Return the cache folder of a data set, with all of its files."""
    from digit_exp.data.download import cache_folder, fetch  # a network stack, seldom needed

    folder = cache_folder(name)
    for file, checksum in zip(FILES, sha256, strict=True):
        fetch(f"{file}.gz", mirrors, checksum, folder)
    return folder


def _is_missing(name: str, sha256: Sequence[str]) -> bool:
    """Tell whether a file of a data set is not in the cache folder, or is damaged there."""
    from digit_exp.data.download import cache_folder, is_genuine

    folder = cache_folder(name)
    files = zip(FILES, sha256, strict=True)
    return not all(is_genuine(folder / f"{file}.gz", checksum) for file, checksum in files)
