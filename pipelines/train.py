# kfp ships no types, and reads plain `dict` and `list`:
# mypy: disable-error-code="type-arg, untyped-decorator"
"""The pipeline `train`: fetch, train, evaluate, and report however it ended."""

from kfp import dsl

from pipelines import components


@dsl.pipeline(
    name="train-model",  # `train` would be taken for its component
    description="Train a model at a commit, evaluate it, and leave a result.json.",
)
def train_pipeline(
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
    train: dict,
) -> None:
    report = components.report(
        pipeline="train",
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
        fetched = components.fetch(
            run_prefix=run_prefix,
            clone_address=clone_address,
            sha=sha,
            model_path=model_path,
            data_address=data_address,
            data_sha=data_sha,
            data_path=data_path,
        )
        fetched.set_caching_options(False)
        trained = components.train(
            run_prefix=run_prefix,
            model_path=model_path,
            params=params,
            split=split,
            environment=environment,
            env=env,
            secrets=secrets,
            train=train,
            evaluate=evaluate,
            code=fetched.outputs["code"],
            data=fetched.outputs["data"],
        )
        trained.set_caching_options(False)
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
            trained_model=trained.outputs["trained_model"],
        )
        evaluated.set_caching_options(False)
