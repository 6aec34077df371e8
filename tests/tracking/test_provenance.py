import subprocess

import pytest

from digit_exp.tracking.provenance import LONGEST_DIFF, git_diff, git_tags, provenance

IDENTITY = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one committed file, `code.py`, in `source/`."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    source = tmp_path / "source"
    source.mkdir()
    (source / "code.py").write_text("x = 1\n")
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", "-C", tmp_path, *IDENTITY, *arguments], check=True)
    return tmp_path


def test_a_clean_repository_gives_its_commit_and_no_diff(repository):
    done = subprocess.run(
        ["git", "-C", repository, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    assert git_tags(repository / "source") == {
        "mlflow.source.git.commit": done.stdout.strip(),
        "mlflow.source.git.branch": "main",
        "git.dirty": "false",
    }
    assert git_diff(repository / "source") is None


def test_a_change_makes_the_repository_dirty_and_is_in_the_diff(repository):
    (repository / "source/code.py").write_text("x = 2\n")
    assert git_tags(repository / "source")["git.dirty"] == "true"
    assert git_diff(repository / "source").endswith("-x = 1\n+x = 2\n")


def test_a_new_file_makes_the_repository_dirty_even_if_git_is_set_to_hide_it(repository):
    hide = ["config", "status.showUntrackedFiles", "no"]
    subprocess.run(["git", "-C", repository, *hide], check=True)
    (repository / "source/new.py").touch()
    assert git_tags(repository / "source")["git.dirty"] == "true"


def test_git_is_asked_a_few_times_however_many_runs_a_process_makes(repository, monkeypatch):
    (repository / "source/code.py").write_text("x = 2\n")
    asked, run = [], subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda words, **options: asked.append(words) or run(words, **options)
    )
    for _ in range(3):
        provenance(1, repository / "source")
        assert git_diff(repository / "source") is not None
    assert len(asked) == 3


def test_a_huge_diff_is_cut(repository):
    (repository / "source/code.py").write_text("y" * (LONGEST_DIFF + 10))
    diff = git_diff(repository / "source")
    assert len(diff) < LONGEST_DIFF + 100
    assert diff.endswith("characters left out\n")


def test_the_repository_that_git_works_on_elsewhere_is_not_taken(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another"))
    assert git_tags(repository / "source")["git.dirty"] == "false"


def test_a_package_installed_below_a_repository_is_not_part_of_it(repository):
    installed = repository / ".venv/digit_exp"
    installed.mkdir(parents=True)
    (installed / "code.py").touch()
    assert git_tags(installed) == {}
    assert git_diff(installed) is None


def test_outside_of_a_repository_the_rest_is_still_known(tmp_path):
    tags = provenance(7, tmp_path)
    assert tags["seed"] == "7"
    assert tags["version.numpy"][0].isdigit()
    assert "threads: " in tags["machine.blas"]
    assert not [name for name in tags if name.startswith(("git.", "mlflow.source.git."))]


def test_without_git_nothing_fails(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_tags(repository / "source") == {}
    assert git_diff(repository / "source") is None


def test_what_usually_holds_secrets_is_not_in_the_diff(repository):
    secret = "correct-horse-battery-staple"
    for name in (".env", "source/.env.local", "deep.env", "source/server.key"):
        (repository / name).write_text("old\n")
    subprocess.run(["git", "-C", repository, "add", "-f", "."], check=True)
    subprocess.run(["git", "-C", repository, *IDENTITY, "commit", "-qm", "two"], check=True)
    for name in (".env", "source/.env.local", "deep.env", "source/server.key"):
        (repository / name).write_text(f"TOKEN={secret}\n")
    (repository / "untracked").write_text(secret)
    (repository / "source" / "code.py").write_text("x = 2\n")
    diff = git_diff(repository / "source")
    assert "x = 2" in diff
    assert secret not in diff


def test_the_environment_is_in_no_tag(repository, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "correct-horse-battery-staple")
    assert "correct-horse" not in str(provenance(1, repository / "source"))
