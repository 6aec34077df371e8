"""How long the page of `digit-exp draw` waits for an answer, on loopback.

python benchmarks/drawing.py REQUESTS RUN [RUN ...]

Starts the page with the first run, and with all of them, in the folder that has the runs. The
drawings are those of the tests, 280 × 280 pixels, ten digits in several hands.
"""

import http.client
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from measuring import machine, table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "draw"))
from drawn_runs import picture
from hands import HANDS


def main() -> None:
    """Ask again and again and print percentiles."""
    requests, *runs = sys.argv[1:]
    drawings = [picture(digit, **hand) for hand in HANDS.values() for digit in range(10)]
    rows = []
    for shown in (runs[:1], runs) if len(runs) > 1 else (runs,):
        command = [sys.executable, "-m", "digit_exp", "draw", *shown, "--no-browser", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                page = http.client.HTTPConnection(
                    urlsplit(process.stdout.readline().strip()).netloc
                )
                count = f"{len(shown)} run(s)"
                asked = [("POST", "/api/read", drawing) for drawing in drawings]
                rows.append([f"a drawing, {count}", *timed(page, asked, int(requests))])
                asked = [("GET", f"/api/step?image={k}", None) for k in range(50)]
                rows.append([f"one step, {count}", *timed(page, asked, int(requests) // 4)])
            finally:
                process.terminate()
    print(table(["request", "median / ms", "99 % / ms", "slowest / ms"], rows))
    print(f"\n{machine()}")


def timed(page: http.client.HTTPConnection, asked: list, count: int) -> list[str]:
    """Return median, 99 % and slowest of `count` answers in milliseconds, after a tenth more."""
    times = []
    for number in range(count // 10 + count):
        started = time.perf_counter()
        page.request(*asked[number % len(asked)])
        answer = page.getresponse()
        answer.read()
        times.append(1e3 * (time.perf_counter() - started))
        if answer.status != http.client.OK:
            raise SystemExit(f"the page answered {answer.status}")
    times = times[count // 10 :]
    return [f"{value:.1f}" for value in (*np.percentile(times, (50, 99)), max(times))]


if __name__ == "__main__":
    main()
