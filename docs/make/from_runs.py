"""Copies the figures of runs and sweeps into docs/pictures, and photographs a sweep in MLflow.

python docs/make/from_runs.py PICTURE=RUN [PICTURE=RUN ...]

Start it in the folder that has the runs. PICTURE is a name below without its ending; RUN is what a
command takes: the name of a sweep, the id of a run, or for `disagreements` the folder of a
comparison. The commands that make the runs stand on the page that shows the picture. The other
pictures: `pictures.py` and `power.py` beside this file, `growth.py` and `board.py` in benchmarks/,
and `drawing_pictures.py` there, which makes draw.png, draw_phone.png, one_step_forward.png and
one_step_backward.png.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from digit_exp.runs.saved.lookup import Runs

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
FIGURES = {
    "learning_curves.png": "learning_curves.png",
    "batch_sizes.png": "effects.png",
    "learning_rates.png": "effects.png",
    "schedules.png": "effects.png",
    "early_stopping.png": "curves.png",
    "regularization.png": "effects.png",
    "regularization_1000.png": "effects.png",
    "augmentation_sweep.png": "effects.png",
    "optimizers.png": "effects.png",
    "disagreements.png": "images_1_2.png",
}
"""Of each picture, the figure in the folder of its run, sweep or comparison."""
PAGE = "comparison.png"
"""The page of a sweep in MLflow."""
LOADED = "[...document.querySelectorAll('svg')].some(e => e.textContent.includes('best_val_acc'))"

QUIET = """
const style = document.createElement('style');
style.textContent = '.modebar { display: none }';
document.head.append(style)
"""
"""Hides the tools of charts, which a page shows while it is being loaded."""
WINDOW = 1400, 1000


def main() -> None:
    """Make the pictures that the command line names."""
    for word in sys.argv[1:]:
        picture, _, run = word.partition("=")
        if (name := f"{picture}.png") == PAGE:
            photograph(run, FOLDER / name)
        else:
            shutil.copyfile(place_of(run) / "figures" / FIGURES[name], FOLDER / name)


def place_of(text: str) -> Path:
    """Return the folder of a comparison, a sweep or a run."""
    if (Path(text) / "figures").is_dir():
        return Path(text)
    run = Runs.of_folder().all_matching(text)[0]
    assert run.folder is not None
    return run.folder.parent if run.sweep == text else run.folder


def photograph(sweep: str, path: Path) -> None:
    """Write the page of a sweep in MLflow, as `digit-exp ui` serves it."""
    sys.path += [str(ROOT / "tests" / "draw"), str(ROOT / "benchmarks")]
    from chromium import Chromium

    from drawing_pictures import shot

    command = [sys.executable, "-m", "digit_exp", "ui", sweep, "--no-browser"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        tempfile.TemporaryDirectory() as profile,
    ):
        browser = Chromium(profile)
        try:
            address = next(line.strip() for line in process.stdout if line.startswith("http"))
            browser.show(*WINDOW)
            browser.open(address, ready="true")
            browser.until(LOADED)
            browser.evaluate(QUIET)
            shot(browser, path)
        finally:
            browser.close()
            process.terminate()


if __name__ == "__main__":
    main()
