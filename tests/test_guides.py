"""Pages of the site: what they show can be done, and no class of the mathematics is missing."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from composing import check
from digit_exp.cli.help import help_text
from digit_exp.cli.parser import COMMANDS, command_parser
from digit_exp.nn.activations import ACTIVATIONS
from digit_exp.nn.layers import Layer
from digit_exp.optim.optimizers import OPTIMIZERS
from digit_exp.optim.regularizers import REGULARIZERS
from digit_exp.optim.schedules import SCHEDULES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in DOCS.rglob("*.md")}
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"(?:<!-- (.+?) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
SHOWN = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *sorted(path for folder in ("docs", "examples") for path in (ROOT / folder).rglob("*.md")),
    *sorted((ROOT / "conf").rglob("*.yaml")),
    *sorted((ROOT / "examples").rglob("*.py")),
]
PROGRAM = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:python -m digit_exp|(?:uvx --from \. |uv run )?digit-exp)(?= |$)"
)
RUNNABLE = [name for name, text in PAGES.items() if "<!-- run -->" in text]


def blocks(text):
    """Yield the mark, the language and the content of each block of code."""
    return (found.groups() for found in BLOCK.finditer(text))


def command_lines():
    """Yield the words of each command of the package, in a block, in a sentence or in a comment."""
    known = {}
    shown = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in SHOWN}
    helps = {name: command.__doc__ for name, command in COMMANDS.items()} | {"all": help_text()}
    for name, text in helps.items():  # an explanation stands behind two spaces
        shown[f"help of {name}"] = re.sub(r"(?m)(?<=\S)  +.*", "", text)
    for place, text in shown.items():
        text = text.replace("\\\n", " ")
        lines = [line.strip(" #$") for line in text.splitlines()]
        for line in [*lines, *re.findall(r"`([^`\n]+)`", text)]:
            if found := PROGRAM.match(line):
                words = tuple(shlex.split(line[found.end() :], comments=True))
                known.setdefault(words, f"{place}: {line}")
    return [pytest.param(list(words), id=name) for words, name in known.items()]


@pytest.mark.parametrize("words", command_lines())
def test_a_command_that_is_shown_is_one(words, capsys):
    if any(part in word for word in words for part in ("$", "...", "…", "<", "adamm")):
        return  # what the reader puts there; `adamm` is a mistake on purpose
    if words and words[0] in COMMANDS:
        options = Namespace()
        with suppress(SystemExit):
            options = command_parser().parse_args(words)
        usage = capsys.readouterr().err
        assert not usage or (len(words) == 1 and "are required" in usage)
        if words[0] == "try" and len(words) > 1:
            assert check([*options.both, *options.words]) == []
        return
    overrides = [word for word in words if "=" in word and not word.startswith("-")]
    if "--config-dir" not in words and "seed=N" not in words:  # own presets, a placeholder
        assert check(overrides, multirun="-m" in words) == []


@pytest.mark.parametrize("page", RUNNABLE)
@pytest.mark.slow  # half a minute each: whole commands
def test_what_a_guide_shows_can_be_done(page, tmp_path):
    shutil.copytree(DOCS.parent / "examples", tmp_path / "examples")
    for mark, language, content in blocks(PAGES[page]):
        if mark and mark.startswith("file: "):
            file = tmp_path / mark.removeprefix("file: ")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        elif mark == "run" and language == "bash":
            script = content.replace("python ", f"{sys.executable} ")
            environment = {**os.environ, "MLFLOW_TRACKING_URI": ""}
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr


def test_the_python_of_its_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = [content for _, language, content in blocks(PAGES["python.md"]) if language]
    tiny = ["data=synthetic", "data.samples=100", "trainer.epochs=1", "tracking=none"]
    block = block.replace('"optimizer=sgd"', f'"optimizer=sgd", *{tiny}')
    names = {"images": np.zeros((2, 28, 28), np.float32)}
    exec(block, names)
    assert len(names["sweep"].jobs) == 6
    assert "#2" in capsys.readouterr().out


def classes():
    """Return every class that the mathematics must explain, by where it is defined."""
    named = [
        registry[name]
        for registry in (ACTIVATIONS, OPTIMIZERS, REGULARIZERS, SCHEDULES)
        for name in registry.names()
    ]
    kinds = [kind for kind in Layer.kinds.values() if kind.__module__.startswith("digit_exp.")]
    return sorted({f"{cls.__module__}.{cls.__qualname__}" for cls in [*named, *kinds]})


@pytest.mark.parametrize("path", classes())
def test_every_class_of_the_mathematics_is_explained_beside_its_source(path):
    text = "\n".join(text for page, text in PAGES.items() if page.startswith("mathematics/"))
    section = re.search(rf"^## \w+\n+(.*?)^::: {re.escape(path)}$", text, re.M | re.S)
    assert section, f"docs/mathematics/ lacks {path}"


def test_every_picture_of_a_page_is_there_and_every_picture_is_on_a_page():
    shown = {
        (DOCS / page).parent.joinpath(link).resolve()
        for page, text in PAGES.items()
        for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    }
    assert shown
    assert {path for path in shown if not path.is_file()} == set()
    drawn = {path.resolve() for path in (DOCS / "pictures").rglob("*.png")}
    assert drawn <= shown | {path.resolve() for path in readme_pictures()}


def readme_pictures():
    return [ROOT / link for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)]


def test_every_picture_is_made_by_a_script():
    scripts = [*(DOCS / "make").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    text = "\n".join(script.read_text("utf-8") for script in scripts)
    drawn = [path for path in (DOCS / "pictures").rglob("*.png")]
    made = [path for path in drawn if path.name in text or f"def {path.stem}()" in text]
    assert drawn
    assert made == drawn
