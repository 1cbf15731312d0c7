"""Invariant 1 for deployments: the service is killed again and again, and what served serves throughout."""

from __future__ import annotations

import json
import random
import socket
import urllib.request
from dataclasses import replace

import pytest

from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.serving import RevisionState
from bot.store import SqlStore, open_store
from tests.journeys.served import killed_service
from tests.journeys.served_model import DEPLOY, GOLDEN, PREDICT, SERVES_WITHIN_S, predict
from tests.journeys.workplace import PROJECT, Running, Workplace

KILLS = 20
STEP_S = 0.13  # so that the kills fall on different steps


def free_port() -> int:
    """Below those that the kernel gives to clients, so that none of them takes it while the service is down."""
    for port in random.sample(range(20_000, 32_000), 100):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("a hundred ports are taken")


def add_model(place: Workplace) -> None:
    place.write("mlops.yaml", PROJECT + DEPLOY)
    place.write("churn/predict.py", PREDICT)
    place.write("churn/evaluate.py", (place.worktree / "churn/evaluate.py").read_text() + GOLDEN)
    place.commit("Serve it")
    place.push("main")


def train(place: Workplace, running: Running, threshold: str) -> None:
    place.git("checkout", "--quiet", "-B", "better")
    place.write("mlops.yaml", (PROJECT + DEPLOY).replace("default: 0.4", f"default: {threshold}"))
    sha = place.commit(f"Try {threshold}")
    place.push("better")
    running.ended(sha)


def live(running: Running) -> Deployment:
    def look() -> Deployment | None:
        (newest, *_) = running.service.bot.store.deployments(repository=running.repository)
        return newest if newest.phase is DeploymentPhase.LIVE else None

    return running.wait_for("the first version", look, within_s=SERVES_WITHIN_S)


def stored(place: Workplace) -> SqlStore:
    return open_store(f"sqlite:///{place.home / 'bot.sqlite3'}", exclusive=False)


def say(place: Workplace, body: str) -> None:
    """As somebody does on the page, to whichever service runs now."""
    url = (place.home / "service-url").read_text()
    request = urllib.request.Request(
        f"{url}/api/v1/repositories/{place.key}/changes/1/comments",
        data=json.dumps({"body": body, "author": "ada"}).encode(),
        headers={
            "Authorization": f"Bearer {(place.home / 'access-token').read_text()}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 201


@pytest.mark.timeout(400)
def test_invariant_1_kill_9_in_each_step_of_deployments_leaves_one_of_each_and_never_nothing_serving(
    lonely: Workplace,
) -> None:
    lonely = replace(lonely, port=free_port())  # steps that wait for the service find it again where it was
    with lonely.service() as running:
        add_model(lonely)
        running.ended(lonely.git("rev-parse", "HEAD"))
        train(lonely, running, "0.5")
        running.say(1, "/deploy staging")
        first = live(running)
        train(lonely, running, "0.55")
        address = running.service.bot.serving.observe("staging", "churn").revisions[0].address

    commands = 0
    for kill in range(KILLS):
        store = stored(lonely)
        is_idle = not store.deployments(active=True)
        store.close()
        with killed_service(lonely, after_s=kill % 6 * STEP_S):
            if is_idle:
                say(lonely, "/rollback staging" if commands % 2 else "/deploy staging")
                commands += 1

    with lonely.service() as running:
        store = running.service.bot.store
        running.wait_for("an end", lambda: not store.deployments(active=True) or None, within_s=SERVES_WITHIN_S)
        deployments = store.deployments(repository=lonely.key)
        newest = next(one for one in deployments if one.phase is DeploymentPhase.LIVE)
        value, revision = running.wait_for("a prediction", lambda: predict(running, "staging", 0.52))
        tags = [line.rpartition("/")[2] for line in lonely.git("ls-remote", "--tags", "--refs", "origin").splitlines()]
        observed = running.service.bot.serving.observe("staging", "churn")
        running.service.bot.serving.end(within_s=20)

    assert commands >= 2
    assert {one.phase for one in deployments} == {DeploymentPhase.LIVE, DeploymentPhase.REPLACED}
    assert len([one for one in deployments if one.phase is DeploymentPhase.LIVE]) == 1
    assert sorted(tag for tag in tags if "#" in tag) == sorted(
        f"churn#staging#{n + 1}" for n in range(len(deployments))
    )
    assert len({one.assignment for one in deployments}) == len(deployments)
    assert revision.startswith(f"{newest.version}-")
    assert value == (1.0 if newest.version == first.version else 0.0)
    former = [one for one in observed.revisions if one.id.startswith(f"{first.version}-")]
    assert [(one.state, one.restarts, one.address) for one in former] == [(RevisionState.READY, 0, address)]
