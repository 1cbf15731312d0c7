"""The standard Kubeflow pipelines. They run without the bot: nothing here imports it."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

NAMES = ("train", "evaluate", "deploy")


def package_path(name: str) -> Path:
    """The compiled pipeline, as Kubeflow and `kfp.local` take it."""
    if name not in NAMES:
        raise ValueError(f"there is no pipeline named {name!r}; there are {', '.join(NAMES)}")
    return Path(__file__).parent / "compiled" / f"{name}.yaml"


@cache
def version(name: str) -> str:
    """A hash of the compiled pipeline: part of every run key, so that a changed pipeline runs anew."""
    return sha256(package_path(name).read_bytes()).hexdigest()[:12]
