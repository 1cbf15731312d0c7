"""Ask for deployments in comments, and follow them on the terminal: each thing is told once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from bot.comments.render import MARKER
from bot.demo.stage import DEPLOYED, REPOSITORY, NotAsDesigned, Stage
from bot.domain.change import Change
from bot.domain.deployment import Deployment, DeploymentKind, DeploymentPhase
from bot.domain.run import Run
from bot.domain.serving import RevisionState
from bot.usecases.deployments.serving import revision_id

WATCHED = 20  # of the newest deployments
OWN_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?!uv:)(.+)")  # in a model server's log
TOLD_OTHERWISE = (DeploymentPhase.REPLACED, DeploymentPhase.REGISTERING, DeploymentPhase.DEPLOYING)

Fact = tuple[tuple[str, ...], str]


class Deployments:
    """Those of the demo's model. What was there when it is made is known, and not told again."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._bot = stage.service.bot
        self._told: set[tuple[str, ...]] = set()
        for deployment in self._newest():
            self._told |= {_phase_key(deployment), *(key for key, _words in self._facts(deployment))}

    def of_change(self, change: Change, environment: str) -> Deployment | None:
        """The newest one of the change's head, if it is on its way or went live."""
        found = self._bot.store.deployments(
            repository=REPOSITORY, model=DEPLOYED, environment=environment, number=change.number
        )
        went_well = (DeploymentPhase.LIVE, DeploymentPhase.REPLACED)
        return next(
            (one for one in found if one.sha == change.head_sha and (one.phase.is_active or one.phase in went_well)),
            None,
        )

    def on_its_way(self, environment: str, kind: DeploymentKind) -> Deployment | None:
        active = self._bot.store.deployments(
            repository=REPOSITORY, model=DEPLOYED, environment=environment, active=True
        )
        return next((one for one in active if one.kind is kind), None)

    def asks_elsewhere(self, deployment: Deployment) -> bool:
        """Whether its pipeline runs, and waits for a service at another address than this one's: with port 0."""
        run = self._bot.store.run(deployment.pipeline_run) if deployment.phase is DeploymentPhase.DEPLOYING else None
        here = f"{self._stage.service.settings.local_url}/"
        return run is not None and not str(run.arguments["callback_url"]).startswith(here)

    def ask(self, change: Change, author: str, command: str, environment: str) -> Deployment:
        """The deployment that the comment has made. Raises NotAsDesigned when it is refused."""
        posts = {post.id for post in self._bot.records.posts(REPOSITORY, change.number)}
        known = {one.id for one in self._newest()}
        self._stage.comment(change.number, author, command)

        def look() -> Deployment | None:
            answers = [
                post.body
                for post in self._bot.records.posts(REPOSITORY, change.number)
                if post.is_bot and post.id not in posts and MARKER not in post.body
            ]
            new = [one for one in self._newest() if one.id not in known and one.environment == environment]
            if answers and not new:
                raise NotAsDesigned(f"{command} is answered with: {answers[0]}")
            return new[0] if new else None

        return self._stage.wait_for(f"The deployment by {command}", look)

    def follow(self, deployment: Deployment, *until: DeploymentPhase) -> Deployment:
        """Tell how it goes, and give it as it is then. Raises NotAsDesigned when it ends otherwise."""

        def look() -> Deployment | None:
            newest = self._bot.store.deployment(deployment.id)
            self.tell_news()
            return newest if newest and (newest.phase in until or not newest.phase.is_active) else None

        came = self._stage.wait_for(f"The end of {deployment.id}", look)
        if came.phase not in until:
            raise NotAsDesigned(f"the deployment to {came.environment} is {came.phase}: {came.words}")
        return came

    def live(self, environment: str) -> Deployment:
        """What is live there, once its server answers, which the start of the service has begun to start."""
        live = self._bot.store.deployments(
            repository=REPOSITORY, model=DEPLOYED, environment=environment, phase=DeploymentPhase.LIVE
        )
        if not live:
            raise NotAsDesigned(f"nothing is live in {environment}")

        def look() -> bool | None:
            observed = self._bot.serving.observe(environment, DEPLOYED).revisions
            return any(one.percent == 100 and one.state is RevisionState.READY for one in observed) or None

        self._stage.wait_for(f"The model server in {environment}", look)
        return live[0]

    def tell_news(self) -> list[Deployment]:
        """Of all deployments. Gives those that are told to be live."""
        live = []
        for deployment in reversed(self._newest()):
            if not deployment.phase.is_active and _phase_key(deployment) in self._told:
                continue
            for key, words in self._facts(deployment):
                if key not in self._told:
                    self._told.add(key)
                    self._stage.say(f"{deployment.environment:<14} {words}")
                    live += [deployment] if key == (deployment.id, DeploymentPhase.LIVE) else []
            self._told.add(_phase_key(deployment))
        return live

    def _newest(self) -> list[Deployment]:
        return self._bot.store.deployments(repository=REPOSITORY, model=DEPLOYED, limit=WATCHED)

    def _facts(self, deployment: Deployment) -> Iterator[Fact]:
        """All that can be said of it now, in the order in which it came."""
        for approval in self._bot.store.approvals(deployment.id):
            yield (deployment.id, approval.source), f"{approval.decision} by {approval.by}"
        if deployment.version:
            tag = f"{deployment.model}@{deployment.version}"
            yield ("version", tag), f"version {deployment.version} is registered, as the git tag {tag}"
        if deployment.phase is DeploymentPhase.DEPLOYING:
            yield from self._server_words(deployment)
        if deployment.pipeline_run:
            yield from self._step_words(deployment)
        waits_for_nobody = deployment.phase is DeploymentPhase.WAITING_FOR_TURN and not self._place(deployment)
        if deployment.phase not in TOLD_OTHERWISE and not waits_for_nobody:
            yield _phase_key(deployment), _phase_words(deployment)

    def _place(self, deployment: Deployment) -> int:
        return self._bot.store.place_in_line(deployment)

    def _server_words(self, deployment: Deployment) -> Iterator[Fact]:
        """What the keeper of its model server has said since the deployment was started."""
        version, started_at = self._bot.store.version(deployment.version_id), deployment.started_at
        if version is None or started_at is None:
            return
        seen = self._bot.serving.observe(deployment.environment, deployment.model).revision(revision_id(version))
        own = [found for line in seen.log_tail if (found := OWN_LINE.fullmatch(line))]
        starts = [at for at, found in enumerate(own) if found[2].startswith("Starting ")]
        for found in own[max(starts, default=0) :]:
            if _time(found[1]) >= started_at.replace(microsecond=0):  # a log tells whole seconds
                words = found[2].rstrip(".")
                yield (deployment.id, found[0]), words[:1].lower() + words[1:]

    def _step_words(self, deployment: Deployment) -> Iterator[Fact]:
        run = self._bot.store.run(deployment.pipeline_run)
        if run is None:
            return
        told = {"verify": "the model's files are those that were trained", "smoke-test": self._tried(deployment)}
        done = run.result.steps if run.result is not None else self._bot.engine.observe([run.id])[run.id].steps
        for step in done:
            if step.name in told and step.state == "succeeded":
                yield (deployment.id, step.name), told[step.name]

    def _tried(self, deployment: Deployment) -> str:
        run: Run | None = self._bot.store.run(deployment.run_id)
        rows = run.result.golden_rows if run is not None and run.result is not None else 0
        return f"smoke test: {rows} golden rows, each predicted as in evaluation"


def seconds_to_live(deployment: Deployment) -> float:
    """From the approval, where it needed one, else from the request."""
    assert deployment.live_at is not None
    return (deployment.live_at - (deployment.approved_at or deployment.requested_at)).total_seconds()


def _phase_key(deployment: Deployment) -> tuple[str, ...]:
    return deployment.id, deployment.phase


def _phase_words(deployment: Deployment) -> str:
    match deployment.phase:
        case DeploymentPhase.LIVE:
            again = " again" if deployment.kind is DeploymentKind.ROLLBACK else ""
            since = "the approval" if deployment.approved_at else "it was asked for"
            return f"{deployment.version} is live{again}, {seconds_to_live(deployment):.1f} s after {since}"
        case DeploymentPhase.WAITING_FOR_APPROVAL:
            return f"waits for approval by somebody other than {deployment.requested_by}"
        case DeploymentPhase.WAITING_FOR_RUN:
            return "waits for its run"
        case DeploymentPhase.WAITING_FOR_TURN:
            return "waits for its turn"
        case phase:
            return f"{phase}: {deployment.words}" if deployment.words else str(phase)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
