"""What a training job on SageMaker starts from: one archive with the code, a launcher, and how to run the command.

SageMaker's toolkit would start a Python file and give it the hyperparameters as options. The launcher is that file: it
runs the model's own command, in its own folder, with the variables that the command has everywhere else.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.steps.code import model_folder, unpack_code
from pipelines.steps.command import argument_list

ARCHIVE = "sourcedir.tar.gz"
LAUNCHER = "mlops_bot_launcher.py"
CODE = "code"  # the checkout, beside the launcher

_LAUNCHER = '''\
"""Written by mlops-bot: runs the model's own command with the variables that it has everywhere else."""
import json
import os
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
order = json.loads((here / "mlops_bot_order.json").read_text())
code = here / "code"
data = pathlib.Path(os.environ.get("SM_CHANNEL_TRAINING") or here / "no-data")
model, output = pathlib.Path(os.environ["SM_MODEL_DIR"]), pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"])
for folder in (data, model, output / "plots"):
    folder.mkdir(parents=True, exist_ok=True)
if order["data_own_path"]:
    place = code / order["data_own_path"]
    if not place.exists():
        files = [file for file in data.iterdir()]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(files[0] if [file.name for file in files] == [place.name] else data)
variables = {
    **os.environ,
    "PYTHONUNBUFFERED": "1",
    "MLOPS_DATA_DIR": str(data),
    "MLOPS_MODEL_DIR": str(model),
    "MLOPS_OUTPUT_DIR": str(output),
    "MLOPS_PARAMS": str(here / "mlops_bot_params.json"),
    **order["variables"],
}
print("$ " + order["run"], flush=True)
ended = subprocess.run(order["words"], cwd=code / order["folder"], env=variables)
sys.exit(ended.returncode if ended.returncode >= 0 else 128 - ended.returncode)
'''


def pack_source(
    archive: Path,
    *,
    code_file: Path,
    checkout: Path,
    model_path: str,
    run: str,
    params: Mapping[str, Any],
    split: Mapping[str, Any],
    requirements: str,
    data_own_path: str,
) -> Path:
    """Gives the model's folder in the checkout. Without `.git`, which a job has no use for. Raises StepFailed."""
    unpack_code(code_file, checkout)
    folder = model_folder(checkout, model_path)
    below = folder.relative_to(checkout.resolve()).as_posix()
    names = {"test": "MLOPS_SPLIT_TEST", "seed": "MLOPS_SPLIT_SEED"}
    order = {
        "run": run,
        "words": argument_list(run),
        "folder": below,
        "data_own_path": data_own_path,
        "variables": {name: str(split[key]) for key, name in names.items() if split.get(key) is not None},
    }
    own = archive.parent / "source"
    own.mkdir()
    (own / LAUNCHER).write_text(_LAUNCHER, encoding="utf-8")
    (own / "mlops_bot_order.json").write_text(json.dumps(order), encoding="utf-8")
    (own / "mlops_bot_params.json").write_text(json.dumps(params), encoding="utf-8")
    if requirements:  # pip reads a path from the file that has it
        path = os.path.normpath(Path(CODE, below, requirements))
        (own / "requirements.txt").write_text(f"-r {path}\n", encoding="utf-8")
    with tarfile.open(archive, "w:gz") as packed:
        for file in sorted(own.iterdir()):
            packed.add(file, arcname=file.name)
        packed.add(checkout, arcname=CODE, filter=_without_git)
    return folder


def _without_git(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if member.name == f"{CODE}/.git" else member
