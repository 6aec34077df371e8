"""What the container's files name is there, and what its workers are told is a command line."""

import json
import re
from pathlib import Path

import pytest
import yaml

from composing import check

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
WORKERS = [name for name in SERVICES if name.startswith("worker")]


def test_what_is_copied_is_there_and_not_ignored():
    copied = {
        word for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.M) for word in line.split()
    }
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.M)
    assert copied == set(kept)
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_image_does_not_run_as_root():
    assert re.findall(r"^(?:USER|ENTRYPOINT).*", DOCKERFILE, re.M)[0].startswith("USER ")


@pytest.mark.parametrize("name", WORKERS)
def test_workers_share_a_sweep(name):
    words = SERVICES[name]["command"]
    assert "-m" in words
    assert any(word.startswith("sweep.name=") for word in words)
    assert check([word for word in words if word != "-m"], multirun=True) == []
    assert len(WORKERS) == 2


def test_ports_are_open_to_this_machine_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_development_container_installs_as_contributing_says():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    command = container["postCreateCommand"].replace(",docs]", "]")
    assert command in (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert f" AS {container['build']['target']}\n" in DOCKERFILE
