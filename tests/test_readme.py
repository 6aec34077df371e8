"""What the README shows is what there is."""

import re
import runpy
from pathlib import Path

import pytest

from composing import check
from digit_exp.cli.parser import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TINY = ["data=synthetic", "data.samples=300", "data.test_samples=50", "trainer.epochs=2"]
EXAMPLE = ROOT / "examples" / "train.py"


def tour():
    """Return the arguments of every stop of the tour."""
    block = README.partition("<!-- tour -->")[2].partition("```bash\n")[2].partition("```")[0]
    return [
        re.sub(r"python -m digit_exp|digit-exp", "", line).split() for line in block.splitlines()
    ]


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(block, {})
    assert str(Path("outputs")) in capsys.readouterr().out


def test_a_wrong_command_line_is_answered_as_the_readme_shows():
    sample = README.partition("$ python -m digit_exp optimizer=adamm")[2]
    words = ["optimizer=adamm", *sample.partition("\n")[0].split()]
    answer = sample.partition("\n")[2].partition("```")[0]
    problems = [f"  {problem.path}: {problem.message}" for problem in check(words)]
    assert "\n".join([f"the configuration has {len(problems)} errors", *problems, ""]) == answer


def test_the_example_trains_saves_and_loads(tmp_path, capsys):
    accuracy = runpy.run_path(str(EXAMPLE))["main"](tmp_path, epochs=1)
    assert accuracy > 0.9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best_model.npz", "final_model.npz"]
    assert "109,386" in capsys.readouterr().out


@pytest.mark.slow  # a minute: it trains, sweeps, compares and reproduces
def test_the_tour_can_be_followed_from_top_to_bottom(tmp_path, fresh_command):
    # the command of the start, but tiny, and with no chance to be the best
    fresh_command.run(tmp_path, *TINY, "run_name=defaults", "optimizer.lr=0.000001")
    for words in tour():
        if words[0] not in COMMANDS:
            large = ("data.train_size", "trainer.epochs")
            small = [word.replace("seed=1,2,3", "seed=1,2") for word in words]
            fresh_command.run(tmp_path, *[w for w in small if not w.startswith(large)], *TINY)
        elif words[0] == "ui":
            code, printed = fresh_command.interrupt(
                tmp_path, *words, "--no-browser", after="(Ctrl-C"
            )
            assert code == 0
            assert "http://127.0.0.1:5" in printed
        else:
            fresh_command.run(tmp_path, *words)
    assert {words[0] for words in tour()} >= {"ui", "compare"}


def test_every_link_into_the_repository_leads_to_a_file():
    links = re.findall(r"\]\((?!http|#)([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
    headings = re.findall(r"^#+ (.+)", README, re.M)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors
