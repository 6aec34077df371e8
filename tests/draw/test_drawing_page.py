"""The page in a browser: drawn by pen and keyboard, small, dark, and as a screen reader has it."""

import base64

import pytest
from chromium import Chromium, installed
from drawn_runs import picture, served, trained
from hands import HANDS, strokes

from digit_exp.runs.saved.predict import Predictor

pytestmark = pytest.mark.skipif(installed() is None, reason="needs chromium")

MNIST = {"name": "mnist", "train_size": 12_000, "val_ratio": 0.05}
READY = "document.body.getAttribute('aria-busy') === 'false'"
CLASSES = "[...document.querySelectorAll('.verdict .class')].map(each => each.textContent)"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    options = {"data": MNIST, "trainer": {"epochs": 4}, "augmentation": {"name": "affine"}}
    return [trained(folder / "mnist", model={"hidden": [64]}, **options), trained(folder / "other")]


@pytest.fixture(scope="module")
def address(runs):
    with served(*runs) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = Chromium(tmp_path_factory.mktemp("browser"))
    yield chromium
    chromium.close()


@pytest.fixture
def page(browser, address):
    browser.show(1200)
    browser.open("about:blank", ready="true")
    browser.open(address)
    browser.problems.clear()
    yield browser
    assert browser.problems == []  # no error, and nothing that the content policy refused


def draw(page, digit, **hand):
    left, top, side = page.evaluate(
        "(box => [box.left, box.top, box.width])(document.getElementById('pad')"
        ".getBoundingClientRect())"
    )
    for stroke in strokes(digit, **hand):
        page.drag([(left + x * side, top + y * side) for x, y in stroke])
    page.until(READY)


def clear(page):
    page.evaluate("document.getElementById('clear').click()")
    page.until(READY)


def test_digits_in_several_hands_are_read_as_predict_reads_them(page, runs):
    predictor, right = Predictor.of(runs[0]), 0
    # what the page sends, kept to be read again
    page.evaluate(
        "{const fetched = fetch; window.fetch = (path, options) => {"
        " window.sent = options.body; return fetched(path, options); }}"
    )
    for hand in HANDS.values():
        for digit in range(10):
            draw(page, digit, **hand)
            sent = page.evaluate("sent.bytes().then(bytes => btoa(String.fromCharCode(...bytes)))")
            same = predictor.predict("", base64.b64decode(sent))
            assert page.evaluate(CLASSES)[0] == str(same.digit)
            right += same.digit == digit
            clear(page)
    assert right >= 45  # of 50


def test_keys_draw_and_take_back(page):
    page.press("Tab"), page.press("Tab")  # the chosen tab, the drawing area
    assert page.evaluate("document.activeElement.id") == "pad"
    page.press(" ", text=" ")
    for _ in range(14):
        page.press("ArrowDown")
    page.press(" ", text=" ")
    page.until(READY)
    assert page.evaluate(CLASSES)[0] == "1"
    page.until("document.getElementById('announcement').textContent.includes('1, ')")
    page.press("z", text="z")
    page.until(READY)
    assert page.evaluate(CLASSES)[0] == ""
    assert page.evaluate("document.getElementById('why').hidden")


def test_another_run_and_another_class_are_explained(page):
    draw(page, 7)
    page.evaluate("document.querySelectorAll('#runs input')[1].click()")
    page.until(READY)
    assert "other" in page.evaluate("document.getElementById('why-title').textContent")
    page.evaluate("document.querySelector('#classes input[value=\"5\"]').click()")
    page.until(READY)
    assert "∂ log p(5)" in page.evaluate("document.getElementById('gradient-text').textContent")


def test_a_picture_is_read_as_the_file_is(page, runs, tmp_path):
    file = tmp_path / "three.png"
    file.write_bytes(picture(3))
    document = page.tell("DOM.getDocument")["root"]["nodeId"]
    field = page.tell("DOM.querySelector", nodeId=document, selector="#file")["nodeId"]
    page.tell("DOM.setFileInputFiles", nodeId=field, files=[str(file)])
    page.until("document.getElementById('answered').textContent")
    same = Predictor.of(runs[0]).predict("", file.read_bytes())
    assert page.evaluate(CLASSES)[0] == str(same.digit)


def test_the_step_is_gone_through_by_keyboard(page):
    page.press("Tab")
    page.press("ArrowRight")
    page.until("document.querySelectorAll('#flow li').length")
    page.press("Tab")
    titles = []
    for _ in range(8):
        titles.append(page.evaluate("document.getElementById('stage-title').textContent"))
        page.evaluate("document.getElementById('next').focus()")
        page.press("ArrowRight")
    assert titles == [
        *("image, forward", "dense_1, forward", "relu_1, forward", "dense_2, forward"),
        *("loss", "dense_2, backward", "relu_1, backward", "dense_1, backward"),
    ]
    assert "loss of this image" in page.evaluate(
        "document.getElementById('stage-text').textContent"
    )
    assert "def rule" in page.evaluate("document.getElementById('stage-code').textContent")


@pytest.mark.parametrize("tab", ["draw", "step"])
def test_it_fits_a_narrow_window(page, tab):
    page.show(360, 740, touch=True)
    draw(page, 3)
    page.evaluate(f"document.getElementById('tab-{tab}').click()")
    if tab == "step":
        page.until("document.querySelectorAll('#flow li').length")
        for place in range(page.evaluate("document.querySelectorAll('#flow button').length")):
            page.evaluate(f"document.querySelectorAll('#flow button')[{place}].click()")
            assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_pictures_and_page_follow_the_colour_scheme(page):
    draw(page, 3)
    corner = "document.querySelector('.verdict canvas').getContext('2d').getImageData(0, 0, 1, 1)"
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.until(f"{corner}.data[0] > 200")
    page.show(1200, dark=True)
    page.until(f"{corner}.data[0] < 50")
    assert page.evaluate(colour) != light


@pytest.mark.parametrize("tab", ["draw", "step"])
def test_everything_to_be_used_has_a_name_and_can_be_reached(page, tab):
    draw(page, 3)
    page.evaluate(f"document.getElementById('tab-{tab}').click()")
    if tab == "step":
        page.until("document.querySelectorAll('#flow li').length")
    nodes = page.tell("Accessibility.getFullAXTree")["nodes"]
    used = {"button", "radio", "textbox", "combobox", "slider", "spinbutton", "tab", "image"}
    found = [node for node in nodes if node.get("role", {}).get("value") in used]
    assert len(found) > 15
    assert [node for node in found if not node.get("name", {}).get("value")] == []
    assert (
        page.evaluate(
            "[...document.querySelectorAll('button, input, select')].filter(each => "
            "each.tabIndex < 0"
            " && each.role !== 'tab' && !each.hidden).length"
        )
        == 0
    )
