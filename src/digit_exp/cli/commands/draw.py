"""Draw a digit, and see what networks read.

Opens a page on which one draws a digit with mouse, pen, finger or keyboard, or drops a picture. It
shows at once what the networks of up to four runs see and read, and why: activations, weights, and
which pixels would have to change. Its second tab shows one training step, layer by layer.

Examples:
  digit-exp draw                      the best run
  digit-exp draw latest best linear   three runs side by side

It runs until Ctrl-C, for this machine only. If the port is taken, the next free one is used.
"""

from argparse import ArgumentParser, Namespace

from digit_exp.cli.arguments import RUN, add_store, number

PORT = 8470


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{RUN}; default: best")
    parser.add_argument(
        "--port", type=number(int, 0, 65535), default=PORT, help="default: %(default)s"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the link")
    add_store(parser)


def run(options: Namespace) -> int:
    import webbrowser

    from digit_exp.cli.commands.views.ui import has_screen
    from digit_exp.draw.server import HOST, MOST_RUNS, DrawnRun, listen, server
    from digit_exp.runs.saved.found_run import RunError
    from digit_exp.runs.saved.lookup import BEST, Runs
    from digit_exp.tracking.mlflow.ui_server import free_port

    if len(options.runs) > MOST_RUNS:
        raise RunError(f"the page shows at most {MOST_RUNS} runs, got {len(options.runs)}")
    found = Runs.of_folder(uri=options.uri).without_store()
    runs = [DrawnRun.of(found.find(text)) for text in options.runs or [BEST]]
    try:
        with listen(free_port(options.port)) as listening:
            port = listening.getsockname()[1]
            address = f"http://{HOST}:{port}"
            loaded = server(runs, port)  # a Ctrl-C while kernels are compiled may be lost
            print(f"{address}\n(Ctrl-C stops it)", flush=True)
            if not options.no_browser and has_screen():
                webbrowser.open(address)
            loaded.run(sockets=[listening])
    except KeyboardInterrupt:
        print("\nstopped")
    return 0
