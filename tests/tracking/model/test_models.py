"""The model that a run logs, as MLflow loads it: alone, by its alias, with clear refusals."""

import ast
import base64
import io
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digit_exp.data.sources import Mnist
from digit_exp.nn import activations
from digit_exp.nn.activations import ACTIVATIONS
from digit_exp.nn.builder import NetworkBuilder
from digit_exp.nn.classifier import Classifier
from digit_exp.nn.layers import Layer
from digit_exp.runs import paths
from digit_exp.tracking.base import TrackingError
from digit_exp.tracking.mlflow.queries import RunStore
from digit_exp.tracking.mlflow.registered_models import RegisteredModel
from digit_exp.tracking.mlflow.uri import locate
from digit_exp.tracking.model.log import PACKAGE, SERVED_CODE, model_of
from digit_exp.vision.normalize import read
from tracked_runs import tracked

DIGITS = Mnist().load().test.images[:20]
ALONE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("digit_exp", "hydra", "omegaconf", "matplotlib"):
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
import mlflow, numpy
model = mlflow.pyfunc.load_model("models:/digits@champion")
print(model.predict(numpy.load(sys.argv[1]))[0]["class"], "PIL" in sys.modules)
print(model.predict(numpy.array(sys.argv[2:]))[0]["class"])
"""


@pytest.fixture(scope="module")
def network():
    """A network with layers from several modules."""
    builder = NetworkBuilder().input(28, 28).conv(4, 5, "relu", stride=2, batch_norm=True)
    return builder.max_pool().dense(16, "relu").dense(10).build(seed=3)


@pytest.fixture(scope="module")
def champion(tmp_path_factory, migrated, network):
    """The folder of a store whose champion is `network`."""
    folder = tmp_path_factory.mktemp("champion")
    (folder / "mlruns").mkdir()
    shutil.copy(migrated, folder / "mlruns")
    file = Classifier(network, (28, 28), 1.5).save(folder / paths.MODEL)
    with tracked(folder) as run:
        run.now(network=file)
    runs = RunStore(locate(None, folder))
    (trial,) = runs.trials()
    models = RegisteredModel(runs, "digits")
    assert models.champion() is None
    assert models.set_champion(trial, file).number == "1"
    assert models.set_champion(trial, file).number == "1"  # once more changes nothing
    assert len(runs.client.search_model_versions("name = 'digits'")) == 1
    assert model_of(runs.client, trial.run_id)
    return folder


@pytest.fixture
def model(champion, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", locate(None, champion).uri)
    return mlflow.pyfunc.load_model("models:/digits@champion")


def test_it_answers_arrays_and_pictures(model, network):
    from digit_exp.runs.results.calibration import tempered

    expected = tempered(network.logits(DIGITS), 1.5)
    for images in (DIGITS, DIGITS / 255, DIGITS.tolist()):
        answers = model.predict(np.array(images))
        found = np.array([answer["probabilities"] for answer in answers])
        np.testing.assert_allclose(found, expected, atol=2e-6)
        assert [answer["class"] for answer in answers] == expected.argmax(axis=1).tolist()
    digit, blank = (
        model.predict(np.array([picture(pixels)]))[0] for pixels in (DIGITS[0], np.zeros((90, 90)))
    )
    assert digit["class"] == expected[0].argmax()
    assert blank == {
        "class": None,
        "confidence": 0.0,
        "probabilities": [],
        "unsure": True,
        "problem": "the picture is blank",
        "digits": [],
    }
    assert [found["class"] for found in digit["digits"]] == [digit["class"]]


def picture_bytes(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def picture(pixels):
    return base64.b64encode(picture_bytes(pixels)).decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((1, 27, 28)), r"must have the shape \(n, 28, 28\), got \(1, 27, 28\)"),
        (np.zeros((1, 28, 28)) - 1, "pixels must be"),
        (np.array(["no base64!"]), "picture 0 cannot be read"),
        (np.array([base64.b64encode(b"no picture").decode()]), "unsupported format"),
    ],
)
def test_what_it_cannot_read_is_refused_with_a_clear_400(model, data, words):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=words) as refused:
        model.predict(data)
    assert refused.value.get_http_status_code() == 400
    assert len(refused.value.serialize_as_json()) < 300


def test_it_runs_without_the_project(champion, network, tmp_path):
    np.save(tmp_path / "digits.npy", DIGITS[:1])
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path / "digits.npy"), picture(DIGITS[0])],
        env=os.environ | {"MLFLOW_TRACKING_URI": locate(None, champion).uri, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    number, has_pillow, number_of_picture = done.stdout.split()[:3]
    assert number == str(network.predict(DIGITS[:1])[0])
    assert has_pillow == "False"
    assert number_of_picture == str(network.predict(read(picture_bytes(DIGITS[0]))[None])[0])


def test_what_cannot_be_served_is_not_promoted(folder, network, monkeypatch):
    file = Classifier(network, (28, 28), 1.5).save(folder / paths.MODEL)
    with tracked(folder):
        pass
    runs = RunStore(locate(None, folder))
    (trial,) = runs.trials()
    monkeypatch.setattr("digit_exp.tracking.model.log.SERVED_CODE", ("arrays.py",))
    with pytest.raises(TrackingError, match="cannot be served, so it is not promoted"):
        RegisteredModel(runs, "digits").set_champion(trial, file)
    assert RegisteredModel(runs, "digits").champion() is None


def test_an_activation_that_is_registered_can_be_served(folder, monkeypatch):
    source = Path(activations.__file__).read_text()
    added = (
        source
        + '''

@ACTIVATIONS.register("absolute")
class Absolute(Layer):
    """y = |x|."""

    def forward(self, x, rng=None):
        return np.abs(x, out=x)
'''
    )
    package = folder / "package"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("mnist", "__pycache__"))
    (package / "nn" / "activations.py").write_text(added)
    monkeypatch.setattr("digit_exp.tracking.model.log.PACKAGE", package)
    monkeypatch.setattr(ACTIVATIONS, "_classes", dict(ACTIVATIONS._classes))
    monkeypatch.setattr(Layer, "kinds", dict(Layer.kinds))
    exec(compile(added[len(source) :], "added", "exec"), vars(activations) | {"__name__": "added"})
    network = NetworkBuilder().input(28, 28).dense(16, "absolute").dense(10).build(seed=3)
    file = Classifier(network, (28, 28), 1.5).save(folder / paths.MODEL)
    with tracked(folder):
        pass
    runs = RunStore(locate(None, folder))
    (trial,) = runs.trials()
    assert (
        RegisteredModel(runs, "digits").set_champion(trial, file)
        == RegisteredModel(runs, "digits").champion()
    )


def test_its_requirements_are_pinned(model):
    import mlflow

    lines = Path(mlflow.pyfunc.get_model_dependencies("models:/digits@champion")).read_text()
    pinned = dict(line.split("==") for line in lines.split())
    assert pinned == {name: metadata.version(name) for name in {"mlflow", *imported_by_models()}}


def imported_by_models():
    """Return the packages that the served code imports, some of them only for some layers."""
    sources = [file for pattern in SERVED_CODE for file in PACKAGE.glob(pattern)]
    names = set()
    for node in (node for source in sources for node in ast.walk(ast.parse(source.read_text()))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
    others = names - sys.stdlib_module_names - {"digit_exp"}
    return {"pillow" if name == "PIL" else name for name in others}
