"""Models of other libraries: `examples/own_model/` under this runner, as its guide shows them."""

import shutil
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from composing import check
from digit_exp.cli.entry import main
from digit_exp.config.compose import compose
from digit_exp.config.json_schema import schemas
from digit_exp.nn.learner import Learner, packed, unpacked
from digit_exp.nn.models import MODELS
from digit_exp.nn.network import Network
from digit_exp.registry import ConfigError
from digit_exp.runs.experiment import Experiment
from digit_exp.runs.runner import execute, load_run_checkpoint
from digit_exp.runs.saved.found_run import RunError
from digit_exp.runs.saved.lookup import Runs
from digit_exp.runs.saved.predict import Predictor
from digit_exp.runs.saved.reproduce import Verdict, reproduce
from digit_exp.runs.signals import Interruption
from digit_exp.sweeps.identity import config_hash
from digit_exp.sweeps.main_program import main_program, register_again
from digit_exp.sweeps.search.study import require_search
from digit_exp.training.callbacks import LastCheckpoint, StopAfter
from digit_exp.training.checkpoint import CheckpointError, load_network

EXAMPLES = Path(__file__).parents[1] / "examples" / "own_model"
WORDS = [
    *("data=synthetic", "data.samples=120", "data.test_samples=40", "data.val_ratio=0.25"),
    *("data.noise=0.9", "trainer.epochs=3", "tracking=none"),
]


def load(file, name):
    """Import a file as the program that one has started."""
    spec = spec_from_file_location(name, file)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def own():
    """Know `linear_sgd` in this module only."""
    yield load(EXAMPLES / "linear_sgd.py", "own_linear_sgd")
    MODELS._classes.pop("linear_sgd", None)


@pytest.fixture
def words(own):
    return ["model=linear_sgd", *WORDS]


def planned(words):
    (config,) = compose(words, config_dir=str(EXAMPLES / "conf")).jobs
    return config


