"""Versions, environments, deployments and the ledger from the terminal, against a service with real git and tags."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from bot import logs
from bot.domain.deployment import DeploymentPhase
from bot.domain.result import Failure, FailureKind
from bot.settings import load_settings
from bot.web.actions import Actions
from bot.web.app import create_app
from tests.cli.conftest import Run
from tests.usecases.kit import KEY, Place
from tests.usecases.test_deployments import Deployments
from tests.web.kit import served

DEADLINE_S = 30.0


@dataclass
class Running:
    """A service whose loop turns only when a test says so."""

    app: FastAPI
    deployed: Deployments

    def when_deploying(self, act: Callable[[], None]) -> threading.Thread:
        """Turn the loop until a pipeline has begun, then let it come to an end."""
        thread = threading.Thread(target=self._turn_until_deploying, args=(act,))
        thread.start()
        return thread

    def _turn_until_deploying(self, act: Callable[[], None]) -> None:
        place, deadline = self.deployed.place, time.monotonic() + DEADLINE_S
        while not place.store.deployments(phase=DeploymentPhase.DEPLOYING):
            assert time.monotonic() < deadline
            place.converge()
        act()

    def carry_out(self) -> None:
        self.deployed.carry_out(self.deployed.place.store.deployments(phase=DeploymentPhase.DEPLOYING)[0])

    def fail(self) -> None:
        (deployment,) = self.deployed.place.store.deployments(phase=DeploymentPhase.DEPLOYING)
        failure = Failure("apply", FailureKind.SERVING, "The model server ended at once.", "See its log.")
        self.deployed.end_pipeline(deployment, failure)


@pytest.fixture
def service(tmp_path: Path, mlops_bot: Run) -> Iterator[Running]:
    """In the home that `mlops_bot` asks; what it logs is not the command's."""
    logs.configure(json_lines=True, level=logging.CRITICAL)
    folder = tmp_path / "place"
    folder.mkdir()
    place = Place(folder)
    settings = load_settings({"MLOPS_BOT_HOME": str(tmp_path)})
    actions = Actions(
        comment=lambda *_: "",
        cancel_run=lambda *_: None,
        rerun_run=lambda *_: None,
        posts=place.records.posts,
        checks=place.records.checks,
    )
    running = Running(create_app(place.world, settings, actions=actions), Deployments(place))
    with served(running) as address:  # type: ignore[arg-type]  # of a workplace it takes the application alone
        (tmp_path / "service-url").write_text(address)
        yield running
    place.close()


def rows(out: str) -> list[list[str]]:
    return [line.split("\t") for line in out.splitlines()]


def test_a_model_is_deployed_and_waited_for_until_it_is_live(mlops_bot: Run, service: Running):
    thread = service.when_deploying(service.carry_out)
    code, out, _ = mlops_bot("deploy", "models", "churn", "staging", "--wait")
    thread.join()

    first, page, last = out.splitlines()
    (deployment,) = service.deployed.all("staging")
    assert code == 0
    assert first.startswith(f"churn {deployment.sha[:10]} to staging as {deployment.id}: waits for its turn")
    assert page == f"  http://bot/deployments/{deployment.id}"
    assert last == "churn v1.0.0 is live: http://bot/serve/staging/churn"


def test_one_that_does_not_go_live_ends_with_1_and_says_why(mlops_bot: Run, service: Running):
    thread = service.when_deploying(service.fail)
    code, out, _ = mlops_bot("deploy", "models", "churn", "staging", "--version", "v1.0.0", "--wait")
    thread.join()

    assert code == 1
    assert out.splitlines()[-1] == "failed. The model server ended at once. See its log."


def test_without_waiting_it_is_accepted_and_told_as_json(mlops_bot: Run, service: Running):
    code, out, _ = mlops_bot("deploy", "models", "churn", "staging", "--json")

    told = json.loads(out)
    assert (code, told["phase"], told["is_active"]) == (0, "waiting_for_turn", True)
    assert [one.id for one in service.deployed.all()] == [told["id"]]


def test_what_needs_approval_is_refused_with_where_to_ask(mlops_bot: Run, service: Running):
    code, out, err = mlops_bot("deploy", "models", "churn", "production")

    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: `production` needs one approval, and here is no change to give them on.",
        "  fix: Ask on a change: `/deploy production`.",
    ]
    assert service.deployed.all() == []


def test_a_rollback_goes_back_to_what_served_before(mlops_bot: Run, service: Running):
    service.deployed.deploy()  # v1.1.0
    thread = service.when_deploying(service.carry_out)
    code, out, _ = mlops_bot("rollback", "models", "staging", "churn", "v1.0.0", "--wait")
    thread.join()

    assert code == 0
    assert out.splitlines()[-1] == "churn v1.0.0 is live: http://bot/serve/staging/churn"
    assert mlops_bot("rollback", "models", "staging", "churn", "v1.0.0")[0] == 2


