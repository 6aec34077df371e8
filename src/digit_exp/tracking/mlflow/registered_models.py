"""A registered model: its versions, the champion and the previous one."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digit_exp.nn.classifier import Classifier
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.connect import translate_errors
from digit_exp.tracking.mlflow.queries import RunStore, Trial
from digit_exp.tracking.model.log import log_model

CHAMPION, PREVIOUS = "champion", "previous"


@dataclass(frozen=True)
class Version:
    """A version of the registered model and the run that it came from."""

    number: str
    run_id: str


class RegisteredModel:
    """A registered model of a store."""

    def __init__(self, runs: RunStore, name: str) -> None:
        self.name = name
        self._client = runs.client
        self._store = runs.store

    def champion(self) -> Version | None:
        """Return the version that is called champion, if one is."""
        with translate_errors(self._store):
            found = self._client.search_registered_models(filter_string=f"name = '{self.name}'")
            number = found[0].aliases.get(CHAMPION) if found else None
            if number is None:
                return None
            return Version(
                str(number), str(self._client.get_model_version(self.name, number).run_id)
            )

    def set_champion(self, trial: Trial, network: Path) -> Version:
        """Make a run's model the champion, and the champion the previous one.

        `network` is logged as the run's model if the run has none. Raises TrackingError, and
        leaves the champion, if the model cannot be loaded or does not answer.
        """
        old = self.champion()
        with translate_errors(self._store):
            new = self._version(trial, network)
            self._try(new, Classifier.load(network).shape)
            if old is not None and old != new:
                self._client.set_registered_model_alias(self.name, PREVIOUS, old.number)
            self._client.set_registered_model_alias(self.name, CHAMPION, new.number)
        return new

    def _try(self, version: Version, shape: tuple[int, int]) -> None:
        """Load a version as it is served, and let it read a blank image of `shape`."""
        from mlflow import pyfunc
        from mlflow.artifacts import download_artifacts

        source = self._client.get_model_version(self.name, version.number).source
        with tempfile.TemporaryDirectory() as work:
            folder = download_artifacts(
                artifact_uri=source, dst_path=work, tracking_uri=self._store.uri
            )
            try:
                pyfunc.load_model(folder).predict(np.zeros((1, *shape), np.uint8))
            except Exception as error:  # the code of a model may raise anything
                raise TrackingError(
                    f"version {version.number} of {self.name} cannot be served, so it is not"
                    f" promoted: {error!r}"
                ) from error

    def _version(self, trial: Trial, network: Path) -> Version:
        """Return the version of a run, which is registered if it is not."""
        client, run_id = self._client, trial.run_id
        if not client.search_registered_models(filter_string=f"name = '{self.name}'"):
            client.create_registered_model(self.name)
        for known in client.search_model_versions(f"name = '{self.name}'"):
            if known.run_id == run_id:
                return Version(str(known.version), run_id)
        model_id = log_model(client, run_id, trial.experiment_id, network)
        # not models:/ID, which MLflow would look up in the store of the global state
        source = str(client.get_logged_model(model_id).artifact_location)
        made = client.create_model_version(self.name, source, run_id=run_id, model_id=model_id)
        return Version(str(made.version), run_id)
