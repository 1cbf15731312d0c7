"""Check runs of an App, commit statuses of a token."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.check import Annotation, Check, CheckAction, CheckStatus, Conclusion
from bot.domain.errors import TransientError
from tests.fakes.github.records import CheckRun
from tests.fakes.github.workshop import Workshop
from tests.forges.github.conftest import Clock

KEY = "github/Acme/models"
RUNS = "POST /repos/Acme/models/check-runs"


def queued(shop: Workshop) -> Check:
    sha = shop.repo.heads["main"]
    return Check("mlops/churn", sha, CheckStatus.QUEUED, None, "Queued", "Waits.", "https://bot.example/runs/1")


def failed(check: Check, *lines: int) -> Check:
    notes = tuple(Annotation("train.py", line, f"boom {line}") for line in lines)
    return replace(
        check, status=CheckStatus.COMPLETED, conclusion=Conclusion.FAILURE, title="Failed", annotations=notes
    )


def only(shop: Workshop) -> CheckRun:
    (run,) = shop.repo.runs
    return run


def test_a_check_costs_a_call_to_create_and_one_to_complete(shop: Workshop) -> None:
    shop.tree.commit("More", a="1")
    shop.push("main")
    shop.told()
    before = sum(shop.fake.rest_calls().values())

    first = shop.forge.put_check(KEY, queued(shop), known_id=None)
    last = shop.forge.put_check(KEY, failed(queued(shop), 3), known_id=first)

    assert last == first
    assert sum(shop.fake.rest_calls().values()) - before == 2
    assert only(shop).fields["conclusion"] == "failure"
    assert only(shop).fields["details_url"] == "https://bot.example/runs/1"
    assert [(note["path"], note["start_line"], note["message"]) for note in only(shop).annotations] == [
        ("train.py", 3, "boom 3")
    ]


def test_what_is_too_much_for_github_is_cut_and_sent_in_batches(shop: Workshop) -> None:
    actions = tuple(CheckAction(f"action-{n}" * 5, "A label " * 9, "A description " * 9) for n in range(5))
    notes = tuple(Annotation("train.py", line, "x" * 70_000, "notice") for line in range(1, 121))
    check = replace(failed(queued(shop)), title="t" * 400, summary="s" * 70_000, annotations=notes, actions=actions)

    shop.forge.put_check(KEY, check, known_id=None)

    run = only(shop)
    assert len(run.fields["output"]["summary"]) == 65_535
    assert [note["start_line"] for note in run.annotations] == list(range(1, 121))
    assert [len(action["label"]) for action in run.fields["actions"]] == [20, 20, 20]


def test_a_check_that_is_done_again_gets_a_run_of_its_own_so_that_old_annotations_go(shop: Workshop) -> None:
    first = shop.forge.put_check(KEY, failed(queued(shop), 3), known_id=None)

    again = shop.forge.put_check(KEY, queued(shop), known_id=first)
    shop.forge.put_check(KEY, replace(failed(queued(shop)), conclusion=Conclusion.SUCCESS), known_id=again)

    assert [(str(run.id), len(run.annotations)) for run in shop.repo.runs] == [(first, 1), (again, 0)]


def test_annotations_are_not_doubled_when_the_same_is_shown_again_after_a_restart(shop: Workshop) -> None:
    first = shop.forge.put_check(KEY, failed(queued(shop), *range(1, 111)), known_id=None)
    shop.restart()

    again = shop.forge.put_check(KEY, failed(queued(shop), *range(1, 112)), known_id=first)

    assert again == first
    assert [note["start_line"] for note in only(shop).annotations] == list(range(1, 112))


@pytest.mark.parametrize("how", [{"status": 502, "is_done": True}, {"drops": True, "is_done": True}])
def test_a_check_that_may_have_been_made_is_looked_up_not_made_twice(shop: Workshop, how: dict[str, object]) -> None:
    shop.tree.commit("More", a="1")
    shop.push("main")
    shop.told()
    shop.fake.fail(RUNS, **how)

    with pytest.raises(TransientError):
        shop.forge.put_check(KEY, queued(shop), known_id=None)
    shop.forge.put_check(KEY, failed(queued(shop)), known_id=None)

    assert only(shop).fields["conclusion"] == "failure"


def test_a_check_whose_id_was_never_stored_is_found_after_a_restart(shop: Workshop) -> None:
    first = shop.forge.put_check(KEY, queued(shop), known_id=None)
    shop.restart()

    assert shop.forge.put_check(KEY, failed(queued(shop)), known_id=None) == first
    assert only(shop).fields["conclusion"] == "failure"


def test_a_check_that_is_gone_is_made_anew(shop: Workshop) -> None:
    assert shop.forge.put_check(KEY, queued(shop), known_id="999999") == str(only(shop).id)


def test_at_little_quota_only_what_is_final_is_sent(shop: Workshop, clock: Clock) -> None:
    first = shop.forge.put_check(KEY, queued(shop), known_id=None)
    shop.fake.quota_left = dict.fromkeys(shop.fake.quota_left, 400)
    shop.forge.permission(KEY, "Ada")
    started = replace(queued(shop), status=CheckStatus.IN_PROGRESS)

    assert shop.forge.put_check(KEY, started, known_id=first) == first
    assert only(shop).fields["status"] == "queued"
    assert shop.forge.put_check(KEY, replace(started, name="mlops/other"), known_id=None) == ""
    shop.forge.put_check(KEY, failed(queued(shop)), known_id=first)
    assert only(shop).fields["conclusion"] == "failure"


def test_a_token_shows_the_same_as_commit_statuses(token_shop: Workshop) -> None:
    shop = token_shop
    shown = []
    for conclusion in (None, *Conclusion):
        status = CheckStatus.COMPLETED if conclusion else CheckStatus.QUEUED
        check = replace(queued(shop), status=status, conclusion=conclusion, title="words " * 40)
        shown.append(shop.forge.put_check(KEY, check, known_id=None))

    assert not shop.forge.capabilities.check_runs
    assert set(shown) == {"mlops/churn"}
    assert [status["state"] for status in shop.repo.statuses] == [
        "pending", "success", "failure", "success", "error", "pending"
    ]  # fmt: skip
    assert {len(status["description"]) for status in shop.repo.statuses} == {140}


def test_all_checks_of_a_commit_are_run_again_by_their_names(shop: Workshop) -> None:
    for name in ("mlops/churn", "mlops/prices"):
        shop.forge.put_check(KEY, replace(failed(queued(shop)), name=name), known_id=None)
    shop.world.press_rerun_all(shop.repo, shop.repo.heads["main"], "Ada")

    told = shop.told()

    assert sorted(event.name for event in told) == ["mlops/churn", "mlops/prices"]  # type: ignore[union-attr]  # re-runs
    assert len({event.trigger for event in told}) == 2  # type: ignore[union-attr]  # re-runs
