"""What Python programs call: the same as the commands, with results to work with.

`digit_exp/__init__.py` exports these functions. Words are those of the command line.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.runs.saved.lookup import BEST, OUTPUTS, Runs, winner

if TYPE_CHECKING:
    import pandas as pd

    from digit_exp.runs.saved.compare import Comparison
    from digit_exp.sweeps.tries.verdicts import Verdict

Values = Mapping[str, object]
"""Values by their keys on the command line: `{"optimizer": "sgd", "model.hidden": [64]}`."""


@dataclass(frozen=True)
class SweepResult:
    """The jobs of a sweep, in the order in which they were started."""

    name: str
    folder: Path
    jobs: Sequence[FoundRun]
    is_complete: bool
    """Whether every job finished."""

    @property
    def best(self) -> FoundRun:
        """The best replicate of the best configuration; raises RunError if no job has a result."""
        if not self.jobs:
            raise RunError(f"no job of the sweep {self.name} has made a run")
        return winner(self.jobs)

    @property
    def report(self) -> Path:
        """The report, an HTML page."""
        return self.folder / "report.html"

    def importance(self) -> pd.DataFrame:
        """Return the share of the objective that each parameter explains, with its interval."""
        from digit_exp.analysis.importance import importance_table
        from digit_exp.runs.saved.compare import ranking_of

        return importance_table(ranking_of(self.jobs))

    def table(self) -> pd.DataFrame:
        """Return the jobs as `digit_exp.runs()` returns all runs."""
        from digit_exp.runs.saved.views.listing import as_table

        return as_table(self.jobs)


def run(
    *words: str | Values,
    seed: int | None = None,
    name: str | None = None,
    folder: str | Path | None = None,
    start_from: str | FoundRun | None = None,
) -> FoundRun:
    """Train a network as the command does, and return the run, with metrics, folder and network.

    `start_from` is a run whose best weights this one begins with.

    Its log goes to its folder; a program that configures `logging` sees it as well. A run that
    diverges is returned with the status FAILED. Raises ConfigError with all that is wrong with the
    words, and JobFailed if the run breaks off.
    """
    from digit_exp.config.compose import compose
    from digit_exp.runs import paths
    from digit_exp.runs.log_file import info_level, logging_to
    from digit_exp.runs.runner import execute
    from digit_exp.runs.saved.start_from import initial_weights, pin_plan
    from digit_exp.runs.signals import Interruption

    fixed = {"seed": seed, "run_name": name, "start_from": _handle(start_from)}
    named = {key: value for key, value in fixed.items() if value is not None}
    (config,) = pin_plan(compose(_overrides([*words, named]))).jobs
    initial = initial_weights(config)
    place = OUTPUTS / f"{datetime.now():%Y-%m-%d/%H-%M-%S-%f}" if folder is None else Path(folder)
    place.mkdir(parents=True)
    with info_level(), logging_to(place / paths.LOG), Interruption() as interruption:
        execute(config, place, interruption, initial=initial)
    return Runs().find(str(place))


def sweep(
    parameters: Mapping[str, Sequence[object]],
    *words: str | Values,
    seeds: Sequence[int] = (),
    replicates: int | None = None,
    race: bool = False,
    name: str | None = None,
) -> SweepResult:
    """Run all combinations of the values of `parameters` and `seeds`, and return the jobs.

    Instead of `seeds`, `replicates` says how many. In a race, candidates that are too far behind
    get no further seeds. `"sweep=tpe"` as a word searches instead.
    The same call again continues what is not done, under the same `name`. Prints what the command
    prints. Raises ConfigError with all that is wrong, in any job.
    """
    from digit_exp.cli.main import launch_sweep
    from digit_exp.config.compose import compose
    from digit_exp.config.overrides import written
    from digit_exp.runs.saved.start_from import pin_plan
    from digit_exp.sweeps.launch import FOLDER, sweep_name

    varied = {**parameters, **({"seed": seeds} if seeds else {})}
    swept = [f"{key}={','.join(map(written, values))}" for key, values in varied.items()]
    named = [] if name is None else [f"sweep.name={written(name)}"]
    named += [] if replicates is None else [f"sweep.replicates={replicates}"]
    named += ["sweep.race=true"] if race else []
    planned = pin_plan(compose([*_overrides(words), *swept, *named], multirun=True))
    name = sweep_name(planned)
    with _kept_logging():
        code = launch_sweep(planned)
    folder = FOLDER / name
    return SweepResult(name, folder, Runs(folder).all[::-1], code == 0)


def try_change(
    *words: str | Values,
    against: str = "defaults",
    both: Sequence[str | Values] = (),
    max_pairs: int = 8,
    indifference: float = 0.2,
    alpha: float = 0.05,
) -> Verdict:
    """Train a change and its baseline on the same seeds until a sequential test decides.

    `against` is a run, "best" or "defaults"; `both` are words for both sides; `indifference` is in
    percentage points. The same call goes on with the pairs that are there. Raises ConfigError if
    there is nothing to compare, and JobFailed if a run fails.
    """
    from digit_exp.sweeps.tries.comparison import comparison
    from digit_exp.sweeps.tries.try_change import try_change

    found = comparison(_overrides(words), against=against, both=_overrides(both))
    return try_change(found, max_pairs=max_pairs, indifference=indifference, alpha=alpha)


def load_run(text: str = BEST, uri: str | None = None) -> FoundRun:
    """Return a run by its id, name or folder, or `latest`, `best`, or the winner of a sweep.

    Raises RunError if there is none or more than one.
    """
    return Runs.of_folder(uri=uri).without_store().find(text)


def compare(*runs: str | FoundRun, uri: str | None = None) -> Comparison:
    """Compare runs; the name of a sweep stands for all of its jobs.

    `print(comparison.lines())` shows the tables, `comparison.write()` makes a page with pictures.
    """
    from digit_exp.runs.saved.compare import compare

    known = Runs.of_folder(uri=uri)
    found = [known.all_matching(run) if isinstance(run, str) else [run] for run in runs]
    return compare([run for some in found for run in some])


def _overrides(words: Sequence[str | Values]) -> list[str]:
    from digit_exp.config.overrides import written

    overrides = []
    for word in words:
        if isinstance(word, str):
            overrides.append(word)
        else:
            overrides += [f"{key}={written(value)}" for key, value in word.items()]
    return overrides


def _handle(run: str | FoundRun | None) -> str | None:
    """Return what finds a run again."""
    if not isinstance(run, FoundRun):
        return run
    return run.run_id or str(run.checkpoint_file or run.folder)


@contextmanager
def _kept_logging() -> Iterator[None]:
    """Undo what Hydra does to the process: it sets up logging."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:], root.level = handlers, level
