"""The loop on every forge alike: the real service, engine and git, and forges that are fakes at the level of HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.domain.check import Conclusion
from bot.domain.run import Phase
from tests.journeys.forge_place import (
    LIVING,
    Place,
    Site,
    Towns,
    from_a_strangers_fork,
    make_place,
    told_service,
    until_a_later_second,
)
from tests.journeys.forges import TOWNS
from tests.journeys.workplace import TRAIN

FORGES = ("github", "gitlab")


@pytest.fixture(params=FORGES)
def place(request: pytest.FixtureRequest, towns: Towns, tmp_path: Path) -> Place[Site]:
    return towns.place(request.param, tmp_path)


@pytest.fixture
def proposed(place: Place[Site]) -> tuple[int, str]:
    """A change whose head was trained, and told of; its number and its head."""
    place.check(place.start())
    number, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))
    place.shown(number, sha)
    return number, sha


@pytest.mark.parametrize("place", TOWNS, indirect=True)
def test_a_push_trains_and_a_change_gets_its_check_and_its_comment(place: Place[Site]) -> None:
    main = place.start()
    number, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))

    run = place.running.ended(sha)
    comment = place.shown(number, sha)
    assert (run.phase, run.number) == (Phase.SUCCEEDED, number)
    for commit in (main, sha):
        assert place.check(commit).conclusion is Conclusion.SUCCESS
    if place.can.check_runs:
        assert "accuracy" in place.check(sha).summary
    assert "accuracy" in comment
    assert sha[:7] in comment


def test_a_gate_that_is_missed_fails_the_check(place: Place[Site]) -> None:
    place.start()
    number, sha = place.propose("worse", "Try 0.9", **place.threshold("0.9"))

    comment = place.shown(number, sha)
    assert place.check(sha).conclusion is Conclusion.FAILURE
    assert "2 of 2 gates missed: accuracy >= 0.8, accuracy >= base - 0.05" in comment
    assert place.check(sha).title.startswith("2 of 2 gates missed: accuracy >= 0.8")


def test_a_command_by_somebody_without_write_permission_is_refused(
    place: Place[Site], proposed: tuple[int, str]
) -> None:
    number, sha = proposed

    answer, reactions = place.say(number, "rob", "/train")

    assert "write permission" in answer
    assert reactions[-1] == "-1"
    assert len(place.running.runs(sha)) == 1


def test_a_near_miss_is_answered_where_it_is_surely_for_us(place: Place[Site], proposed: tuple[int, str]) -> None:
    number, sha = proposed

    other_bots = place.site.write(number, "ada", "/trian")
    answer, reactions = place.say(number, "ada", "/mlops trian")

    assert "`trian` is not a command. Did you mean `/mlops train`?" in answer
    assert reactions[-1] == "-1"
    assert (place.answer_to(number, other_bots), place.site.reactions_so_far(other_bots)) == (None, [])
    assert len(place.running.runs(sha)) == 1


def test_of_a_fork_nothing_is_run_before_somebody_with_write_permission_allows_it(
    place: Place[Site], tmp_path: Path
) -> None:
    place.start()
    number, sha = from_a_strangers_fork(place.site, tmp_path / "eve", **place.training("# by a stranger"))

    if place.can.checks_on_forks:
        assert "/ok-to-test" in place.check(sha, "mlops").summary
    else:
        place.living_comment(number, "/ok-to-test")
    for by, body, words in (
        ("eve", "/ok-to-test", "write permission"),
        ("ada", "/train", "nobody has allowed it yet"),
    ):
        answer, reactions = place.say(number, by, body)
        assert words in answer
        assert reactions[-1] == "-1"
    assert place.running.runs(sha) == []

    until_a_later_second(place.running)
    allowed, _ = place.say(number, "ada", "/ok-to-test")

    run = place.running.ended(sha)
    assert f"`{sha[:10]}` may run, without secrets" in allowed
    assert (run.phase, run.requested_by) == (Phase.SUCCEEDED, "ada")
    place.living_comment(number, run.id)
    if place.can.checks_on_forks:
        assert place.check(sha).conclusion is Conclusion.SUCCESS


def test_an_invalid_file_is_told_at_its_line_and_the_words_go_when_it_is_fixed(place: Place[Site]) -> None:
    place.start()
    good = place.threshold("0.5")
    bad_file = good["mlops.yaml"].replace("gates:", "gate:")
    line = bad_file.splitlines().index("      gate:") + 1
    number, bad = place.propose("better", "Typo", **{"mlops.yaml": bad_file})

    assert f"line {line}" in place.living_comment(number, "has 1 error")
    check = place.check(bad, "mlops")
    assert check.conclusion is Conclusion.FAILURE
    if place.can.check_runs:
        assert [(one.path, one.line, one.level) for one in check.annotations] == [("mlops.yaml", line, "failure")]
    assert place.running.runs(bad) == []

    sha = place.push("better", "Fix", **good)
    assert "error" not in place.shown(number, sha)
    assert place.check(sha).conclusion is Conclusion.SUCCESS


@pytest.mark.parametrize("place", TOWNS, indirect=True)
def test_a_failing_training_is_told_with_its_last_words_and_where_it_can_be_beside_its_line(
    place: Place[Site],
) -> None:
    place.start()
    number, sha = place.propose("broken", "Break it", **place.training("raise ValueError('the well is dry')"))

    assert place.running.ended(sha).phase is Phase.FAILED
    assert "the well is dry" in place.living_comment(number, "the well is dry")
    check = place.check(sha)
    assert check.conclusion is Conclusion.FAILURE
    assert "the well is dry" in check.title
    if place.can.check_runs:
        last = check.annotations[-1]
        assert (last.path, last.line) == ("churn/train.py", len(TRAIN.splitlines()) + 2)
        assert "the well is dry" in last.message


def test_the_re_run_button_trains_again_for_those_who_may_write(place: Place[Any]) -> None:
    if not place.can.buttons:
        pytest.skip("this forge has no such button")
    place.start()
    number, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))
    place.shown(number, sha)

    place.site.press_rerun(sha, "rob")
    place.site.press_rerun(sha, "ada")
    place.shown(number, sha, count=2)

    assert place.running.ended(sha, count=2).requested_by == "ada"
    assert len(place.running.runs(sha)) == 2


def test_of_two_heads_in_a_row_the_newer_one_is_shown(place: Place[Site]) -> None:
    place.start()
    running = place.running
    number, first = place.propose("better", "Wait", **place.training("import time", "time.sleep(600)"))
    running.wait_for("the start", lambda: any(run.phase is Phase.RUNNING for run in running.runs(first)))

    second = place.push("better", "Train quickly", **place.training("# quick"))

    place.shown(number, second)
    assert running.ended(second).phase is Phase.SUCCEEDED
    assert running.ended(first).phase is Phase.SUPERSEDED
    assert place.check(second).conclusion is Conclusion.SUCCESS
    assert place.check(first).conclusion is Conclusion.CANCELED


def test_among_five_hundred_comments_the_living_one_is_found_also_when_its_id_is_forgotten(
    place: Place[Site], proposed: tuple[int, str]
) -> None:
    number, _ = proposed
    place.site.fill(number, 250)
    answer, _ = place.say(number, "ada", "/status")
    place.site.fill(number, 250)

    place.shown(number, place.push("better", "Known", **place.training("# known")))
    place.forget_comment(number)
    comment = place.shown(number, place.push("better", "Forgotten", **place.training("# forgotten")))

    bots = place.site.bots_comments(number)
    assert [LIVING in body for body in bots] == [True, False]
    assert bots == [comment, answer]


def test_what_was_posted_though_its_answer_was_lost_is_there_once(place: Place[Site]) -> None:
    place.start()
    place.site.lose_answers()
    number, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))

    place.shown(number, sha)
    assert len(place.site.bots_comments(number)) == 1
    assert [check.name for check in place.site.checks(sha)] == ["mlops/churn"]


def test_every_webhook_is_answered_with_success_also_one_that_is_of_no_use(place: Place[Site]) -> None:
    known = len(place.town.answers())
    place.start()
    number, _ = place.propose("notes", "Notes", **{"NOTES.md": "none"})
    place.site.write(number, "rob", "Well done")
    place.site.close_change(number)
    place.site.tell_of_something_else()

    assert place.town.answers(since=known) == [202] * 6


@pytest.mark.parametrize("forge", FORGES)
def test_what_happened_while_the_service_was_down_is_caught_up_with(forge: str, tmp_path: Path) -> None:
    town = TOWNS[forge](tmp_path / "town", places=1)
    site = town.take()
    with told_service(town, tmp_path / "home") as service:
        place = make_place(town, site, service, tmp_path / "ada")
        running = place.running
        place.start()
        number, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))
        place.shown(number, sha)
        closed, endless = place.propose("endless", "Wait", **place.training("import time", "time.sleep(600)"))
        running.wait_for("the start", lambda: any(run.phase is Phase.RUNNING for run in running.runs(endless)))

    place.work.git("checkout", "--quiet", "better")
    head = place.push("better", "Try more", **place.training("# more"))
    comment_id = site.write(number, "ada", "/status")
    site.close_change(closed)
    other, other_head = place.propose("other", "Another", **place.training("# other"))
    town.settle()

    with told_service(town, tmp_path / "home") as service:
        place = make_place(town, site, service, tmp_path / "ada again")
        place.shown(number, head)
        place.shown(other, other_head)
        place.running.wait_for("the answer", lambda: place.answer_to(number, comment_id))
        assert place.running.ended(endless).phase is Phase.SUPERSEDED
        assert len(site.bots_comments(number)) == 2
    town.close()
