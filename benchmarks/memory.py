"""How much memory a run takes when the data set grows: 60,000 and 600,000 images from IDX files.

    python benchmarks/memory.py

Every run is the real command with one epoch, on a folder of IDX files. `mapped` are pages of the
file that the system holds for the process and takes back when it needs them; `own` is what the
process itself has filled. Linux only: both are read from /proc while it runs.
"""

import gzip
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from digit_exp.data.readers.idx_folder import FILES
from digit_exp.data.sources import Mnist
from measuring import table


def main() -> None:
    """Run on both sizes, compressed and not, and print the table."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for times in (1, 10):
            for is_gzipped in (False, True):
                folder = Path(place, f"{times}-{is_gzipped}")
                images = write(folder, times, is_gzipped)
                own, mapped = watch(folder)
                name = f"{images:,} images, {'gzipped' if is_gzipped else 'plain'}"
                pixels = images * 28 * 28 / 2**20
                rows.append([name, *(f"{value:.0f}" for value in (pixels, own, mapped))])
    print(table(["training set", "its pixels / MB", "own / MB", "mapped / MB"], rows))


def write(folder: Path, times: int, is_gzipped: bool) -> int:
    """Write MNIST with its training set repeated, and return how many images that has."""
    folder.mkdir()
    dataset = Mnist().load()
    parts = [(dataset.train, times), (dataset.test, 1)]
    arrays = [array for split, n in parts for array in ((split.images, n), (split.labels, n))]
    for name, (array, repeats) in zip(FILES, arrays, strict=True):
        values = array.astype(np.uint8)
        shape = (repeats * len(values), *values.shape[1:])
        header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
        path = folder / (f"{name}.gz" if is_gzipped else name)
        with gzip.open(path, "wb", 1) if is_gzipped else path.open("wb") as file:
            file.write(header)
            for _ in range(repeats):
                file.write(values.tobytes())
    return times * len(dataset.train)


def watch(data: Path) -> tuple[float, float]:
    """Run one epoch on `data` and return the most memory of its own and mapped, in MB."""
    words = ["data=idx", f"data.dir={data}", "trainer.epochs=1"]
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "digit_exp", *words], cwd=folder, stdout=log, stderr=log
        )
        most = {"RssAnon": 0, "RssFile": 0}
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            for line in status.splitlines():
                name, _, value = line.partition(":")
                if name in most:
                    most[name] = max(most[name], int(value.split()[0]))
            time.sleep(0.02)
        if process.returncode:
            log.seek(0)
            raise SystemExit(log.read())
    return most["RssAnon"] / 1024, most["RssFile"] / 1024


if __name__ == "__main__":
    main()
