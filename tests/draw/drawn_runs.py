"""Runs for the page on which one draws, and its server on a free port."""

import io
import threading
from contextlib import contextmanager

from hands import strokes
from PIL import Image, ImageDraw

from digit_exp.draw.server import HOST, DrawnRun, listen, server
from digit_exp.runs.folder import RunRecord
from digit_exp.runs.saved.found_run import in_folder
from tiny_runs import run


def trained(folder, **changes):
    """Train in a folder and return the run."""
    folder.mkdir()
    _, result = run(folder, **changes)
    record = RunRecord(None, name=folder.name)
    record.status, record.summary = result.status, result.summary
    record.write(folder)
    return in_folder(folder, record)


@contextmanager
def served(*runs):
    """Yield the address of a page on some runs."""
    with listen(0) as listening:
        port = listening.getsockname()[1]
        page = server([DrawnRun.of(each) for each in runs], port)
        thread = threading.Thread(target=page.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://{HOST}:{port}"
        finally:
            page.should_exit = True
            thread.join(timeout=20)


def picture(digit, *, side=280, pen=18, **hand):
    """Return a drawn digit as an encoded picture."""
    image = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(image)
    for stroke in strokes(digit, **hand):
        draw.line([(x * side, y * side) for x, y in stroke], fill=0, width=pen, joint="curve")
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()
