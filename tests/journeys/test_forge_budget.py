"""Invariant 12: what calls of the forges are spent on, reactions among them. Apart are tokens, and answers that nothing
has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.journeys.forge_place import Place, Site, Towns, until_a_later_second

FORGES = ("github", "gitlab")
PAUSE = timedelta(hours=1)
MOST_CALLS_FOR_A_HEAD = 4
MOST_CALLS_FOR_A_COMMAND = 6  # reactions among them


@pytest.fixture(params=FORGES)
def place(request: pytest.FixtureRequest, towns: Towns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place[Site]:
    """Where no run, on whatever machine, takes longer than the pause between two tellings of its progress."""
    found = towns.place(request.param, tmp_path)
    forge = found.service.bot.world.forge_of(found.site.key)
    monkeypatch.setattr(forge, "capabilities", replace(forge.capabilities, progress_every_s=PAUSE.total_seconds()))
    return found


@pytest.fixture
def proposed(place: Place[Site]) -> tuple[int, str]:
    """A change whose head was trained, and told of; its number and its head."""
    place.check(place.start())
    number, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))
    place.shown(number, sha)
    place.at_rest()
    return number, sha


def test_a_new_change_costs_at_most_four_calls(place: Place[Site]) -> None:
    place.check(place.start())
    place.at_rest()
    before = place.site.calls()

    place.shown(*place.propose("better", "Try 0.5", **place.threshold("0.5")))

    place.at_rest()
    spent = place.site.calls() - before
    assert spent.total() <= MOST_CALLS_FOR_A_HEAD, spent


def test_one_pushed_head_of_a_change_that_was_quiet_costs_at_most_four_calls(
    place: Place[Site], proposed: tuple[int, str]
) -> None:
    number, _ = proposed
    place.last_shown(number, ago=2 * PAUSE)
    until_a_later_second(place.running)
    before = place.site.calls()

    place.shown(number, place.push("better", "Try again", **place.training("# again")))

    place.at_rest()
    spent = place.site.calls() - before
    assert spent.total() <= MOST_CALLS_FOR_A_HEAD, spent


def test_a_push_without_models_costs_nothing_and_one_that_touches_none_the_check_that_says_so(
    place: Place[Site],
) -> None:
    place.check(place.start())
    place.at_rest()
    before = place.site.calls()

    place.work.git("checkout", "--quiet", "-B", "notes", "main")
    elsewhere = place.push("notes", "A branch that does not train", **{"NOTES.md": "none"})
    place.work.git("checkout", "--quiet", "main")
    untouched = place.push("main", "Notes", **{"NOTES.md": "some"})
    place.check(untouched, "mlops")
    place.work.git("rm", "--quiet", "mlops.yaml")
    without = place.push("main", "No models here")

    heads = place.service.bot.store.heads
    place.running.wait_for("both", lambda: heads(place.site.key) == {"main": without, "notes": elsewhere})
    place.at_rest()
    assert (place.site.calls() - before).total() == 1
    assert "No model is touched by what changed" in place.check(untouched, "mlops").title
    assert place.site.checks(elsewhere) == place.site.checks(without) == []


@pytest.mark.parametrize("quiet_for", [timedelta(0), 2 * PAUSE], ids=["just reported", "quiet"])
def test_train_is_acknowledged_carried_out_and_answered_within_six_calls(
    place: Place[Site], proposed: tuple[int, str], quiet_for: timedelta
) -> None:
    number, sha = proposed
    place.last_shown(number, ago=quiet_for)
    before = place.site.calls()

    answer, reactions = place.say(number, "ada", "/train threshold=0.45")
    place.shown(number, sha, count=2)

    place.at_rest()
    run = place.running.ended(sha, count=2)
    assert reactions == ["eyes", "+1"]
    assert (run.params, run.requested_by) == ({"threshold": 0.45}, "ada")
    assert run.id in answer
    assert sha[:10] in answer
    spent = place.site.calls() - before
    assert spent.total() <= MOST_CALLS_FOR_A_COMMAND, spent
