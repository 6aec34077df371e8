"""The board: what each preset and each library reaches on MNIST, and in which time.

    python benchmarks/board.py [ROW ...] [--seeds 1 2 3] [KEY=VALUE ...]
    python benchmarks/board.py --page

A cell is a row and a seed: the real command in a process of its own. When it has ended it is a line
of benchmarks/results/board.jsonl, and is not run again; Ctrl-C at any time. A run of digit-exp that
was interrupted goes on where it was. KEY=VALUE changes the presets, and the line says so, as
`trainer.epochs=6 trainer.fit_minutes=null` where a machine has other things to do than to keep to a
time. `--page` writes the table of docs/board.md and the picture from the lines.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digit_exp.analysis.statistics import summarize
from measuring import THREAD_VARIABLES, machine, run, summary, table

if TYPE_CHECKING:
    from digit_exp.plots.parts.canvas import Figure

HERE = Path(__file__).parent
LINES, PAGE = HERE / "results" / "board.jsonl", HERE.parent / "docs" / "board.md"
PICTURE = HERE.parent / "docs" / "pictures" / "board.png"
WORK = Path("outputs") / "board"
BEGIN, END = "<!-- board -->", "<!-- end of board -->"

SAME = "trainer.epochs=10 trainer.batch_size=128 data.val_ratio=0 schedule=constant"
SAME += " trainer.early_stopping.enabled=false trainer.checkpoint.monitor=train_loss"
OURS = {
    "same_network": SAME,
    "defaults": "",
    "one_minute": "experiment=one_minute",
    "no_augmentation": "experiment=no_augmentation",
    "five_minutes": "experiment=five_minutes",
    "five_minutes_cnn": "experiment=five_minutes_cnn",
    "record": "experiment=record",
    "record_cnn": "experiment=record_cnn",
}
PEERS = ("scikit-learn", "keras", "pytorch")
Cell = dict[str, Any]


def main() -> None:
    """Run the cells that are missing, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", metavar="ROW", help=", ".join([*OURS, *PEERS]))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--page", action="store_true", help="write the page; run nothing")
    chosen = parser.parse_args()
    if chosen.page:
        write_page(cells())
        return
    changes = [word for word in chosen.words if "=" in word]
    rows = [word for word in chosen.words if "=" not in word] or [*PEERS, *OURS]
    for seed in chosen.seeds:
        for row in rows:
            if not has_ended(row, seed, changes):
                keep(measure(row, seed, changes))


def has_ended(row: str, seed: int, changes: Sequence[str]) -> bool:
    """Return whether there is a line of a cell; raises SystemExit if it is of other changes."""
    for cell in cells():
        if (cell["row"], cell["seed"]) == (row, seed):
            if row in OURS and cell["changes"] != list(changes):
                raise SystemExit(f"{row}, seed {seed}, has a line of other changes in {LINES}")
            return True
    return False


def measure(row: str, seed: int, changes: Sequence[str]) -> Cell:
    """Run a cell and return its line."""
    before = os.times()
    started = time.perf_counter()
    if row in PEERS:
        script = [sys.executable, "-W", "ignore", str(HERE / "board_peers.py"), row, str(seed)]
        one_thread = dict.fromkeys(THREAD_VARIABLES, "1")
        done = run(*script, folder=HERE, **one_thread)
        found, changes = json.loads(done.output.splitlines()[-1]), []
    else:
        found = summary(run(*command(row, seed, changes), folder=".").output)
    after = os.times()
    return {
        "row": row,
        "seed": seed,
        "test_acc": found["test_acc"],
        "training_seconds": round(found["training_seconds"], 1),
        "seconds": round(time.perf_counter() - started, 1),
        "processor_seconds": round(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system,
            1,
        ),
        "changes": list(changes),
        "machine": machine(),
    }


def command(row: str, seed: int, changes: Sequence[str]) -> list[str]:
    """Return the command of a run, which goes on if it was begun before."""
    folder = WORK / f"{row}-{seed}"
    words = [*OURS[row].split(), f"seed={seed}", *changes, f"hydra.run.dir={folder}"]
    if (folder / "checkpoints" / "last.npz").exists():
        words = [f"resume={folder}"]
    return [sys.executable, "-m", "digit_exp", *words]


def cells() -> list[Cell]:
    """Return the cells that have ended."""
    return [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.exists() else []


def keep(cell: Cell) -> None:
    """Add a line."""
    LINES.parent.mkdir(exist_ok=True)
    with LINES.open("a") as file:
        file.write(json.dumps(cell) + "\n")
    print(f"{cell['row']}, seed {cell['seed']}: {cell['test_acc']:.2%}", flush=True)


def write_page(found: Sequence[Cell]) -> None:
    """Write the table between the marks of the page, and draw the picture."""
    rows = []
    for row in [*PEERS, *OURS]:
        if some := [cell for cell in found if cell["row"] == row]:
            rows.append([row, *numbers(some), f"`{words_of(row, some[0])}`"])
    header = ["", "test accuracy, %", "95 % interval", "seeds", "processor s", "command"]
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(header, rows)}\n\n{END}{after}")
    draw(found)


def numbers(some: Sequence[Cell]) -> list[str]:
    """Return accuracy, interval, how many seeds, and seconds of the processors, of a row."""
    scores = summarize([cell["test_acc"] for cell in some])
    interval = f"{100 * scores.low:.2f} to {100 * scores.high:.2f}" if scores.n > 1 else "–"
    return [f"{100 * scores.mean:.2f}", interval, str(scores.n), processor_seconds(some)]


def processor_seconds(some: Sequence[Cell]) -> str:
    """Return the mean of the seeds that were measured."""
    known = [cell["processor_seconds"] for cell in some if cell["processor_seconds"] is not None]
    return f"{sum(known) / len(known):.0f}" if known else "–"


def words_of(row: str, cell: Cell) -> str:
    """Return what makes the row again, with what was changed in it."""
    return " ".join(["python benchmarks/board.py", row, *cell["changes"]])


def draw(found: Sequence[Cell]) -> None:
    """Draw the accuracy of each cell against the time of the processors."""
    from digit_exp.plots.parts.canvas import draw as write

    write(lambda: figure_of(found), PICTURE)


def figure_of(found: Sequence[Cell]) -> Figure:
    """Return the figure: a marker for each row, a point for each seed."""
    from matplotlib.ticker import NullLocator

    from digit_exp.plots.parts.canvas import BLUE, MUTED, panels, sheet, style_axes

    note = "a point for each seed; grey: other libraries, with the network of same_network"
    figure = sheet(4.4, "Accuracy and time", note)
    (axes,) = panels(figure, 1, 1)
    rows = dict.fromkeys(cell["row"] for cell in found)
    for row, marker in zip(rows, "ovs^DP*X<>p", strict=False):
        some = [c for c in found if c["row"] == row and c["processor_seconds"] is not None]
        seconds = [cell["processor_seconds"] for cell in some]
        scores = [100 * cell["test_acc"] for cell in some]
        color = MUTED if row in PEERS else BLUE
        axes.scatter(seconds, scores, color=color, s=26, marker=marker, label=row)
    style_axes(axes, "", "seconds of the processors, the whole command", "test accuracy, %")
    axes.set_xscale("log")
    axes.margins(x=0.1, y=0.1)
    low, high = axes.get_xlim()
    ticks = [n * 10**power for power in range(5) for n in (1, 2, 5) if low < n * 10**power < high]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(loc="lower right")
    return figure


if __name__ == "__main__":
    main()
