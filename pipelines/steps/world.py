"""A step's world: exactly the variables of the design, section 4, and nothing else of ours."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.steps.workplace import kept

# What the machine needs to be known: proxies, certificates, graphics cards, language.
_KEPT = (
    "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "LD_LIBRARY_PATH",
)  # fmt: skip
_NOT_IN_A_NAME = re.compile(r"[^A-Z0-9_]")


@dataclass(frozen=True, slots=True)
class Folders:
    """`scratch` is the step's own folder: its home and temporary files are there."""

    data: Path
    model: Path
    output: Path
    scratch: Path


def world(
    *,
    folders: Folders,
    params: Mapping[str, Any],
    split: Mapping[str, Any],
    declared: Mapping[str, str],
    secrets: Mapping[str, str],
    venv: Path | None,
) -> dict[str, str]:
    params_file = folders.scratch / "params.json"
    params_file.write_text(json.dumps(params))
    return {
        "LANG": "C.UTF-8",
        **kept(os.environ, _KEPT),
        **_home(folders.scratch),
        "PYTHONUNBUFFERED": "1",  # or nothing is seen of a run until it ends
        **declared,
        **secrets,
        "PATH": _path(venv, declared),
        **({"VIRTUAL_ENV": str(venv)} if venv else {}),
        "MLOPS_DATA_DIR": str(folders.data),
        "MLOPS_PARAMS": str(params_file),
        "MLOPS_MODEL_DIR": str(folders.model),
        "MLOPS_OUTPUT_DIR": str(folders.output),
        **({"MLOPS_SPLIT_TEST": str(split["test"])} if split.get("test") is not None else {}),
        **({"MLOPS_SPLIT_SEED": str(split["seed"])} if split.get("seed") is not None else {}),
        **_sagemaker(folders, params),
    }


def _home(scratch: Path) -> dict[str, str]:
    """A home of its own, so that no run sees what another left. DVC is told there not to phone home."""
    home, temporary = scratch / "home", scratch / "tmp"
    dvc_config = home / ".config" / "dvc" / "config"
    dvc_config.parent.mkdir(parents=True, exist_ok=True)
    dvc_config.write_text("[core]\n    analytics = false\n    check_update = false\n")
    temporary.mkdir(exist_ok=True)
    return {"HOME": str(home), "TMPDIR": str(temporary)}


def _path(venv: Path | None, declared: Mapping[str, str]) -> str:
    """The model's own commands first; ours last, for `dvc`."""
    places = [str(venv / "bin")] if venv else []
    places.append(declared.get("PATH") or os.environ.get("PATH") or os.defpath)
    places.append(str(Path(sys.executable).parent))
    return os.pathsep.join(places)


def _sagemaker(folders: Folders, params: Mapping[str, Any]) -> dict[str, str]:
    """SageMaker's names, so that script-mode code runs unchanged.

    Source: sagemaker-training-toolkit, ENVIRONMENT_VARIABLES.md.
    """
    return {
        "SM_CHANNEL_TRAINING": str(folders.data),
        "SM_MODEL_DIR": str(folders.model),
        "SM_OUTPUT_DATA_DIR": str(folders.output),
        "SM_HPS": json.dumps(params),
        **{
            "SM_HP_" + _NOT_IN_A_NAME.sub("_", name.upper()): value if isinstance(value, str) else json.dumps(value)
            for name, value in params.items()
        },
    }
