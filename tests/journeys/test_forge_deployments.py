"""Deployments on every forge alike: tags pushed over HTTP, what the forge shows of them, and who may approve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain.check import Conclusion
from bot.domain.deployment import Deployment, DeploymentPhase
from tests.journeys.forge_place import Place, Site, Towns
from tests.journeys.github_place import GitHubSite
from tests.journeys.served_model import DEPLOY, GOLDEN, PREDICT, SERVES_WITHIN_S
from tests.journeys.workplace import EVALUATE, PROJECT


@pytest.fixture(params=["github", "gitlab"])
def place(request: pytest.FixtureRequest, towns: Towns, tmp_path: Path) -> Iterator[Place[Site]]:
    found = towns.place(request.param, tmp_path)
    yield found
    for served in found.service.bot.serving.services():
        found.service.bot.serving.remove(served.environment, served.model)


def propose(place: Place[Site]) -> tuple[int, str]:
    """A change that is trained, of a model that is deployed."""
    place.work.write("mlops.yaml", PROJECT + DEPLOY)
    place.work.write("churn/predict.py", PREDICT)
    place.work.write("churn/evaluate.py", EVALUATE + GOLDEN)
    place.start()
    number, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))
    place.shown(number, sha)
    return number, sha


def came(place: Place[Site], environment: str, phase: DeploymentPhase) -> Deployment:
    def look() -> Deployment | None:
        found = place.service.bot.store.deployments(repository=place.site.key, environment=environment)
        if found and not found[0].phase.is_active and found[0].phase is not phase:
            raise AssertionError(f"{found[0].phase}: {found[0].words}")
        return found[0] if found and found[0].phase is phase else None

    return place.running.wait_for(f"{phase} in {environment}", look, within_s=SERVES_WITHIN_S)


def test_a_deployment_is_tagged_in_the_repository_and_shown_by_the_forge(place: Place[Site]) -> None:
    number, sha = propose(place)

    answer, _ = place.say(number, "ada", "/deploy staging")
    live = came(place, "staging", DeploymentPhase.LIVE)
    place.living_comment(number, "/serve/staging/churn")
    shown = place.running.wait_for(
        "the forge", lambda: ("staging/churn", "success") in place.site.deployments() and place.site.deployments()
    )
    tags = place.work.git("ls-remote", "--tags", "--refs", str(place.site.bare))

    assert "`staging`" in answer
    assert live.sha == sha
    assert shown == [("staging/churn", "success")]
    assert f"refs/tags/churn@{live.version}" in tags
    assert "refs/tags/churn#staging#1" in tags
    assert place.check(sha, "mlops/churn/staging").conclusion is Conclusion.SUCCESS


def test_production_goes_live_when_somebody_else_approves_on_the_forge(place: Place[Site]) -> None:
    number, sha = propose(place)
    place.say(number, "ada", "/deploy production")
    came(place, "production", DeploymentPhase.WAITING_FOR_APPROVAL)

    by_author, _ = place.say(number, "ada", "/approve")
    by_reader, _ = place.say(number, "rob", "/approve")
    if place.can.buttons:
        place.running.wait_for(
            "the button", lambda: "approve" in [one.id for one in place.check(sha, "mlops/churn/production").actions]
        )
        assert isinstance(place.site, GitHubSite)
        place.site.press_action(sha, "approve", "grace", name="mlops/churn/production")
    else:
        place.say(number, "grace", "/approve production")
    came(place, "production", DeploymentPhase.LIVE)

    assert "can not approve" in by_author
    assert "write permission" in by_reader
    place.running.wait_for("the forge", lambda: ("production/churn", "success") in place.site.deployments() or None)
