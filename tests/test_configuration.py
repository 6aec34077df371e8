"""The reference of the configuration is that of the classes and files that there are."""

from pathlib import Path

from digit_exp.config.parse import GROUPS, leaf_types
from digit_exp.config.reference_page import comments, reference
from digit_exp.config.schema import FAMILIES

ROOT = Path(__file__).parents[1]
WRITTEN = ROOT / "docs" / "configuration.md"


def test_the_page_in_docs_is_the_one_that_is_generated():
    assert WRITTEN.read_text(encoding="utf-8") == reference(), (
        "write it anew: python -m digit_exp.config.reference_page > docs/configuration.md"
    )


def test_every_choice_has_a_heading_and_every_key_a_row():
    page = reference()
    for group, cls in GROUPS.items():
        names = FAMILIES[group].names() if group in FAMILIES else []
        for name in names:
            assert f"### {group}={name}\n" in page
        for kind in [FAMILIES[group][name] for name in names] or [cls]:
            for key in leaf_types(kind):
                assert f"\n| `{group}.{key}` | " in page


def test_the_comment_beside_a_key_is_found_wherever_it_stands(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("# first\na: 1  # one\nb:\n  c: 2    # two,\n          # and more\nd: 3\n")
    assert comments(file) == {"a": "one", "b.c": "two, and more"}
