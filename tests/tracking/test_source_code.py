"""The digest of the package's files: what changes it, what does not, and when there is none."""

import pytest

from digit_exp.tracking.provenance import source_digest


@pytest.fixture
def package(tmp_path):
    """A checkout whose package has two modules."""
    package = tmp_path / "src" / "package"
    (package / "nn").mkdir(parents=True)
    (package / "one.py").write_text("x = 1\n")
    (package / "nn" / "two.py").write_text("y = 2\n")
    (tmp_path / "README.md").write_text("read me")
    return package


def digest(package):
    return source_digest.__wrapped__(package)


@pytest.mark.parametrize("name", ["one.py", "nn/two.py", "new.py", "nn/template.j2"])
def test_a_module_that_is_changed_or_new_changes_it(package, name):
    before = digest(package)
    (package / name).write_text("x = 3\n")
    assert digest(package) != before


def test_a_module_that_is_moved_or_removed_changes_it(package):
    before = digest(package)
    (package / "nn" / "two.py").rename(package / "two.py")
    moved = digest(package)
    (package / "two.py").unlink()
    assert len({before, moved, digest(package)}) == 3


def test_what_lies_outside_or_is_no_module_does_not_change_it(package, tmp_path):
    before = digest(package)
    (tmp_path / "README.md").write_text("changed")
    for name in ("__pycache__/one.pyc", "conf/config.yaml", "data/mnist/images.gz", ".one.py.swp"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("something")
    (package / ".#one.py").symlink_to("somebody@machine")  # the lock of an editor
    assert digest(package) == before


def test_a_package_without_files_has_none(tmp_path):
    assert digest(tmp_path / "package.zip" / "package") is None
