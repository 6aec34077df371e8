"""The notebook in examples/ is executed, and its cells still run."""

import json
import re
from pathlib import Path

NOTEBOOK = Path(__file__).parents[1] / "examples" / "notebook.ipynb"


def cells():
    return [c for c in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]


def test_it_was_executed_in_order_without_an_error():
    assert [cell["execution_count"] for cell in cells()] == list(range(1, len(cells()) + 1))
    outputs = [output for cell in cells() for output in cell["outputs"]]
    assert "error" not in {output["output_type"] for output in outputs}
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2


def test_it_imports_nothing_but_the_public_package():
    source = "\n".join(line for cell in cells() for line in cell["source"])
    imported = set(re.findall(r"^(?:from|import) (\S+)", source, re.M))
    standard = {"importlib.util", "pathlib", "subprocess", "sys"}  # of the cell that installs it
    assert imported <= {"digit_exp", "IPython.display", *standard}


def test_its_cells_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for cell in cells():
        small = "".join(cell["source"]).replace("5000", "500")
        exec(compile(small, NOTEBOOK.name, "exec"), names)
    assert "Did you mean 'trainer.epochs'?" in capsys.readouterr().out
    assert len(names["sweep"].jobs) == 4
    assert names["network"].inputs == 784
