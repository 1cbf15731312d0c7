"""What other ways to run the same two scripts take, above the bare scripts: to know what is much and what little."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from tests.bench.demo_model import Bare, bare_scripts, make_repository, package_cache, params_with
from tests.bench.table import Row, overhead

STAGES = """\
stages:
  train:
    cmd: {python} train.py
    deps: [train.py, {params}]
  evaluate:
    cmd: {python} evaluate.py
    deps: [evaluate.py, train.py, {params}]
"""
IN_A_FRESH_CHILD = """\
import subprocess, sys
from kfp import dsl, local

@dsl.component(base_image="python:3.11", install_kfp_package=False)
def step(script: str, python: str, folder: str) -> str:
    import subprocess
    subprocess.run([python, script], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return "done"

@dsl.pipeline(name="two-steps")
def two_steps(python: str, folder: str):
    trained = step(script="train.py", python=python, folder=folder)
    step(script="evaluate.py", python=python, folder=folder).after(trained)

local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[3])
two_steps(python=sys.argv[1], folder=sys.argv[2])
"""


def measure(*, quick: bool) -> list[Row]:
    rounds = 3 if quick else 5
    with tempfile.TemporaryDirectory(prefix="mlops-bot-bench-") as folder:
        root = Path(folder)
        repository = make_repository(root / "home")
        python = _environment(root / "environment", repository.worktree)
        bare = bare_scripts(repository, python, root)
        bare.run(params_with(40))  # compiles byte code
        dvc, kfp, bares = [], [], []
        for trees in range(40, 40 + rounds):
            bares.append(bare.run(params_with(trees)))
            dvc.append(_dvc_repro(bare, root / f"dvc-{trees}", trees))
            kfp.append(_kfp_local(bare, root / f"kfp-{trees}", trees))
    return [
        overhead("for comparison: dvc repro of the same steps, above bare", dvc, bares),
        overhead("for comparison: kfp.local in a fresh child, above bare", kfp, bares),
    ]


def _environment(folder: Path, worktree: Path) -> Path:
    import uv

    program, python = uv.find_uv_bin(), folder / "bin" / "python"
    requirements = worktree / "models" / "breast-cancer" / "requirements.txt"
    for command in (
        [program, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [program, "pip", "install", "--quiet", "--python", str(python), "-r", str(requirements)],
    ):
        subprocess.run(command, check=True, env={**os.environ, **package_cache()})
    return python


def _dvc_repro(bare: Bare, folder: Path, trees: int) -> float:
    folder.mkdir()
    environ = bare.environ(folder, params_with(trees)) | {"DVC_NO_ANALYTICS": "1", "HOME": str(folder)}
    for script in bare.folder.glob("*.py"):
        (folder / script.name).write_bytes(script.read_bytes())
    (folder / "dvc.yaml").write_text(STAGES.format(python=bare.python, params="params.json"))
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--quiet", "--no-scm"], cwd=folder, env=environ, check=True)
    return _seconds([*dvc, "repro", "--quiet"], folder, environ)


def _kfp_local(bare: Bare, folder: Path, trees: int) -> float:
    folder.mkdir()
    (folder / "two_steps.py").write_text(IN_A_FRESH_CHILD)
    environ = bare.environ(folder, params_with(trees)) | {"HOME": str(folder)}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    command = [sys.executable, "two_steps.py", str(bare.python), str(bare.folder), str(folder / "root")]
    return _seconds(command, folder, environ)


def _seconds(command: list[str], folder: Path, environ: dict[str, str]) -> float:
    began = perf_counter()
    subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
    return perf_counter() - began
