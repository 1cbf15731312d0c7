"""The pipeline `deploy` on the local engine, and what the engine must know of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pipelines
from bot.domain.pipeline import DEPLOY
from bot.domain.result import FailureKind
from bot.domain.run import EngineState
from bot.engines.local import LocalEngine
from bot.engines.local_folder import RunFolder
from bot.ports.engine import Submission
from tests.engines.kit import end_of, intend, local_engine, states, until
from tests.pipelines.deploy_kit import Deploy, deployment
from tests.pipelines.kit import failure_of


@pytest.fixture(scope="module")
def deploying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    engine = local_engine(tmp_path_factory.mktemp("engine"), pipelines.package_path(DEPLOY).parent)
    yield engine
    engine.close()


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    with deployment(tmp_path) as made:
        yield made


def submission(deploy: Deploy, last_digits: str) -> Submission:
    """The engine is shared, so each test has a run of its own."""
    run_id = deploy.arguments["run_id"][: -len(last_digits)] + last_digits
    deploy.bot.run_id, deploy.bot.url = run_id, deploy.bot.url.replace(deploy.bot.run_id, run_id)
    deploy.arguments |= {"run_id": run_id, "callback_url": deploy.bot.url}
    return Submission(run_id, DEPLOY, deploy.arguments, {"MLOPS_BOT_CALLBACK_TOKEN": deploy.bot.token})


def test_a_deployment_runs_to_its_end_and_its_steps_are_seen(deploying: LocalEngine, deploy: Deploy):
    asked = submission(deploy, "01")
    deploying.submit(asked)
    ended = end_of(deploying, asked.run_id)

    assert ended.state is EngineState.SUCCEEDED
    assert states(ended) == dict.fromkeys(("verify", "apply", "smoke-test", "promote", "report"), "succeeded")
    assert deploy.bot.asked == ["apply", "promote 100"]
    assert deploy.result().golden_rows == 3


def test_a_deployment_that_is_canceled_in_its_hold_says_so(deploying: LocalEngine, deploy: Deploy):
    deploy.canary(10, hold_s=3600.0)
    asked = submission(deploy, "02")
    deploying.submit(asked)
    until(lambda: "promote 10" in deploy.bot.asked)

    deploying.cancel(asked.run_id)
    ended = end_of(deploying, asked.run_id)

    assert ended.state is EngineState.CANCELED
    assert states(ended)["promote"] == "canceled"
    failure = failure_of(deploy.result())
    assert (deploy.result().state, failure.step, failure.kind) == ("canceled", "promote", FailureKind.CANCELED)
    assert deploy.bot.asked == ["apply", "promote 10"]


def test_a_deployment_may_take_as_long_as_its_start_and_its_holds(tmp_path: Path, deploy: Deploy):
    deploy.canary(10, 50, hold_s=7200.0)
    deploy.arguments["ready_timeout_s"] = 300.0
    engine = local_engine(tmp_path / "home", pipelines.package_path(DEPLOY).parent, slack_s=1.0)

    folder: RunFolder = intend(engine, submission(deploy, "03"))
    engine.close()

    intent = folder.intent()
    assert intent is not None
    assert intent.limit_s == 2 * 7200 + 300 + 1
