"""The page's server: what runs read in a picture, why, and one training step on an image.

Arrays travel as little-endian float32 in base64, so that the page shows exact numbers. Requests
are answered one after the other, because a network reuses its arrays.
"""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from numpy.typing import NDArray

from digit_exp.config.schema import RunConfig
from digit_exp.data.dataset import Split
from digit_exp.data.idx import DataError
from digit_exp.draw.explain import explain
from digit_exp.draw.guard import Guard
from digit_exp.draw.one_step import Step
from digit_exp.nn.network import Network
from digit_exp.registry import ConfigError
from digit_exp.rng import Rng
from digit_exp.runs.experiment import load_data, train_val_splits
from digit_exp.runs.saved.found_run import FoundRun, RunError
from digit_exp.runs.saved.predict import Prediction, Predictor

STATIC = Path(__file__).parent / "static"
HOST = "127.0.0.1"
MOST_RUNS = 4
MOST_BYTES = 10_000_000
"""The largest upload: a large photo."""
MOST_SIDE = 128
"""Pixels of a side of a network's image: more cannot be told apart on the page."""


@dataclass(frozen=True)
class DrawnRun:
    """A run on the page."""

    run: FoundRun
    predictor: Predictor
    network: Network

    @classmethod
    def of(cls, run: FoundRun) -> DrawnRun:
        """Load the network of a run; raises RunError if it cannot be shown."""
        predictor, network = Predictor.of(run), run.network()
        if max(predictor.shape) > MOST_SIDE:
            height, width = predictor.shape
            raise RunError(
                f"{run.label} reads images of {height} × {width} pixels; the page shows images of"
                f" at most {MOST_SIDE} × {MOST_SIDE}"
            )
        if not np.isfinite(network.storage).all():
            raise RunError(f"{run.label} has weights that are not finite: it has diverged")
        return cls(run, predictor, network)

    @cached_property
    def config(self) -> RunConfig:
        """Its configuration; raises ConfigError or RunError."""
        return self.run.run_config()

    @cached_property
    def training_images(self) -> Split:
        """The images that it was trained on; raises DataError too."""
        return train_val_splits(self.config, load_data(self.config.data))[0]

    def plain(self) -> dict[str, Any]:
        """Return what the page says of the run."""
        network = self.network
        return {
            "label": self.run.label,
            "data": self.run.data,
            "shape": self.predictor.shape,
            "classes": self.run.class_names(network.classes),
            "calibrated": self.predictor.temperature is not None,
            "parameters": len(network.parameters),
        }

    def step(self, index: int) -> dict[str, Any]:
        """Return the stages of a training step on one of its images."""
        images, config = self.training_images, self.config
        if not 0 <= index < len(images):
            raise HTTPException(404, f"the training images have the numbers 0 to {len(images) - 1}")
        image, label = images.images[images.rows[index]], int(images.labels[index])
        network, shape = self.network, self.predictor.shape
        step = Step(network, shape, config.optimizer, config.regularization)
        stages = step.stages(image, label, Rng(config.seed)("dropout"))
        return {
            "images": len(images),
            "label": label,
            "stages": [asdict(stage) for stage in stages],
        }


def read(runs: Sequence[DrawnRun], data: bytes, run: int, target: int | None) -> dict[str, Any]:
    """Return the prediction of every run, and why one of them reads what it does."""
    results: list[Prediction] = []
    for each in runs:
        shapes = [before.predictor.shape for before in runs[: len(results)]]
        if each.predictor.shape in shapes:  # the picture is normalised once for each shape
            prepared = results[shapes.index(each.predictor.shape)]
            results.append(each.predictor.classify(prepared))
        else:
            results.append(each.predictor.predict("the drawing", data))
    answer: dict[str, Any] = {
        "results": [{**result.plain(), "seen": result.seen} for result in results],
        "why": None,
    }
    chosen = results[run]
    if chosen.probabilities is not None and chosen.seen is not None:
        if target is None:
            target = int(np.argsort(-chosen.probabilities, kind="stable")[1])
        answer["why"] = asdict(explain(runs[run].predictor, chosen.seen, target))
    return answer


def application(runs: Sequence[DrawnRun], port: int) -> Guard:
    """Return the page on some runs, for requests to this machine at `port`."""
    mimetypes.add_type("text/javascript", ".js")  # Windows may say otherwise
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    def chosen(run: int) -> DrawnRun:
        if not 0 <= run < len(runs):
            raise HTTPException(404, f"the runs have the numbers 0 to {len(runs) - 1}")
        return runs[run]

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/api/runs")
    async def list_runs() -> Response:
        return _json([run.plain() for run in runs])

    @app.post("/api/read")
    async def read_picture(request: Request, run: int = 0, target: int | None = None) -> Response:
        classes = chosen(run).network.classes
        if target is not None and not 0 <= target < classes:
            raise HTTPException(404, f"the classes have the numbers 0 to {classes - 1}")
        return _json(read(runs, await _body(request), run, target))

    @app.get("/api/step")
    async def step(run: int = 0, image: int = 0) -> Response:
        try:
            return _json(chosen(run).step(image))
        except (DataError, ConfigError, RunError) as error:
            raise HTTPException(409, f"its training images cannot be read: {error}") from error

    app.mount("/", StaticFiles(directory=STATIC))
    return Guard(app, port)


def listen(port: int) -> socket.socket:
    """Return a socket that listens at a port of this machine; 0 is any free one."""
    # asyncio sends at once on sockets that name their protocol; others wait 40 ms for an answer
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    if os.name == "posix":
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((HOST, port))
    listening.listen()
    return listening


def server(runs: Sequence[DrawnRun], port: int) -> uvicorn.Server:
    """Return a server for `run(sockets=...)`, with everything loaded that a first answer needs."""
    for each in runs:
        explain(each.predictor, np.zeros(each.predictor.shape, np.uint8), 0)
    config = uvicorn.Config(
        application(runs, port),
        log_level="warning",
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


async def _body(request: Request) -> bytes:
    """Return the body; refuses one that is too large before it is in memory."""
    data = bytearray()
    size = int(request.headers.get("content-length", 0))
    async for chunk in request.stream():
        data += chunk
        if max(size, len(data)) > MOST_BYTES:
            raise HTTPException(413, f"a picture has at most {MOST_BYTES:,} bytes")
    return bytes(data)


def _json(value: object) -> Response:
    return Response(json.dumps(value, default=_encoded), media_type="application/json")


def _encoded(array: NDArray[Any]) -> dict[str, object]:
    data = base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()
    return {"shape": array.shape, "data": data}
