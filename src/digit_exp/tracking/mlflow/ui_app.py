"""MLflow's web application, whose page opens for training runs and without the Assistant.

In a browser that has never been there, MLflow 3.17 opens among its tools for language models, with
a panel of its Assistant over a quarter of the page. The page keeps its choices in the browser's
local storage. A script in front of it makes some, unless the user has made them before. The plain
address goes on to the page that START names.
"""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

import mlflow.server
from mlflow.server.fastapi_app import app
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from digit_exp.tracking.mlflow.ui_server import START

INDEX = Path(mlflow.server.__file__).parent / "js" / "build" / "index.html"
SCRIPT = Path(__file__).with_name("ui_page.js")


def page(_: Request) -> HTMLResponse:
    """Return MLflow's page with the script at the beginning of its head."""
    start = escape(os.environ.get(START, ""))
    script = f'<script data-start="{start}">{{\n{SCRIPT.read_text(encoding="utf-8")}}}</script>'
    text = INDEX.read_text(encoding="utf-8")
    return HTMLResponse(text.replace("<head>", f"<head>{script}", 1))


app.router.routes.insert(0, Route("/", page))
