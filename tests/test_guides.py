"""Pages of the site: what they show can be done, and no class of the mathematics is missing."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from digit_exp.cli.parser import COMMANDS
from digit_exp.config.plan import check
from digit_exp.nn.activations import ACTIVATIONS
from digit_exp.nn.layers import Layer
from digit_exp.optim.optimizers import OPTIMIZERS
from digit_exp.optim.regularizers import REGULARIZERS
from digit_exp.optim.schedules import SCHEDULES

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in DOCS.rglob("*.md")}
BLOCK = re.compile(r"(?:<!-- (.+?) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
RUNNABLE = [name for name, text in PAGES.items() if "<!-- run -->" in text]


def blocks(text):
    """Yield the mark, the language and the content of each block of code."""
    return (found.groups() for found in BLOCK.finditer(text))


def command_lines():
    """Yield the words of each command of the package in a block of shell."""
    for page, text in sorted(PAGES.items()):
        shell = "".join(content for _, language, content in blocks(text) if language == "bash")
        for line in shell.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:3] == ["python", "-m", "digit_exp"] or words[:1] == ["digit-exp"]:
                yield pytest.param(words[3 if words[0] == "python" else 1 :], id=f"{page}: {line}")


@pytest.mark.parametrize("words", list(command_lines()))
def test_a_command_of_the_site_is_one(words):
    if not words or words[0] in COMMANDS or any("$" in word for word in words):
        return  # the commands have tests of their own; a variable is the reader's
    flags = [word for word in words if word.startswith("-")]
    overrides = [word for word in words if not word.startswith("-") and "=" in word]
    if "--config-dir" not in flags:
        assert check(overrides, multirun="-m" in flags) == []


@pytest.mark.parametrize("page", RUNNABLE)
@pytest.mark.slow  # half a minute each: whole commands
def test_what_a_guide_shows_can_be_done(page, tmp_path):
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
    mathematics = set((DOCS / "pictures" / "mathematics").iterdir())
    assert {path.resolve() for path in mathematics} <= shown
