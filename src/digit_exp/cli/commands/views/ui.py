"""Look at runs in MLflow's web page.

Shows the runs of this folder in MLflow's web page: all of them, the best first, with what varies
between them and their curves; or one run; or the comparison of a sweep.

Examples:
  digit-exp ui                  all runs
  digit-exp ui latest           the page of the latest run
  digit-exp ui my-sweep         the comparison of a sweep's jobs

It runs until Ctrl-C. If the port is taken, the next free one is used.
"""

import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from digit_exp.cli.arguments import RUN, add_store, number
from digit_exp.tracking.mlflow.links import HOST, PORT


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help=f"{RUN}; default: all runs")
    parser.add_argument(
        "--port", type=number(int, 1, 65535), default=PORT, help="default: %(default)s"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the link")
    add_store(parser)


def run(options: Namespace) -> int:
    import webbrowser

    from digit_exp.runs.saved.lookup import Runs
    from digit_exp.runs.saved.views.mlflow_page import page_of
    from digit_exp.runs.signals import SIGNALS
    from digit_exp.tracking.mlflow.saved_view import table_link
    from digit_exp.tracking.mlflow.ui_server import free_port, web_page
    from digit_exp.tracking.mlflow.uri import locate

    store = locate(options.uri, Path.cwd())
    page = page_of(Runs.of_folder(uri=options.uri), options.run)
    if store.is_server:
        print(f"{store.address.rstrip('/')}{page}")
        return 0
    port = free_port(options.port)
    if port != options.port:
        print(f"port {options.port} is taken, using {port}")
    print("starting MLflow ...", flush=True)
    for sign in SIGNALS:
        signal.signal(sign, _interrupt)
    try:
        with web_page(store, port, page) as server:
            origin = f"http://{HOST}:{port}"
            address = f"{origin}{page}"
            print(address)
            if (table := table_link(page)) is not None:
                print(f"the same as a table, with parameters and metrics:\n{origin}{table}")
            print("(Ctrl-C stops it)", flush=True)
            if not options.no_browser and has_screen():
                webbrowser.open(address)
            return server.wait()
    except KeyboardInterrupt:
        print("\nstopped")
        return 0


def _interrupt(*_: object) -> None:
    """Stop, once: an impatient second Ctrl-C must not leave the server behind."""
    from digit_exp.runs.signals import SIGNALS

    for sign in SIGNALS:
        signal.signal(sign, signal.SIG_IGN)
    raise KeyboardInterrupt


def has_screen() -> bool:
    """Tell whether a browser would open a window, and not take the terminal."""
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
