"""Runs one compiled pipeline with kfp.local, as the local engine does: a process of its own for each run.

Usage: python run_with_kfp.py FOLDER PIPELINE ARGUMENTS_JSON; ends with 3 when the pipeline failed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kfp import components, local

import pipelines
from pipelines.arguments import pack


def main(folder: Path, name: str, arguments: dict[str, object]) -> int:
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(folder / "kfp" / "root"),
        workspace_root=str(folder / "kfp" / "workspace"),
        raise_on_error=True,
    )
    pipeline = components.load_component_from_file(str(pipelines.package_path(name)))
    try:
        pipeline(**pack(arguments))
    except RuntimeError:
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])))
