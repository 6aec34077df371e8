"""A network as a model in MLflow: logged with its run, registered, and called champion.

Everything goes through a client. `mlflow.pyfunc.log_model` would ask the global state which store
and which run are meant.
"""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import digit_exp

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

PACKAGE = Path(digit_exp.__file__).parent
SERVED_CODE = (
    "arrays.py",
    "jit.py",
    "registry.py",
    "rng.py",
    "threads.py",
    "nn/*.py",
    "vision/*.py",
)
"""The modules that a model needs to answer, relative to the package."""
SERVED_WEIGHTS = Path("vision") / "detector.npz"
"""What `vision` needs beside its code."""
CODE = Path(__file__).with_name("pyfunc.py")
NAME = "digits"
"""Of the models that runs log, and of the registered one."""
IMPORT = re.compile(r"^( *(?:from|import) )digit_exp([. ])", re.MULTILINE)
PACKAGES = ("numpy", "scipy", "pillow", "mlflow", "threadpoolctl", "numba", "filelock")
"""What a model needs, pinned to what it was made with; the last two for layers with kernels."""


def log_model(client: MlflowClient, run_id: str, experiment_id: str, network: Path) -> str:
    """Log a network as the outcome of a run, unless it has one, and return the model's id.

    What an earlier try began, whose answer was lost, is finished.
    """
    from mlflow.entities import LoggedModelOutput

    if (known := model_of(client, run_id)) is not None:
        return known
    begun = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
    model = (
        begun[0]
        if begun
        else client.create_logged_model(
            experiment_id, name=NAME, source_run_id=run_id, model_type="pyfunc"
        )
    )
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "model"
        _save(network, folder)
        client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return str(model.model_id)


def model_of(client: MlflowClient, run_id: str) -> str | None:
    """Return the id of the model that a run has logged, if it has."""
    outputs = client.get_run(run_id).outputs
    models = outputs.model_outputs if outputs else []
    return str(models[-1].model_id) if models else None


def _save(network: Path, folder: Path) -> None:
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as work:
        # MLflow's words on its own type hints, when it is imported, and on a check that is tested
        warnings.filterwarnings("ignore", "(?s).*(Any type hint|An input example was not)")
        from mlflow import pyfunc

        # It says so where there is no pip, as in environments of uv; a model needs none.
        logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
        pyfunc.save_model(
            path=str(folder),
            python_model=str(CODE),
            artifacts={"network": str(network)},
            code_paths=[str(_copy_code(Path(work)))],
            signature=_signature(),
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in PACKAGES],
        )


def _copy_code(folder: Path) -> Path:
    """Copy the served modules into a package whose name says what it contains; return its folder.

    So two models in one process may differ in code, and neither needs digit-exp to be installed.
    """
    files = sorted(file for pattern in SERVED_CODE for file in PACKAGE.glob(pattern))
    sources = {file.relative_to(PACKAGE): file.read_text(encoding="utf-8") for file in files}
    weights = (PACKAGE / SERVED_WEIGHTS).read_bytes()
    digest = hashlib.sha256(repr(sources).encode() + weights).hexdigest()[:12]
    package = folder / f"digit_exp_{digest}"
    for path, source in {Path("__init__.py"): "", **sources}.items():
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        renamed = IMPORT.sub(rf"\1{package.name}\2", source)
        (package / path).write_text(renamed, encoding="utf-8")
    (package / SERVED_WEIGHTS).parent.mkdir(exist_ok=True)
    (package / SERVED_WEIGHTS).write_bytes(weights)
    return package


def _signature() -> ModelSignature:
    """Return what goes in and out. Images and texts share one input, so its type is any."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Array, Object, Property

    number, text, flag = DataType.double, DataType.string, DataType.boolean
    digit = [
        Property("box", Array(number)),
        Property("class", DataType.long, required=False),
        Property("confidence", number),
        Property("unsure", flag),
        Property("problem", text),
    ]
    return ModelSignature(
        inputs=Schema([TensorSpec(np.dtype("O"), (-1,))]),
        outputs=Schema(
            [
                ColSpec(DataType.long, "class", required=False),
                ColSpec(number, "confidence"),
                ColSpec(Array(number), "probabilities"),
                ColSpec(flag, "unsure", required=False),
                ColSpec(text, "problem"),
                ColSpec(Array(Object(digit)), "digits", required=False),
            ]
        ),
    )
