"""All runs that a store keeps, of whatever experiment and sweep, with their curves and files."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from digit_exp.arrays import Metrics
from digit_exp.tracking.mlflow import links
from digit_exp.tracking.mlflow.connect import connect, translate_errors
from digit_exp.tracking.mlflow.trials import Trial, epochs_of, is_trial_of, search
from digit_exp.tracking.mlflow.uri import Store


class RunStore:
    """A store that exists, to be read."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.client = connect(store)

    def trials(self) -> list[Trial]:
        """Return every run of this program, the latest first; parents of sweeps are none."""
        with translate_errors(self.store):
            experiments = [found.experiment_id for found in self.client.search_experiments()]
            found = search(self.client, experiments, is_trial_of(None))
            return list(found)[::-1]

    def history(self, run_id: str, metrics: Iterable[str]) -> list[Metrics]:
        """Return these metrics of each epoch, as a trainer's history."""
        with translate_errors(self.store):
            return epochs_of(self.client, run_id, metrics)

    def fetch(self, run_id: str, file: PurePosixPath) -> Path | None:
        """Return a copy of an artifact, which this process may read; None if there is none."""
        parent = str(file.parent) if file.parent.parts else None
        with translate_errors(self.store):
            kept = [item.path for item in self.client.list_artifacts(run_id, parent)]
            if str(file) not in kept:
                return None
            folder = self._copies / run_id
            folder.mkdir(exist_ok=True)
            return Path(self.client.download_artifacts(run_id, str(file), str(folder)))

    def page(self, trial: Trial) -> list[str]:
        """Return the lines that tell a person how to open the page of a run."""
        return links.lines(self.store, trial.experiment_id, trial.run_id)

    @cached_property
    def _copies(self) -> Path:
        """The folder of the files that were fetched; it goes with this object."""
        folder = tempfile.mkdtemp(prefix="digit_exp-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)