def test_versions_are_listed_with_where_they_serve(mlops_bot: Run, service: Running):
    service.deployed.deploy()

    code, out, _ = mlops_bot("versions", "models", "churn")

    head, newest, oldest = rows(out)
    commit = service.deployed.head[:10]
    assert code == 0
    assert head[:4] == ["model", "version", "serves in", "metrics"]
    assert newest[:8] == [f"{KEY}; churn", "v1.1.0", "staging", "accuracy 0.95", "2 of 2 met", commit, "", "ada"]
    assert oldest[1:3] == ["v1.0.0", ""]
    told = json.loads(mlops_bot("versions", "--json")[1])
    assert [(one["version"], one["serves_in"]) for one in told] == [("v1.1.0", ["staging"]), ("v1.0.0", [])]


def test_a_models_page_shows_the_card_that_its_tag_holds(service: Running, tmp_path: Path):
    service.deployed.deploy()
    headers = {"Authorization": f"Bearer {(tmp_path / 'access-token').read_text()}"}
    address = (tmp_path / "service-url").read_text()

    page = httpx.get(f"{address}/repositories/{KEY}/models/churn?version=v1.0.0", headers=headers, trust_env=False)

    card = page.text.partition("<summary>Model card</summary>")[2]
    assert page.status_code == 200
    assert "<h1>churn v1.0.0</h1>" in card
    assert "model-index" not in card


def test_environments_are_listed_with_their_servers_and_what_is_on_its_way(mlops_bot: Run, service: Running):
    service.deployed.deploy()
    service.deployed.say("/deploy production")

    code, out, _ = mlops_bot("environments")
    _, production, staging = rows(out)

    waiting = service.deployed.newest("production").id
    assert code == 0
    assert production[:3] == ["production", f"{KEY}; churn", "nothing yet"]
    assert production[6] == f"{waiting} waits for approval, 0 of 1"
    assert staging[:3] == ["staging", f"{KEY}; churn", "v1.1.0"]
    assert staging[4:] == ["ada", "v1.1.0 100 % ready", "", "http://bot/serve/staging/churn"]
    assert [one["environment"] for one in json.loads(mlops_bot("environments", "staging", "--json")[1])] == ["staging"]


def test_the_ledger_is_shown_and_written_as_json_lines(mlops_bot: Run, service: Running):
    service.deployed.deploy()

    code, out, _ = mlops_bot("ledger", "--environment", "staging")
    lines = [json.loads(line) for line in mlops_bot("ledger", "--jsonl", "--repository", "models")[1].splitlines()]
    behind = mlops_bot("ledger", "--jsonl", "--since", str(lines[-2]["seq"]))[1].splitlines()

    shown = rows(out)
    assert code == 0
    assert shown[0][:3] == ["when (UTC)", "who", "what"]
    assert shown[-1][2] == "deployment live"
    assert "version=v1.1.0" in shown[-1][4]
    assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)
    assert lines[-1]["action"] == "deployment_live"
    assert [json.loads(line) for line in behind] == [lines[-1]]
    assert mlops_bot("ledger", "--since", "3")[0] == 2


def test_the_index_is_made_anew_and_it_is_told_what_was_found(mlops_bot: Run, service: Running):
    service.deployed.deploy()

    code, out, _ = mlops_bot("rebuild")

    assert code == 0
    assert rows(out) == [["repository", "versions", "assignments", "what can not be read"], [KEY, "2", "1", ""]]


def test_a_repository_that_can_not_be_read_ends_a_rebuild_with_1(mlops_bot: Run, service: Running):
    bare = Path(service.deployed.place.repository.clone_address)
    bare.rename(bare.with_name("moved"))

    code, out, _ = mlops_bot("rebuild")

    assert code == 1
    assert "its tags can not be read now" in out


def test_before_anything_is_deployed_tables_tell_how_to_begin(mlops_bot: Run, place: object):
    assert mlops_bot("versions")[:2] == (
        0, "Nothing was registered yet. `/deploy staging` on a change registers its result.\n",
    )  # fmt: skip
    assert mlops_bot("environments")[1] == "Nothing serves yet. `/deploy staging` on a change asks for it.\n"
    assert mlops_bot("ledger")[1] == "Nothing was recorded yet.\n"
    assert mlops_bot("rebuild")[1] == "No repository is watched yet.\n"


@pytest.mark.parametrize("name", ["versions", "environments", "deploy", "rollback", "ledger", "rebuild", "reproduce"])
def test_each_command_teaches_with_help_and_says_when_no_service_runs(mlops_bot: Run, name: str):
    code, out, _ = mlops_bot(name, "--help")

    assert code == 0
    assert out.startswith(f"Usage: mlops-bot {name}")
    if name == "reproduce":
        return
    words = {"deploy": ["a", "b", "c"], "rollback": ["a", "b"]}.get(name, [])
    code, _, err = mlops_bot(name, *words)
    assert code == 2
    assert "the service is not running" in err
