"""Workflows run what `.ci/run` runs, pinned and with few permissions."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ONLY_THERE = {"uv publish --trusted-publishing always"}
"""What only a release can do."""

BY_HAND = {"container"}
"""Scripts that take too long, or need debootstrap."""

ALLOWED = {"contents": "read", "id-token": "write", "pages": "write"}


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request):
    return yaml.safe_load(request.param.read_text("utf-8"))


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_every_command_is_one_that_the_local_script_runs(workflow):
    tried = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    commands = {line for step in steps(workflow) for line in step.get("run", "").splitlines()}
    assert commands - ONLY_THERE <= set(tried)


def test_every_script_is_there_and_run_by_the_local_script():
    tried = (ROOT / ".ci" / "run").read_text("utf-8")
    scripts = (
        {path.name for path in (ROOT / ".ci").iterdir() if not path.suffix} - {"run"} - BY_HAND
    )
    assert set(re.findall(r"^bash \.ci/(\w+)$", tried, re.M)) == scripts - BY_HAND - {"run"}


def test_actions_are_pinned_by_commit_with_their_version():
    for path in WORKFLOWS:
        uses = re.findall(r"uses: (.+)", path.read_text("utf-8"))
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", each) for each in uses)


def test_permissions_are_the_least(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job.get("permissions", {}).items() <= ALLOWED.items()


def test_a_checkout_keeps_no_credentials(workflow):
    checkouts = [step for step in steps(workflow) if "checkout" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
