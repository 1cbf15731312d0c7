"""What `kubectl apply -k` would send: built by kubectl itself, which needs no cluster for this."""

from __future__ import annotations

import subprocess
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
KUSTOMIZE = CHECKOUT / "deploy" / "kustomize"
OVERLAYS = ("overlays/single", "overlays/ha")
BUILDS = (*OVERLAYS, "serving-access", "monitoring")

Document = dict[str, Any]


def tool(name: str) -> Path:
    """A program that came with a package of the group `dev`."""
    return Path(sysconfig.get_path("scripts")) / name


@cache
def documents(build: str) -> tuple[Document, ...]:
    command = [tool("kubectl"), "kustomize", KUSTOMIZE / build]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # warnings of what is deprecated
    return tuple(yaml.safe_load_all(done.stdout))


def the(build: str, kind: str) -> Document:
    """The only one of its kind."""
    found = [document for document in documents(build) if document["kind"] == kind]
    assert len(found) == 1, f"{build} has {len(found)} of the kind {kind}"
    return found[0]


def pod_spec(build: str) -> Document:
    spec: Document = the(build, "Deployment")["spec"]["template"]["spec"]
    return spec


def container(build: str) -> Document:
    (only,) = pod_spec(build)["containers"]
    return dict(only)
