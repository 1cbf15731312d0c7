"""The step `evaluate`: runs `evaluate.run` on the trained model, and reads its metrics."""

from __future__ import annotations

from pathlib import Path

from pipelines.arguments import unpack
from pipelines.steps.journal import step
from pipelines.steps.user_step import Shown, keep_outputs, model_world, run_user_step


def evaluate_step(
    *,
    run_prefix: str,
    model_path: str,
    params: object,
    split: object,
    environment: object,
    env: object,
    secrets: object,
    evaluate: object,
    code_file: str,
    data_folder: str,
    data_own_path: str,
    model_folder: str,
) -> Shown:
    """Skipped where nothing is declared for it. Where it is, only its own metrics count, not those of training."""
    shown = Shown()
    with step("evaluate", run_prefix) as running:
        command = unpack(evaluate)
        if not command:
            running.skipped = True
            running.log.say("Nothing is declared for `evaluate`; the metrics of training count.")
            return shown
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
        output = run_user_step(running, command, of, model=Path(model_folder))
        keep_outputs(running, output, shown, missing="Evaluation ended well, but wrote no metrics.json.")
    return shown
