"""Which data sets there are, and how each becomes a `Dataset`.

Four IDX files, shipped with the package, in a folder that a person names, or in the cache after a
download; pictures in folders; a CSV file of pixels. `synthetic` is made in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from digit_exp.arrays import Array, Labels, Pixels
from digit_exp.data.assemble import assemble, combined
from digit_exp.data.dataset import Dataset
from digit_exp.data.idx import DataError
from digit_exp.data.readers.idx_folder import FILES, TRAIN, read_folder
from digit_exp.data.readers.orientation import SHIPPED, looks_transposed
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

Classes = Annotated[int, Range(ge=2, le=256)]
"""How many classes: a label is one byte."""

Side = Annotated[int, Range(ge=1, le=1024)]
"""Pixels of an image from side to side."""

TestRatio = Annotated[float, Range(gt=0, lt=1)]
"""Share of the images that is held out for testing, where there is no test set."""


class Normalize(Enum):
    """What the network sees: pixels in [0, 1], or these minus their mean, over their deviation."""

    unit = "unit"
    standardize = "standardize"


class DataSource(Component):
    """The contract: where images come from, and how the training set is used."""

    val_ratio: Fraction = 0.1
    split_seed: CountOrZero | None = None
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
class Mnist(DataSource):
    """Handwritten digits (LeCun, Cortes & Burges 1998), shipped with the package."""

    dir: str | None = None

    def load(self) -> Dataset:
        dataset = read_folder("mnist", self.dir or SHIPPED)
        if not self.dir and dataset.digest != combined(MNIST_SHA256):
            raise DataError(
                f"the files in {SHIPPED} are not those of MNIST: install the package again"
            )
        return dataset


@DATASETS.register("idx")
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
        is_named = "emnist" in str(Path(folder).expanduser().resolve()).lower()
        train = found.train
        if not self.transpose and (is_named or looks_transposed(train.images, train.labels)):
            advice = "the images look transposed, as EMNIST is published; set data.transpose=true"
            return replace(found, remarks=[*found.remarks, advice])
        return found


class Form(Enum):
    """What becomes an image: the whole picture, or the character in it as MNIST places it."""

    whole = "whole"
    character = "character"


@DATASETS.register("folder")
class PictureFolder(DataSource):
    """Pictures in folders, one for each class: FOLDER/CLASS/*.png, or with train/ and test/."""

    dir: str | None = None
    height: Side = 28
    width: Side = 28
    form: Form = Form.whole
    test_ratio: TestRatio = 0.2

    def conflicts(self) -> Iterator[Problem]:
        if not self.dir:
            yield Problem(
                "dir",
                "must name a folder that holds a folder of pictures for each class,"
                f" got {self.dir!r}. Write data.dir=FOLDER",
            )

    def load(self) -> Dataset:
        from digit_exp.data.readers.picture_folder import read_pictures  # with Pillow and SciPy

        is_character = self.form is Form.character
        shape = self.height, self.width
        return read_pictures(self.dir or "", shape, is_character, self.test_ratio)


@DATASETS.register("csv")
class CsvFiles(DataSource):
    """Images in a CSV file as Kaggle has them: a label and the pixels, 0 to 255, on each line."""

    train: str | None = None
    test: str | None = None
    label: str = "label"
    height: Side | None = None
    width: Side | None = None
    test_ratio: TestRatio = 0.2

    def conflicts(self) -> Iterator[Problem]:
        if not self.train:
            yield Problem(
                "train",
                "must name a CSV file with a label and the pixels of an image on each line,"
                f" got {self.train!r}. Write data.train=FILE.csv",
            )
        if (self.height is None) != (self.width is None):
            yield Problem("height", "must be given together with width, or neither")

    def load(self) -> Dataset:
        from digit_exp.data.readers.csv_pixels import read_csv

        shape = (self.height, self.width) if self.height and self.width else None
        return read_csv(self.train or "", self.test, self.label, shape, self.test_ratio)


class Downloaded(DataSource):
    """A published data set: IDX files, downloaded once into the cache folder."""

    key: ClassVar[str]
    """The name of the data set, and of its cache folder."""
    mirrors: ClassVar[Sequence[str]]
    sha256: ClassVar[Sequence[str]]
    """Of the archives, in the order of FILES."""
    named: ClassVar[Sequence[str]]
    """The names of the classes."""

    dir: str | None = None

    def load(self) -> Dataset:
        from digit_exp.data.download import fetch  # a network stack, seldom needed

        if not self.dir:
            for file, checksum in self._archives():
                fetch(file.name, self.mirrors, checksum, file.parent)
        return replace(read_folder(self.key, self.dir or self._folder()), named=self.named)

    def needs_download(self) -> bool:
        from digit_exp.data.download import is_genuine

        return not self.dir and not all(is_genuine(*archive) for archive in self._archives())

    def _folder(self) -> Path:
        from digit_exp.data.download import cache_folder

        return cache_folder(self.key)

    def _archives(self) -> Iterator[tuple[Path, str]]:
        names = (self._folder() / f"{file}.gz" for file in FILES)
        return zip(names, self.sha256, strict=True)


@DATASETS.register("fashion_mnist")
class FashionMnist(Downloaded):
    """Photographs of clothes (Xiao, Rasul & Vollgraf 2017), downloaded once."""

    key = "fashion_mnist"
    mirrors = (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    )
    # of the archives in the data set's repository, the first mirror
    sha256 = (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    )
    named = (
        *("t-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    )


@DATASETS.register("kmnist")
class Kmnist(Downloaded):
    """Cursive Japanese characters, Kuzushiji (Clanuwat et al. 2018), downloaded once."""

    key = "kmnist"
    mirrors = (
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "https://web.archive.org/web/2024id_/http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    )
    # as tensorflow_datasets publishes them (url_checksums/kmnist.txt)
    sha256 = (
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    )
    # in Latin letters: the fonts of figures have no hiragana
    named = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


@DATASETS.register("synthetic")
class Synthetic(DataSource):
    """One random picture for each class, under Gaussian noise: learnable, and made in a moment."""

    samples: Count = 1000
    test_samples: Count = 200
    classes: Classes = 10
    height: Side = 28
    width: Side = 28
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
