"""From a comment to a served model: the real service, pipeline, tags and model server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from bot.domain.check import Check, Conclusion
from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.feedback import LedgerEntry
from tests.journeys.served_model import DEPLOY, GOLDEN, PREDICT, SERVES_WITHIN_S, predict
from tests.journeys.workplace import PROJECT, Running, Workplace, make_workplace


@dataclass
class Seen:
    revisions: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def count(self, version: str) -> int:
        return self.versions.count(version)

    @property
    def versions(self) -> list[str]:
        return [revision.partition("-")[0] for revision in self.revisions]

    def newest(self, number: int) -> set[str]:
        return set(self.versions[-number:])

    def since_first(self, version: str) -> list[str]:
        return self.versions[self.versions.index(version) :]


class Town:
    """A service with one repository whose model is served."""

    def __init__(self, place: Workplace, running: Running) -> None:
        self.place, self.running = place, running

        self.answer = ""

    def train(self, branch: str, *, threshold: str, **files: str) -> str:
        """Push a commit of the branch, and wait until it is trained."""
        place = self.place
        place.git("checkout", "--quiet", "-B", branch)
        place.write("mlops.yaml", (PROJECT + DEPLOY).replace("default: 0.4", f"default: {threshold}"))
        for path, text in files.items():
            place.write(path, text)
        sha = place.commit(f"Try {threshold}")
        place.push(branch)
        self.running.ended(sha)
        return sha

    def newest(self, environment: str) -> Deployment:
        found = self.running.service.bot.store.deployments(repository=self.place.key, environment=environment)
        assert found
        return found[0]

    def came(self, environment: str, phase: DeploymentPhase, *, after: Deployment | None = None) -> Deployment:
        """The newest deployment there, once it is so far; `after` is the one before it."""

        def look() -> Deployment | None:
            newest = self.newest(environment)
            if after is not None and newest.id == after.id:
                return None
            if not newest.phase.is_active and newest.phase is not phase:
                raise AssertionError(f"{newest.phase}: {newest.words}")
            return newest if newest.phase is phase else None

        return self.running.wait_for(f"{phase} in {environment}", look, within_s=SERVES_WITHIN_S)

    def predict(self, environment: str, value: float) -> tuple[float, str]:
        """The prediction, and the revision that made it."""
        answer = predict(self.running, environment, value)
        assert answer is not None, "nothing is ready"
        return answer

    @contextmanager
    def predicting(self, environment: str) -> Iterator[Seen]:
        """Somebody who asks for predictions all the time, until the block ends."""
        seen, done = Seen(), threading.Event()

        def ask() -> None:
            while not done.is_set():
                try:
                    seen.revisions.append(self.predict(environment, 0.99)[1])
                except (OSError, AssertionError) as error:
                    seen.failures.append(repr(error))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def comment_with(self, words: str) -> str | None:
        bodies = [post.body for post in self.running.posts(1) if post.is_bot and "mlops-bot:change" in post.body]
        return bodies[0] if bodies and words in bodies[0] else None

    def check(self, name: str, sha: str, conclusion: Conclusion) -> Check | None:
        checks = self.running.service.bot.records.checks(self.place.key, sha)
        return next((check for check in checks if (check.name, check.conclusion) == (name, conclusion)), None)

    def say_as(self, author: str, body: str) -> None:
        self.running.service.bot.comment(self.place.key, 1, author, body)

    def ledger(self, deployment: Deployment) -> list[LedgerEntry]:
        entries = self.running.service.bot.store.ledger(repository=self.place.key, limit=500)
        return [entry for entry in entries if entry.subject == deployment.id]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, engine_environ: dict[str, str]) -> Iterator[Town]:
    place = make_workplace(tmp_path_factory.mktemp("town"))
    place.write("mlops.yaml", PROJECT + DEPLOY)
    place.write("churn/predict.py", PREDICT)
    place.write("churn/evaluate.py", (place.worktree / "churn/evaluate.py").read_text() + GOLDEN)
    place.commit("Serve it")
    with place.service(**engine_environ) as running:
        place.push("main")
        running.ended(place.git("rev-parse", "HEAD"))
        yield Town(place, running)
        running.service.bot.serving.end(within_s=20)


@pytest.fixture(scope="module")
def first_live(town: Town) -> Deployment:
    """The first version, live in staging; a comment asked for it."""
    town.train("better", threshold="0.5")
    town.answer = town.running.say(1, "/deploy staging")
    return town.came("staging", DeploymentPhase.LIVE)


def test_a_comment_deploys_what_was_trained_and_it_predicts(town: Town, first_live: Deployment) -> None:
    comment = town.running.wait_for(
        "the comment that tells of it", lambda: town.comment_with("/serve/staging/churn/v2/models/churn/infer")
    )

    assert "`churn` to `staging`" in town.answer
    assert first_live.assignment == "churn#staging#1"
    assert [town.predict("staging", value)[0] for value in (0.45, 0.55)] == [0.0, 1.0]
    assert first_live.version in comment
    assert first_live.assignment in town.place.git("ls-remote", "--tags", "origin")


def test_no_request_fails_while_another_version_takes_over(town: Town, first_live: Deployment) -> None:
    town.train("better", threshold="0.55")
    with town.predicting("staging") as seen:
        town.running.say(1, "/deploy staging")
        second = town.came("staging", DeploymentPhase.LIVE, after=first_live)
        town.running.wait_for("predictions by the second", lambda: seen.count(second.version) > 20)

    assert seen.failures == []
    assert seen.count(first_live.version) > 0
    assert second.replaces == first_live.id


def test_a_canary_answers_its_share_first_and_all_once_it_has_held(town: Town, first_live: Deployment) -> None:
    town.running.say(1, "/deploy careful")
    first = town.came("careful", DeploymentPhase.LIVE)
    town.train("better", threshold="0.57")
    with town.predicting("careful") as seen:
        town.running.say(1, "/deploy careful")
        second = town.came("careful", DeploymentPhase.LIVE, after=first)
        town.running.wait_for("the last of the first", lambda: seen.newest(20) == {second.version})

    held = seen.since_first(second.version)
    assert seen.failures == []
    assert set(held[:30]) == {first.version, second.version}


def test_production_waits_for_somebody_else_to_approve_and_says_so_in_a_check(
    town: Town, first_live: Deployment
) -> None:
    town.running.say(1, "/deploy production")
    waiting = town.came("production", DeploymentPhase.WAITING_FOR_APPROVAL)
    check = town.running.wait_for(
        "the check", lambda: town.check("mlops/churn/production", waiting.sha, Conclusion.ACTION_REQUIRED)
    )
    own = town.running.say(1, "/approve production")
    town.say_as("grace", "/approve production")
    live = town.came("production", DeploymentPhase.LIVE)

    assert "production" in check.title or "pprov" in check.title
    assert "asked for this deployment" in own
    assert [entry.actor for entry in town.ledger(waiting) if entry.action == "deployment_approved_by"] == ["grace"]
    assert live.approved_at is not None
    assert town.predict("production", 0.99)[0] == 1.0


def test_rollback_serves_the_version_before_again(town: Town, first_live: Deployment) -> None:
    if town.newest("staging").id == first_live.id:  # no test before this one has deployed another here
        town.train("better", threshold="0.7")
        town.running.say(1, "/deploy staging")
        town.came("staging", DeploymentPhase.LIVE, after=first_live)
    now = town.newest("staging")
    answer = town.running.say(1, "/rollback staging")
    back = town.came("staging", DeploymentPhase.LIVE, after=now)

    assert f"`{first_live.version}`" in answer
    assert (back.version, back.digest) == (first_live.version, first_live.digest)
    assert first_live.version in town.predict("staging", 0.5)[1]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"churn/predict.py": "import nothing_of_this_name\n"}, "nothing_of_this_name"),
        ({"churn/predict.py": PREDICT.replace("float(row", "2 + float(row")}, "predicts otherwise than in evaluation"),
    ],
    ids=["does not load", "predicts something else than it was measured by"],
)
def test_a_model_that_does_not_serve_as_it_was_measured_never_takes_over(
    files: dict[str, str], words: str, town: Town, first_live: Deployment
) -> None:
    before = town.newest("staging")
    served = town.predict("staging", 0.5)
    town.train("better", threshold="0.6", **files)
    town.running.say(1, "/deploy staging")
    failed = town.came("staging", DeploymentPhase.FAILED, after=before)

    assert words in failed.words
    assert town.predict("staging", 0.5) == served
    town.running.wait_for(
        "the words on the change", lambda: town.comment_with("serves on") or town.comment_with("keeps")
    )


def test_an_artifact_that_was_tampered_with_is_refused_loudly(town: Town, first_live: Deployment) -> None:
    before = town.newest("staging")
    sha = town.train("better", threshold="0.65", **{"churn/predict.py": PREDICT})
    run = town.running.runs(sha)[0]
    model = town.place.home / "artifacts" / "runs" / (run.reused_run or run.id) / "model" / "model.json"
    model.write_text(model.read_text().replace("0.65", "0.01"))

    town.running.say(1, "/deploy staging")
    failed = town.came("staging", DeploymentPhase.FAILED, after=before)

    assert "digest" in failed.words
