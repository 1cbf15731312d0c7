# kfp ships no types, and reads plain `dict` and `list`:
# mypy: disable-error-code="type-arg, untyped-decorator"
"""The steps as Kubeflow components: thin, because what they do is ordinary code in `pipelines/steps/`.

No `from __future__ import annotations` here: kfp reads the annotations, and copies each function's source.
"""

from kfp import dsl
from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

# An image with this package and Python; the engine for a cluster puts its own address in front.
# kfp.local warns of images without "python" in their name.
IMAGE = "mlops-bot-python:0.1.0"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fetch(
    run_prefix: str,
    clone_address: str,
    sha: str,
    model_path: str,
    data_address: str,
    data_sha: str,
    data_path: str,
    code: Output[Artifact],
    data: Output[Dataset],
) -> None:
    from pipelines.steps.fetch import fetch_step

    data.metadata.update(
        fetch_step(
            run_prefix=run_prefix,
            clone_address=clone_address,
            sha=sha,
            model_path=model_path,
            data_address=data_address,
            data_sha=data_sha,
            data_path=data_path,
            code_file=code.path,
            data_folder=data.path,
        )
    )
    code.metadata["sha"] = sha


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fetch_with_model(
    run_prefix: str,
    clone_address: str,
    sha: str,
    model_path: str,
    data_address: str,
    data_sha: str,
    data_path: str,
    model_prefix: str,
    model_digest: str,
    code: Output[Artifact],
    data: Output[Dataset],
    trained_model: Output[Model],
) -> None:
    from pipelines.steps.fetch import fetch_with_model_step

    data.metadata.update(
        fetch_with_model_step(
            run_prefix=run_prefix,
            clone_address=clone_address,
            sha=sha,
            model_path=model_path,
            data_address=data_address,
            data_sha=data_sha,
            data_path=data_path,
            code_file=code.path,
            data_folder=data.path,
            model_prefix=model_prefix,
            model_digest=model_digest,
            model_folder=trained_model.path,
        )
    )
    code.metadata["sha"] = sha
    trained_model.metadata["digest"] = model_digest


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(
    run_prefix: str,
    model_path: str,
    params: dict,
    split: dict,
    environment: dict,
    env: dict,
    secrets: list,
    train: dict,
    evaluate: dict,
    code: Input[Artifact],
    data: Input[Dataset],
    trained_model: Output[Model],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
) -> None:
    from pipelines.steps.train import train_step

    shown = train_step(
        run_prefix=run_prefix,
        model_path=model_path,
        params=params,
        split=split,
        environment=environment,
        env=env,
        secrets=secrets,
        train=train,
        evaluate=evaluate,
        code_file=code.path,
        data_folder=data.path,
        data_own_path=data.metadata.get("own_path", ""),
        model_folder=trained_model.path,
    )
    trained_model.metadata.update(shown.model)
    metrics.metadata.update(shown.metrics)
    classification.metadata.update(shown.classification)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate(
    run_prefix: str,
    model_path: str,
    params: dict,
    split: dict,
    environment: dict,
    env: dict,
    secrets: list,
    evaluate: dict,
    code: Input[Artifact],
    data: Input[Dataset],
    trained_model: Input[Model],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
) -> None:
    from pipelines.steps.evaluate import evaluate_step

    shown = evaluate_step(
        run_prefix=run_prefix,
        model_path=model_path,
        params=params,
        split=split,
        environment=environment,
        env=env,
        secrets=secrets,
        evaluate=evaluate,
        code_file=code.path,
        data_folder=data.path,
        data_own_path=data.metadata.get("own_path", ""),
        model_folder=trained_model.path,
    )
    metrics.metadata.update(shown.metrics)
    classification.metadata.update(shown.classification)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def report(
    pipeline: str,
    run_id: str,
    run_prefix: str,
    callback_url: str,
    repository: str,
    sha: str,
    model: str,
    data_address: str,
    data_sha: str,
    data_path: str,
    params: dict,
    split: dict,
    lineage: dict,
    status: dsl.PipelineTaskFinalStatus,
    summary: Output[HTML],
) -> None:
    from pipelines.steps.report import report_step

    report_step(
        pipeline=pipeline,
        run_id=run_id,
        run_prefix=run_prefix,
        callback_url=callback_url,
        repository=repository,
        sha=sha,
        model=model,
        data_address=data_address,
        data_sha=data_sha,
        data_path=data_path,
        params=params,
        split=split,
        lineage=lineage,
        final_state=status.state,
        final_error=status.error_message or "",
        summary_file=summary.path,
    )


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def verify(run_prefix: str, model_prefix: str, model_digest: str) -> None:
    from pipelines.steps.verify import verify_step

    verify_step(run_prefix=run_prefix, model_prefix=model_prefix, model_digest=model_digest)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def apply(
    run_prefix: str, callback_url: str, model: str, environment: str, version: str, ready_timeout_s: float
) -> None:
    from pipelines.steps.apply import apply_step

    apply_step(
        run_prefix=run_prefix,
        callback_url=callback_url,
        model=model,
        environment=environment,
        version=version,
        ready_timeout_s=ready_timeout_s,
    )


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def smoke_test(run_prefix: str, callback_url: str, model: str, version: str, golden_prefix: str) -> None:
    from pipelines.steps.smoke_test import smoke_test_step

    smoke_test_step(
        run_prefix=run_prefix,
        callback_url=callback_url,
        model=model,
        version=version,
        golden_prefix=golden_prefix,
    )


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def promote(run_prefix: str, callback_url: str, model: str, environment: str, version: str, canary: dict) -> None:
    from pipelines.steps.promote import promote_step

    promote_step(
        run_prefix=run_prefix,
        callback_url=callback_url,
        model=model,
        environment=environment,
        version=version,
        canary=canary,
    )
