"""MLflow's web application, whose page opens for training runs and without the Assistant.

In a browser that has never been there, MLflow 3.17 opens among its tools for language models, with
a panel of its Assistant over a quarter of the page. The page keeps its choices in the browser's
local storage. A script in front of it makes some, unless the user has made them before.
"""

from __future__ import annotations

from pathlib import Path

import mlflow.server
from mlflow.server.fastapi_app import app
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

INDEX = Path(mlflow.server.__file__).parent / "js" / "build" / "index.html"
SCRIPT = Path(__file__).with_name("ui_page.js")


def page(_: Request) -> HTMLResponse:
    """Return MLflow's page with the script at the beginning of its head."""
    script = f"<script>{{\n{SCRIPT.read_text(encoding='utf-8')}}}</script>"
    text = INDEX.read_text(encoding="utf-8")
    return HTMLResponse(text.replace("<head>", f"<head>{script}", 1))


app.router.routes.insert(0, Route("/", page))
