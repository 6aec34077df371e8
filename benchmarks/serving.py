"""How long the champion takes to answer over HTTP, on loopback.

python benchmarks/serving.py [CALLS]

In a folder whose store has a champion (`digit-exp promote best`): starts
`mlflow models serve`, sends one image after the other, as an array and as a base64 PNG, on one
connection, and prints percentiles. The server is ended at the end.
"""

import base64
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from digit_exp.data.sources import Mnist
from measuring import machine, table

START_SECONDS = 90
GOAL_MS = 10


def main() -> None:
    """Serve, ask, print."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    port = free_port()
    server = subprocess.Popen(
        command(port),
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,  # a line for each request
        stderr=subprocess.DEVNULL,
    )
    try:
        connection = connected(server, port)
        images = Mnist().load().test.images
        forms: dict[str, Callable[[np.ndarray], object]] = {
            "array 28 × 28": lambda image: image.tolist(),
            "PNG 28 × 28, base64": lambda image: png(image, 28),
            "PNG 280 × 280, base64": lambda image: png(image, 280),
        }
        rows = []
        for name, form in forms.items():
            times = [1e3 * ask(connection, form(images[i % 10_000])) for i in range(calls)]
            shares = np.percentile(times[calls // 10 :], [50, 95, 99])  # the first ones warm up
            rows.append([name, *(f"{share:.1f}" for share in shares)])
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    print(table(["request", "median / ms", "95 % / ms", "99 % / ms"], rows))
    print(f"\n{calls} requests each, one at a time; the goal is {GOAL_MS} ms. {machine()}")


def command(port: int) -> list[str]:
    """Return the command that serves the champion."""
    mlflow = str(Path(sys.executable).with_name("mlflow"))
    model = ["-m", "models:/digits@champion", "--env-manager", "local"]
    return [mlflow, "models", "serve", *model, "--host", "127.0.0.1", "-p", str(port)]


def environment() -> dict[str, str]:
    """Return the environment with this folder's store, and this Python's programs first."""
    store = {"MLFLOW_TRACKING_URI": "sqlite:///mlruns/mlflow.db", **os.environ}
    return {**store, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connected(server: subprocess.Popen, port: int) -> http.client.HTTPConnection:
    """Return a connection to the server as soon as it answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/ping")
            connection.getresponse().read()
            return connection
        except OSError:
            time.sleep(0.2)
    sys.exit("the server does not answer")


def ask(connection: http.client.HTTPConnection, image: object) -> float:
    """Return the seconds from the request to the whole answer, which must have a class."""
    body = json.dumps({"inputs": [image]})
    started = time.perf_counter()
    connection.request("POST", "/invocations", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    seconds = time.perf_counter() - started
    if answer.status != 200 or "class" not in json.loads(text)["predictions"][0]:
        sys.exit(f"status {answer.status}: {text.decode()}")
    return seconds


def png(image: np.ndarray, side: int) -> str:
    """Return an image, enlarged, as the base64 text of a PNG."""
    file = io.BytesIO()
    Image.fromarray(255 - image).resize((side, side), Image.Resampling.BICUBIC).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    main()
