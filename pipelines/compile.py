"""`python -m pipelines.compile` writes the compiled pipelines that are shipped with the package."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pipelines


def compiled(name: str) -> str:
    """The package's text. The exact kfp version is left out, so that a patch release of kfp alone changes no hash."""
    from kfp import compiler

    from pipelines.deploy import deploy_pipeline
    from pipelines.evaluate import evaluate_pipeline
    from pipelines.train import train_pipeline

    pipeline = {"train": train_pipeline, "evaluate": evaluate_pipeline, "deploy": deploy_pipeline}[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        return re.sub(r"(?m)^sdkVersion: kfp-(\d+\.\d+)\.\S+$", r"sdkVersion: kfp-\1.0", path.read_text())


def main() -> None:
    for name in pipelines.NAMES:
        path = pipelines.package_path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(compiled(name))


if __name__ == "__main__":
    main()