@pytest.fixture(scope="module")
def finished(own, tmp_path_factory):
    """A run of three epochs."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    folder.mkdir()
    with Interruption() as interruption:
        execute(planned(["model=linear_sgd", *WORDS]), folder, interruption)
    return Runs(folder).find(str(folder))


def test_a_run_of_it_has_what_a_run_of_a_network_has(finished):
    assert finished.status == "FINISHED"
    assert {"best_val_acc", "test_acc", "temperature"} <= finished.metrics.keys()
    assert [epoch["epoch"] for epoch in finished.history()] == [1, 2, 3]
    assert {"train_loss", "val_acc"} <= finished.history()[0].keys()
    written = {path.relative_to(finished.folder).as_posix() for path in finished.folder.rglob("*")}
    assert {"checkpoints/last.npz", "figures/confusion_matrix.png", "network.txt"} <= written
    assert not {"figures/weight_histograms.png", "model.npz"} & written  # it has no layers
    assert finished.tags["version.sklearn"]


def test_what_it_does_not_read_is_refused_by_name(words):
    problems = check([*words, "optimizer.lr=0.5"], config_dir=str(EXAMPLES / "conf"))
    assert [problem.path for problem in problems] == ["optimizer.lr"]
    problems = check([*words, "model.alpha=0"], config_dir=str(EXAMPLES / "conf"))
    assert [problem.path for problem in problems] == ["model.alpha"]
    search = compose([*words, "sweep=random"], config_dir=str(EXAMPLES / "conf"), multirun=True)
    with pytest.raises(ConfigError, match=r"optimizer\.lr: model=linear_sgd trains itself"):
        require_search(search)


def test_help_and_schemas_know_it(own, capsys):
    assert main(["--help", "--config-dir", str(EXAMPLES / "conf")]) == 0
    assert "linear_sgd          A linear classifier of scikit-learn" in capsys.readouterr().out
    titles = [choice["title"] for choice in schemas()["model"]["anyOf"]]
    assert "model=linear_sgd" in titles


def test_a_resumed_run_ends_with_the_bits_of_one_that_was_not_interrupted(
    finished, words, tmp_path
):
    config, file = planned(words), tmp_path / "last.npz"
    metadata = load_run_checkpoint(finished.folder / "checkpoints" / "last.npz").config
    first = Experiment.prepare(config, tmp_path)
    first.trainer([LastCheckpoint(file, metadata), StopAfter(1)]).fit(first.train, first.val)
    checkpoint = load_run_checkpoint(file)
    assert checkpoint.state.epoch == 1
    rest = Experiment.prepare(config, tmp_path, checkpoint)
    state = rest.trainer([]).fit(rest.train, rest.val, rest.start)
    last = finished.checkpoint().state
    assert np.array_equal(rest.network.numbers(), last.network.numbers())
    assert [e["val_loss"] for e in state.history] == [e["val_loss"] for e in last.history]


def test_reproducing_it_gives_the_same_bits(finished, tmp_path):
    assert reproduce(finished, tmp_path / "again", track=False, tolerance=0).verdict is (
        Verdict.identical
    )


def test_it_predicts_as_it_was_tested(finished):
    model = finished.model()
    assert isinstance(model, Learner)
    assert not isinstance(model, Network)
    dataset = finished.run_config().data.load()
    accuracy = (model.predict(dataset.test.images) == dataset.test.labels).mean()
    assert accuracy == finished.metrics["test_acc"]
    assert Predictor.of(finished).shape == (28, 28)


def test_what_needs_layers_is_refused_with_a_sentence(finished):
    from digit_exp.draw.server import DrawnRun

    with pytest.raises(RunError, match="another library"):
        finished.network()
    with pytest.raises(RunError, match="another library"):
        DrawnRun.of(finished)
    with pytest.raises(CheckpointError, match="load_run"):
        load_network(finished.folder / "checkpoints" / "last.npz")


def test_a_program_that_does_not_know_it_says_so(finished, monkeypatch):
    monkeypatch.delitem(MODELS._classes, "linear_sgd")
    with pytest.raises(RunError, match="unknown model 'linear_sgd'"):
        finished.model()
    assert finished.config["model"] == "linear_sgd"  # what `list` and `compare` show


def test_another_process_of_the_sweep_registers_it_again(own, monkeypatch):
    monkeypatch.delitem(MODELS._classes, "linear_sgd")
    assert main_program() is None
    register_again(str(EXAMPLES / "linear_sgd.py"))
    assert "linear_sgd" in MODELS.names()
    monkeypatch.delitem(sys.modules, "__mp_main__")


def test_a_job_is_another_one_when_the_file_has_changed(own, words, tmp_path, monkeypatch):
    config = planned(words)
    before = config_hash(config, "digest")
    changed = tmp_path / "linear_sgd.py"
    shutil.copy(own.__file__, changed)
    monkeypatch.setattr(own, "__file__", str(changed))
    assert config_hash(config, "digest") == before
    changed.write_text(changed.read_text() + "\n# another penalty\n")
    assert config_hash(config, "digest") != before


def test_logits_of_a_wrong_shape_are_refused_with_the_name_of_the_method():
    class Wrong(Learner):
        def forward(self, x):
            return np.zeros((len(x), 3))

    with pytest.raises(ValueError, match=r"Wrong\.forward.*\(2, 10\)"):
        Wrong((4, 4), 10).logits(np.zeros((2, 4, 4), np.uint8))


def test_a_state_is_the_same_after_packing():
    state = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "none": np.empty((0, 4)), "t": 3.0}
    again = unpacked(packed(state))
    assert again.keys() == state.keys()
    for name, value in state.items():
        assert np.array_equal(again[name], value)
        assert again[name].dtype == np.asarray(value).dtype


def test_a_state_holds_no_python_objects():
    with pytest.raises(TypeError, match="trees"):
        packed({"trees": np.array([object()])})


@pytest.mark.parametrize(
    "header",
    ['[["w", "|O", [1]]]', '[["w", "<f8,(", [1]]]', '[["w", "<f8", [-1]]]', '[["w", "<f8", [9]]]'],
)
def test_a_damaged_state_is_refused(header):
    text = header.encode()
    damaged = len(text).to_bytes(8, "little") + text + bytes(8)
    with pytest.raises(ValueError, match="w is"):
        unpacked(np.frombuffer(damaged, np.uint8))


@pytest.mark.slow  # PyTorch takes seconds to import
def test_a_network_of_pytorch_resumes_with_the_same_bits(tmp_path):
    pytest.importorskip("torch")
    load(EXAMPLES / "torch_mlp.py", "own_torch_mlp")
    try:
        config = planned(["model=torch_mlp", "model.hidden=8", *WORDS])
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        stopped, whole = (Experiment.prepare(config, tmp_path / name) for name in ("a", "b"))
        state = stopped.trainer([StopAfter(1)]).fit(stopped.train, stopped.val)
        learner = config.model.build((28, 28), 10, seed=0)
        learner.restore(state.network.storage)
        state.network, state.stop_reason = learner, None
        replace(stopped, network=learner).trainer([]).fit(stopped.train, stopped.val, state)
        whole.trainer([]).fit(whole.train, whole.val)
        assert np.array_equal(learner.numbers(), whole.network.numbers())
    finally:
        MODELS._classes.pop("torch_mlp")
