"""The step `train`: runs `train.run`, here or on SageMaker, keeps the model it leaves, and its plots."""

from __future__ import annotations

from pathlib import Path

from pipelines.arguments import unpack
from pipelines.steps.journal import step
from pipelines.steps.model import keep_model
from pipelines.steps.sagemaker import train_on_sagemaker
from pipelines.steps.user_step import Shown, keep_outputs, model_world, run_user_step


def train_step(
    *,
    run_prefix: str,
    model_path: str,
    params: object,
    split: object,
    environment: object,
    env: object,
    secrets: object,
    train: object,
    evaluate: object,
    code_file: str,
    data_folder: str,
    data_own_path: str,
    model_folder: str,
) -> Shown:
    """Where nothing is declared for `evaluate`, the metrics that training wrote count."""
    shown = Shown()
    with step("train", run_prefix) as running:
        of = model_world(
            model_path=model_path,
            params=params,
            split=split,
            environment=environment,
            env=env,
            secrets=secrets,
            code_file=code_file,
            data_folder=data_folder,
            data_own_path=data_own_path,
        )
        command = unpack(train)
        carry_out = train_on_sagemaker if command.get("sagemaker") else run_user_step
        output = carry_out(running, command, of, model=Path(model_folder))
        running.outputs |= keep_model(Path(model_folder), running.prefix.put_file)
        shown.model = {"digest": running.outputs["model_digest"], "size_bytes": running.outputs["model_size_bytes"]}
        missing = None if unpack(evaluate) else "Training ended well, but wrote no metrics.json."
        keep_outputs(running, output, shown, missing=missing)
    return shown
