"""`--explain KEY`: what `config/value_sources.py` finds, as a table or as JSON."""

from dataclasses import asdict

from digit_exp.cli.output import columns, print_json
from digit_exp.config.value_sources import Explanation

WINS = "wins"


def show_explanation(found: Explanation, as_json: bool) -> None:
    """Print the chain of those that set a key, the last of which wins."""
    if as_json:
        print_json(asdict(found))
        return
    print(f"{found.key} = {', '.join(found.values)}\n")
    last = len(found.sources) - 1
    rows = [
        [source.where, source.value, WINS if number == last or source.kind == "rows" else ""]
        for number, source in enumerate(found.sources)
    ]
    print(columns(["set by", "to", ""], rows), end="")
