"""The code of every logged model, which MLflow copies and runs (models from code, no pickle).

It does not need this project. Beside it are `artifacts/model.npz` and `code/digit_exp_…/`, a copy
of the modules of layers and of pictures as they were when the model was made.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class Refused(MlflowException):
    """A request that cannot be answered. The server answers 400 with this message."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, error_code=INVALID_PARAMETER_VALUE)
        self._sentence = sentence

    def serialize_as_json(self) -> str:
        """Return the body of the answer; MLflow would put the whole request before the message."""
        return json.dumps({"error_code": self.error_code, "message": self._sentence})


class DigitReader(PythonModel):
    """Takes images of the network's shape, or base64 of encoded pictures."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the network and the code that came with it."""
        network = Path(context.artifacts["network"])  # in the folder `artifacts` of the model
        (code,) = (network.parents[1] / "code").glob("digit_exp_*")
        _make_importable(code)
        self._classifier = import_module(f"{code.name}.nn.classifier").Classifier.load(network)
        self._package = code.name

    def predict(
        self,
        context: PythonModelContext,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return class, confidence and probabilities of each image.

        A picture without a digit has the class null, and `problem` says what was seen. Of a
        picture, `digits` has each digit in reading order; `unsure` tells if one is doubtful.
        """
        images = np.asarray(model_input)
        if images.ndim == 1 and all(isinstance(item, str) for item in images):
            return [self._picture(number, text) for number, text in enumerate(images)]
        return self._images(images)

    def _images(self, images: np.ndarray) -> list[dict[str, Any]]:
        try:
            if images.dtype != np.uint8:
                images = images.astype(np.float32)
                if images.size and not (images.min() >= 0 and images.max() <= 255):
                    raise ValueError("pixels must be from 0 to 1, or from 0 to 255")
                if images.size and images.max() > 1:
                    images = images / np.float32(255)
            return [_answer(row) for row in self._classifier(images)]
        except (ValueError, TypeError) as error:
            height, width = self._classifier.shape
            raise Refused(
                f"{error}. Send a list of {height} × {width} arrays, or of base64 texts"
            ) from error

    def _picture(self, number: int, text: str) -> dict[str, Any]:
        reader, decode, segmentation = (  # with SciPy and Pillow: only for pictures
            import_module(f"{self._package}.vision.{name}")
            for name in ("reader", "decode", "segmentation")
        )
        classifier = self._classifier
        try:
            data = base64.b64decode(text.partition("base64,")[2] or text, validate=True)
            levels = decode.decode(data)
            readings = reader.read(levels, classifier.shape, classifier, classifier.reads)
        except binascii.Error as error:
            raise Refused(f"picture {number} cannot be read: no base64 text ({error})") from error
        except decode.PictureError as error:
            raise Refused(f"picture {number} cannot be read: {error}") from error
        except segmentation.NoDigit as error:
            nothing: dict[str, Any] = {"class": None, "confidence": 0.0, "probabilities": []}
            return {**nothing, "unsure": True, "problem": str(error), "digits": []}
        found: dict[str, Any] = reader.answer(readings)
        return found


def _answer(probabilities: np.ndarray) -> dict[str, Any]:
    best = int(probabilities.argmax())
    rounded = [round(float(p), 6) for p in probabilities]
    return {"class": best, "confidence": rounded[best], "probabilities": rounded, "problem": ""}


def _make_importable(package: Path) -> None:
    """Let Python find the package in its folder, unless it is imported from elsewhere."""
    sys.path.append(str(package.parent))
    imported = sys.modules.get(package.name)
    if imported is not None and not Path(str(imported.__file__)).exists():  # deleted meanwhile
        for name in [name for name in sys.modules if name.partition(".")[0] == package.name]:
            del sys.modules[name]


set_model(DigitReader())
