"""`mlops-bot prune`: says what could go, and removes it when told to."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from bot import logs
from bot.domain.retention import Retention
from bot.domain.run import Run as TrainingRun
from bot.settings import load_settings
from bot.web.actions import Actions
from bot.web.app import create_app
from tests.cli.conftest import Run
from tests.usecases.kit import KEY, Place
from tests.web.kit import served


@dataclass
class Running:
    place: Place
    old: TrainingRun


@pytest.fixture
def service(tmp_path: Path, mlops_bot: Run, request: pytest.FixtureRequest) -> Iterator[Running]:
    """With a run of a hundred days ago, and the one that branches are compared with now."""
    logs.configure(json_lines=True, level=logging.CRITICAL)  # what it logs is not the command's
    folder = tmp_path / "place"
    folder.mkdir()
    place = Place(folder)
    old = place.run(place.start())
    place.end(old)
    place.end(place.run(_commit(place)))
    place.later(100 * 24 * 3600.0)
    keep: Retention | None = getattr(request, "param", None)
    actions = Actions(
        comment=lambda *_: "",
        cancel_run=lambda *_: None,
        rerun_run=lambda *_: None,
        posts=place.records.posts,
        checks=place.records.checks,
    )
    world = replace(place.world, retention=lambda: keep)
    app = create_app(world, load_settings({"MLOPS_BOT_HOME": str(tmp_path)}), actions=actions)
    with served(Application(app)) as address:  # type: ignore[arg-type]  # of a workplace it takes the application alone
        (tmp_path / "service-url").write_text(address)
        yield Running(place, old)
    place.close()


@dataclass
class Application:
    app: FastAPI


def _commit(place: Place) -> str:
    place.now += timedelta(seconds=60)
    sha = place.commit(churn__train_py="print('better')")
    place.look()
    return sha


def test_without_yes_it_is_only_said_what_would_go(service: Running, mlops_bot: Run) -> None:
    code, out, err = mlops_bot("prune", "--older-than", "90d")

    what, how_many, how_much = out.splitlines()[1].split("\t")
    assert (code, err) == (0, "")
    assert (what, how_many) == ("runs in the artifact store", "1")
    assert how_much == "1 KiB"
    assert out.splitlines()[-1] == "Nothing was removed. To do it: mlops-bot prune --older-than 90d --yes"
    assert service.old.id in service.place.artifacts.run_ids()


def test_with_yes_it_goes_and_the_ledger_says_who(service: Running, mlops_bot: Run) -> None:
    code, out, _ = mlops_bot("prune", "--older-than", "90d", "--yes")

    assert (code, out.splitlines()[-1]) == (0, "All that was removed.")
    assert service.old.id not in service.place.artifacts.run_ids()
    (entry,) = [entry for entry in service.place.store.ledger(limit=20) if entry.action == "pruned"]
    assert (entry.repository, entry.subject) == (KEY, "files of 1 run")
    assert mlops_bot("prune", "--older-than", "90d")[1] == "There is nothing that could be removed.\n"


@pytest.mark.parametrize("service", [Retention(runs=timedelta(days=30))], indirect=True)
def test_the_policys_ages_count_where_none_is_given(service: Running, mlops_bot: Run) -> None:
    code, out, _ = mlops_bot("prune", "--json")

    found = json.loads(out)
    assert code == 0
    assert [line["count"] for line in found["lines"]] == [1]
    assert (found["removed"], found["stopped"], found["unknown"], found["after"]) == (False, {}, 0, "")


def test_without_an_age_and_a_policy_nothing_is_looked_at(service: Running, mlops_bot: Run) -> None:
    code, _, err = mlops_bot("prune", "--yes")

    assert code == 2
    assert "The server's policy keeps everything for ever." in err
    assert "--older-than 90d" in err


@pytest.mark.parametrize("age", ["90", "soon", "0d"])
def test_what_is_no_age_is_refused(mlops_bot: Run, age: str) -> None:
    code, _, err = mlops_bot("prune", "--older-than", age)

    assert code == 2
    assert f"`{age}` is no age." in err


def test_a_repository_that_keeps_everything_is_named(service: Running, mlops_bot: Run) -> None:
    bare = Path(service.place.repository.clone_address)
    bare.rename(bare.with_name("away"))

    code, out, err = mlops_bot("prune", "--older-than", "90d", "--yes")

    assert (code, out) == (0, "There is nothing that could be removed.\n")
    assert f"{KEY} keeps everything: " in err
    assert service.old.id in service.place.artifacts.run_ids()
