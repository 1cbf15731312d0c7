# kfp ships no types, and reads plain `dict` and `list`:
# mypy: disable-error-code="type-arg, untyped-decorator"
"""The pipeline `evaluate`: fetch code, data and an earlier run's model, evaluate it, and report however it ended."""

from kfp import dsl

from pipelines import components


@dsl.pipeline(
    name="evaluate-model",  # `evaluate` would be taken for its component
    description="Evaluate a model of an earlier run, and leave a result.json.",
)
def evaluate_pipeline(
    run_id: str,
    run_prefix: str,
    callback_url: str,
    repository: str,
    clone_address: str,
    sha: str,
    model: str,
    model_path: str,
    data_address: str,
    data_sha: str,
    data_path: str,
    params: dict,
    split: dict,
    environment: dict,
    env: dict,
    secrets: list,
    evaluate: dict,
    lineage: dict,
    model_prefix: str,
    model_digest: str,
) -> None:
    report = components.report(
        pipeline="evaluate",
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
    )
    report.set_caching_options(False)
    with dsl.ExitHandler(report, name="steps"):
        fetched = components.fetch_with_model(
            run_prefix=run_prefix,
            clone_address=clone_address,
            sha=sha,
            model_path=model_path,
            data_address=data_address,
            data_sha=data_sha,
            data_path=data_path,
            model_prefix=model_prefix,
            model_digest=model_digest,
        )
        fetched.set_display_name("fetch")
        fetched.set_caching_options(False)
        evaluated = components.evaluate(
            run_prefix=run_prefix,
            model_path=model_path,
            params=params,
            split=split,
            environment=environment,
            env=env,
            secrets=secrets,
            evaluate=evaluate,
            code=fetched.outputs["code"],
            data=fetched.outputs["data"],
            trained_model=fetched.outputs["trained_model"],
        )
        evaluated.set_caching_options(False)
