"""Makes the pictures of docs/draw.md: the page in Chromium, drawn on by a script.

python benchmarks/drawing_pictures.py FOLDER RUN [RUN ...]

Starts `digit-exp draw` with the runs, in the folder that has them, and writes PNG files to FOLDER.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "draw"))
from chromium import Chromium
from hands import strokes

READY = "document.body.getAttribute('aria-busy') === 'false'"
STAGES = "document.querySelectorAll('#flow button')"
IMAGE = 32
"""Of the training images; any will do."""


def main() -> None:
    """Draw, look, write."""
    folder = Path(sys.argv[1])
    command = [sys.executable, "-m", "digit_exp", "draw", *sys.argv[2:], "--no-browser"]
    with (
        subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as process,
        tempfile.TemporaryDirectory() as profile,
    ):
        browser = Chromium(profile)
        try:
            address = process.stdout.readline().strip()
            draw_tab(browser, address, folder)
            step_tab(browser, folder)
        finally:
            browser.close()
            process.terminate()


def draw_tab(browser: Chromium, address: str, folder: Path) -> None:
    """Draw a digit; look at it in a window, and in the dark on a phone."""
    browser.show(1200)
    browser.open(address)
    left, top, side = browser.evaluate(
        "(box => [box.left, box.top, box.width])(document.getElementById('pad')"
        ".getBoundingClientRect())"
    )
    for stroke in strokes(9, slant=0.2, wobble=0.006):
        browser.drag([(left + x * side, top + y * side) for x, y in stroke])
    browser.until(READY)
    shot(browser, folder / "draw.png")
    browser.show(360, 780, dark=True, touch=True)
    shot(browser, folder / "draw_phone.png", height=1100)


def step_tab(browser: Chromium, folder: Path) -> None:
    """Show a training image, and a layer on the way back."""
    browser.show(1200)
    browser.evaluate(f"document.getElementById('image').value = {IMAGE}")
    browser.evaluate("document.getElementById('tab-step').click()")
    browser.until(f"{STAGES}.length")
    browser.evaluate(f"{STAGES}[1].click()")
    shot(browser, folder / "one_step_forward.png")
    browser.evaluate(f"{STAGES}[{STAGES}.length - 2].click()")
    browser.show(1200, dark=True)
    shot(browser, folder / "one_step_backward.png")


def shot(browser: Chromium, path: Path, height: int | None = None) -> None:
    """Write the page in 128 colours, from the top to `height`."""
    browser.evaluate("new Promise(done => setTimeout(done, 400))")  # fading bars
    browser.screenshot(path)
    with Image.open(path) as image:
        part = image.convert("RGB").crop((0, 0, image.width, min(height or 4000, image.height)))
    part.quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
