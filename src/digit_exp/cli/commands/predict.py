"""Read the digits in pictures with a run's network.

Reads the handwritten digits of each picture: a photo, a scan or a drawing, dark on light or light
on dark, of any size. Each digit is brought to the form of MNIST and given to the network of a run.
"unsure" marks a reading of low confidence.

Examples:
  digit-exp predict latest photo.jpg
  digit-exp predict best scans/ --show seen.png      what the network saw, as a picture
  digit-exp predict best - --json < digit.png        from standard input, as JSON

Exit code 0 if a digit was found in every picture, 1 if not in all, 2 if the command is wrong.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from digit_exp.cli.arguments import add_run, add_store


def configure(parser: ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="a picture, a folder of pictures, or - for stdin"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a picture and line")
    parser.add_argument(
        "--show", metavar="FILE.png", type=Path, help="draw the pictures and what the network saw"
    )
    add_store(parser)


def run(options: Namespace) -> int:
    from digit_exp.runs.saved.lookup import Runs
    from digit_exp.runs.saved.predict import Predictor, prediction_lines, read_files

    run = Runs.of_folder(uri=options.uri).without_store().find(options.run)
    predictor = Predictor.of(run)
    print(f"data set: {run.data}", file=sys.stderr if options.json else sys.stdout)
    predictions = [predictor.predict(name, data) for name, data in read_files(options.images)]
    if options.json:
        print(*(json.dumps(each.plain()) for each in predictions), sep="\n")
    else:
        calibrated = predictor.temperature is not None
        print(f"run {run.label}, confidence {'calibrated' if calibrated else 'not calibrated'}")
        print(*prediction_lines(predictions), sep="\n")
    if options.show:
        from digit_exp.plots.data import seen
        from digit_exp.plots.parts.canvas import draw

        drawn = [
            (
                r.name,
                r.levels,
                r.seen,
                r.problem or f"{r.text}, {r.confidence:.1%}{'' if r.is_sure else ', unsure'}",
            )
            for r in predictions
        ]
        print(f"drawn in {draw(lambda: seen(drawn), options.show)}", file=sys.stderr)
    return 0 if all(each.is_read for each in predictions) else 1
