"""Runs side by side: collected, printed as tables, and written as a page with figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from digit_exp.analysis.objective import NO_VALUE
from digit_exp.analysis.predictions import Predictions
from digit_exp.analysis.report.render import Page, write
from digit_exp.analysis.report.section import Results, Section
from digit_exp.analysis.report.sections import sections
from digit_exp.analysis.report.terminal import text_table
from digit_exp.analysis.run_comparison import ComparedRun
from digit_exp.data.dataset import Dataset
from digit_exp.data.idx import DataError
from digit_exp.registry import ConfigError
from digit_exp.runs.experiment import load_data, train_val_splits
from digit_exp.runs.folder import DATA_DIGEST
from digit_exp.runs.reuse.found_run import FoundRun, RunError
from digit_exp.runs.reuse.lookup import OUTPUTS
from digit_exp.tracking.mlflow.links import ID_LENGTH
from digit_exp.training.checkpoint import CheckpointError

FOLDER = OUTPUTS / "comparisons"
LONGEST_NAME = 100
"""Characters of the name of a comparison's folder."""
MAX_NAMED = 3
"""Runs that the name of the folder lists."""


@dataclass(frozen=True)
class Comparison:
    """The comparison of some runs, section by section."""

    runs: Sequence[FoundRun]
    compared: Sequence[ComparedRun]
    """The same runs, with what is compared of them."""
    sections: Sequence[Section]

    def lines(self) -> str:
        """Return the tables for a terminal."""
        parts = []
        for section in self.sections:
            tables = [text_table(table) for table in section.tables]
            if tables or section.key in ("configuration", "predictions"):
                parts.append("\n".join([section.title, "", *section.text, *tables]))
        return "\n\n".join(parts)

    def write(self, folder: Path | None = None) -> list[Path]:
        """Write the page and the figures; return the files, the page first."""
        labels = " · ".join(run.label for run in self.runs)
        page = Page(f"Comparison of {len(self.runs)} runs", labels, self.sections)
        return write(page, folder or FOLDER / _name(self.runs), "comparison")


def compare(runs: Sequence[FoundRun]) -> Comparison:
    """Compare runs. Raises RunError for fewer than two different ones."""
    places = {run.run_id or run.folder or run.checkpoint_file: run for run in runs}
    different = list(places.values())
    if len(different) < 2:
        names = ", ".join(run.label for run in different)
        raise RunError(
            f"a comparison needs two different runs, or the name of a sweep; got only {names}"
        )
    compared = [_compared_run(run) for run in different]
    dataset = _dataset(different[0])
    results = Results(
        runs=compared,
        images=None if dataset is None else dataset.test.images[dataset.test.rows],
        class_names=() if dataset is None else dataset.class_names,
    )
    return Comparison(different, compared, list(sections(results)))


def _compared_run(run: FoundRun) -> ComparedRun:
    try:
        history = run.history()
    except (RunError, CheckpointError):
        history = []
    val = _val_images(run)
    run_id = (run.run_id or NO_VALUE)[:ID_LENGTH]
    test, val_predictions = _if_any(run.predictions), _if_any(run.val_predictions)
    return ComparedRun(
        run.name, run_id, run.status, run.config, run.metrics, history, test, val_predictions, val
    )


def _if_any(predictions: Callable[[], Predictions]) -> Predictions | None:
    try:
        return predictions()
    except RunError:  # it did not finish, or is of a version that did not keep them
        return None


def _val_images(run: FoundRun) -> int | None:
    """Return the size of the validation split, if the data of the run are available."""
    try:
        config = run.run_config()
        return len(train_val_splits(config, load_data(config.data))[1]) or None
    except (RunError, ConfigError, DataError, CheckpointError):
        return None


def _dataset(run: FoundRun) -> Dataset | None:
    """Return the data set, if it has not changed since the run."""
    try:
        dataset = load_data(run.run_config().data)
    except (RunError, ConfigError, DataError, CheckpointError):
        return None
    return dataset if run.tags.get(DATA_DIGEST, dataset.digest) == dataset.digest else None


def _name(runs: Sequence[FoundRun]) -> str:
    words = [run.run_id[:8] if run.run_id else run.name for run in runs[:MAX_NAMED]]
    more = [f"and-{len(runs) - MAX_NAMED}-more"] if len(runs) > MAX_NAMED else []
    # a name that every file system takes, whatever the locale
    return re.sub(r"[^A-Za-z0-9._=,-]+", "_", "-".join([*words, *more]))[:LONGEST_NAME]
