"""Pictures in folders and pixels in CSV files are data like any other."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digit_exp.data.idx import DataError
from digit_exp.data.sources import CsvFiles, Form, Mnist, PictureFolder
from digit_exp.data.splits import class_counts
from digit_exp.registry import ConfigError
from digit_exp.runs.experiment import load_data

DIGITS = Mnist().load().test


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("DIGIT_EXP_CACHE", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path):
    """Ten pictures of each of three classes."""
    for name in ("ant", "bee", "cow"):
        (tmp_path / name).mkdir()
    for index in range(30):
        image = Image.fromarray(DIGITS.images[index])
        image.save(tmp_path / ("ant", "bee", "cow")[index % 3] / f"{index:02}.png")
    (tmp_path / "ant" / "notes.txt").write_text("not a picture")
    return tmp_path


def test_folders_are_classes_and_each_gives_its_share_for_testing(folder):
    data = PictureFolder(dir=str(folder), test_ratio=0.3).load()
    assert data.class_names == ["ant", "bee", "cow"]
    assert class_counts(data.train, 3).tolist() == [7, 7, 7]
    assert class_counts(data.test, 3).tolist() == [3, 3, 3]
    assert data.digest == PictureFolder(dir=str(folder), test_ratio=0.3).load().digest
    held_out = data.test.images[data.test.rows[0]].tobytes()
    assert held_out not in {image.tobytes() for image in data.train.images}


def test_a_picture_of_the_right_size_stays_as_it_is(folder):
    data = PictureFolder(dir=str(folder)).load()
    found = {image.tobytes() for split in (data.train, data.test) for image in split.images}
    assert found == {image.tobytes() for image in DIGITS.images[:30]}


def test_folders_named_by_numbers_are_in_their_order(tmp_path):
    for number in (10, 9, 2):
        (tmp_path / "train" / str(number)).mkdir(parents=True)
        (tmp_path / "test" / str(number)).mkdir(parents=True)
        for part in ("train", "test"):
            Image.new("L", (40, 30), 20 * number).save(tmp_path / part / str(number) / "a.png")
    data = PictureFolder(dir=str(tmp_path), height=15, width=20).load()
    assert data.class_names == ["2", "9", "10"]
    assert data.image_shape == (15, 20)
    assert data.train.images[:, 0, 0].tolist() == [40, 180, 200]


def test_a_character_is_found_in_its_picture(folder):
    for file in folder.glob("*/*.png"):
        small = np.asarray(Image.open(file))
        large = np.full((200, 160), 240, np.uint8)
        large[20:104, 50:134] = 240 - 0.8 * small.repeat(3, 0).repeat(3, 1)
        Image.fromarray(large).save(file)
    data = PictureFolder(dir=str(folder), form=Form.character).load()
    for image in data.train.images:
        assert image.max() == 255
        assert image[0].max() == 0


def test_a_changed_picture_is_decoded_again(folder, cache):
    before = PictureFolder(dir=str(folder)).load()
    assert list(cache.rglob("*.npz"))
    file = folder / "ant" / "00.png"
    Image.new("L", (28, 28), 77).save(file)
    os.utime(file, ns=(1, 1))
    after = PictureFolder(dir=str(folder)).load()
    assert after.digest != before.digest
    assert 77 in {int(image[0, 0]) for part in (after.train, after.test) for image in part.images}


def test_every_unusable_picture_is_named_with_what_is_wrong(folder):
    (folder / "bee" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    (folder / "cow" / "new.heic").write_bytes(b"something")
    with pytest.raises(DataError) as caught:
        PictureFolder(dir=str(folder)).load()
    text = str(caught.value)
    assert "2 of 32 pictures" in text
    assert f"{folder / 'bee' / 'broken.png'}: " in text
    assert f"{folder / 'cow' / 'new.heic'}: unsupported format" in text


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ([], "is not a folder"),
        (["only"], "holds 1 folders"),
        (["a", "b"], "a has no pictures"),
        (["train/a", "train/b"], "a folder train, but no test"),
    ],
)
def test_a_folder_without_classes_is_refused(tmp_path, made, words):
    root = tmp_path / "data"
    for name in made:
        (root / name).mkdir(parents=True)
    with pytest.raises(DataError, match=words):
        PictureFolder(dir=str(root)).load()


def test_a_class_without_pictures_is_named(folder):
    (folder / "dog").mkdir()
    with pytest.raises(DataError, match=f"{folder / 'dog'} has no pictures"):
        PictureFolder(dir=str(folder)).load()


def test_a_link_that_leads_nowhere_is_named_as_other_unusable_pictures_are(folder):
    (folder / "cow" / "away.png").symlink_to(folder / "nowhere.png")
    with pytest.raises(DataError, match="1 of 31 pictures") as caught:
        PictureFolder(dir=str(folder)).load()
    assert f"{folder / 'cow' / 'away.png'}: No such file" in str(caught.value)


def test_data_that_may_not_be_read_are_an_error_of_the_data(folder, monkeypatch):
    def refuse(place):
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=f"{folder}: Permission denied"):
        load_data(PictureFolder(dir=str(folder)))


def test_a_class_that_only_the_test_set_has_is_refused(folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("parts")
    folder.rename(root / "train")
    (root / "test" / "dog").mkdir(parents=True)
    (root / "test" / "ant").mkdir()
    with pytest.raises(DataError, match="the class 'dog'"):
        PictureFolder(dir=str(root)).load()


@pytest.mark.parametrize("source", [PictureFolder, CsvFiles])
def test_the_place_of_the_data_must_be_given(source):
    with pytest.raises(ConfigError, match=r"data\.(dir|train)="):
        source()


HEADER = "label," + ",".join(f"pixel{number}" for number in range(784))


def lines(count, start=0):
    return [
        ",".join(map(str, [label, *image.ravel()]))
        for label, image in zip(
            DIGITS.labels[start : start + count], DIGITS.images[start:], strict=False
        )
    ]


def written(path, rows):
    content = "\n".join(rows) + "\n"
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return str(path)


@pytest.mark.parametrize("name", ["train.csv", "train.csv.gz"])
@pytest.mark.parametrize("header", [True, False])
def test_a_csv_file_holds_labels_and_pixels(tmp_path, name, header):
    train = written(tmp_path / name, [HEADER] * header + lines(60))
    test = written(tmp_path / "test.csv", [HEADER] * header + lines(30, 60))
    data = CsvFiles(train=train, test=test).load()
    np.testing.assert_array_equal(data.train.images, DIGITS.images[:60])
    np.testing.assert_array_equal(data.train.labels, DIGITS.labels[:60])
    np.testing.assert_array_equal(data.test.labels, DIGITS.labels[60:90])


@pytest.mark.parametrize("header", ['"label","a","b","c","d"', None])
def test_a_csv_file_may_have_quotes_and_begin_as_excel_lets_it(tmp_path, header):
    rows = [*filter(None, [header]), '"1","1","2","3","4"', "0,5,6,7,8"]
    rows[0] = f"\ufeff{rows[0]}"
    file = written(tmp_path / "a.csv", rows)
    data = CsvFiles(train=file, test=file).load()
    assert data.train.images.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert data.train.labels.tolist() == [1, 0]


def test_a_csv_file_alone_gives_a_share_for_testing(tmp_path):
    data = CsvFiles(train=written(tmp_path / "a.csv", [HEADER, *lines(100)])).load()
    assert len(data.train) + len(data.test) == 100
    assert 15 <= len(data.test) <= 25


def test_the_label_may_have_another_name_and_place_and_images_another_shape(tmp_path):
    rows = ["a,b,c,d,e,f,kind", "1,2,3,4,5,6,0", "7,8,9,10,11,12,1"]
    file = written(tmp_path / "a.csv", rows)
    data = CsvFiles(train=file, test=file, label="kind", height=2, width=3).load()
    assert data.train.images.tolist() == [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]
    assert data.train.labels.tolist() == [0, 1]


def test_a_label_that_only_the_test_set_has_is_told(tmp_path):
    train = written(tmp_path / "train.csv", ["0,1,2,3,4", "1,5,6,7,8"])
    test = written(tmp_path / "test.csv", ["0,1,2,3,4", "7,5,6,7,8", "1,5,6,7,8", "7,5,6,7,8"])
    (remark,) = CsvFiles(train=train, test=test).load().remarks
    assert "50.0% of the test images" in remark
    assert "(7)" in remark
    assert not CsvFiles(train=test, test=train).load().remarks


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["pixel0,pixel1,pixel2,pixel3", "1,2,3,4"], "no column 'label'"),
        (["label,a,b,c,d", "1,2,3,4,5", "1,2,3"], "line 3: it has 3 columns, not 5"),
        (["label,a,b,c,d", "1,2,3,4,5", "1,2,x,4,5"], "line 3, column 3: 'x' is no whole"),
        (["label,a,b,c,d", "1,2,3,4,5", "1,2,256,4,5"], "line 3, column 3: the pixel 256"),
        (["label,a,b,c,d", "300,2,3,4,5"], "line 2, column 1: the label 300"),
        (["label,a,b,c", "1,2,3,4", "0,2,3,4"], "3 pixels on a line"),
        (["label,a,b,c,d"], "no lines"),
        ([""], "no lines"),
    ],
)
def test_what_is_wrong_with_a_csv_file_is_said_with_its_name(tmp_path, rows, words):
    file = written(tmp_path / "bad.csv", rows)
    with pytest.raises(DataError, match=words) as caught:
        CsvFiles(train=file, test=file).load()
    assert "bad.csv" in str(caught.value)
