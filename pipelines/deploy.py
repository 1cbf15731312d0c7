# kfp ships no types, and reads plain `dict` and `list`:
# mypy: disable-error-code="type-arg, untyped-decorator"
"""The pipeline `deploy`: verify the model, let the bot start it, try it, promote it, and report however it ended."""

from kfp import dsl

from pipelines import components


@dsl.pipeline(
    name="deploy-model",
    description="Let a registered version of a model serve in an environment, and leave a result.json.",
)
def deploy_pipeline(
    run_id: str,
    run_prefix: str,
    callback_url: str,
    repository: str,
    sha: str,
    model: str,
    environment: str,
    version: str,
    model_prefix: str,
    model_digest: str,
    golden_prefix: str,
    canary: dict,
    ready_timeout_s: float,
    lineage: dict,
) -> None:
    report = components.report(
        pipeline="deploy",
        run_id=run_id,
        run_prefix=run_prefix,
        callback_url=callback_url,
        repository=repository,
        sha=sha,
        model=model,
        data_address="",
        data_sha="",
        data_path="",
        params={},
        split={},
        lineage=lineage,
    )
    report.set_caching_options(False)
    with dsl.ExitHandler(report, name="steps"):
        verified = components.verify(run_prefix=run_prefix, model_prefix=model_prefix, model_digest=model_digest)
        applied = components.apply(
            run_prefix=run_prefix,
            callback_url=callback_url,
            model=model,
            environment=environment,
            version=version,
            ready_timeout_s=ready_timeout_s,
        )
        tried = components.smoke_test(
            run_prefix=run_prefix,
            callback_url=callback_url,
            model=model,
            version=version,
            golden_prefix=golden_prefix,
        )
        promoted = components.promote(
            run_prefix=run_prefix,
            callback_url=callback_url,
            model=model,
            environment=environment,
            version=version,
            canary=canary,
        )
        applied.after(verified)
        tried.after(applied)
        promoted.after(tried)
        for task in (verified, applied, tried, promoted):
            task.set_caching_options(False)
