"""Heads that move: what is superseded, what runs anew, and by which gates it is judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.change import ChangeState
from bot.domain.check import Conclusion
from bot.domain.errors import UserError
from bot.domain.result import Failure, FailureKind
from bot.domain.run import Phase
from bot.usecases.reruns import rerun
from tests.usecases.kit import KEY, Place, project


def opened(place: Place) -> str:
    """A trained base, and change 1 with a run."""
    place.end(place.run(place.start()))
    sha = place.commit("trees", churn__train_py="print(2)")
    place.look()
    return sha


def test_a_new_head_supersedes_what_runs_and_what_waits_of_the_older_one(narrow: Place):
    for run in narrow.runs(narrow.start("churn", "fraud")):
        narrow.end(run)
    old = narrow.commit("trees", churn__train_py="print(2)", fraud__train_py="print(2)")
    narrow.look()
    assert sorted(run.phase for run in narrow.runs(old)) == [Phase.QUEUED, Phase.RUNNING]

    new = narrow.commit("trees", churn__train_py="print(3)")
    narrow.look()
    narrow.later(60)

    assert [run.phase for run in narrow.runs(old)] == [Phase.SUPERSEDED, Phase.SUPERSEDED]
    assert {run.superseded_by for run in narrow.runs(old)} == {new}


def test_a_push_ends_only_what_it_runs_again(place: Place):
    first = place.start("churn", "fraud")

    second = place.commit(fraud__train_py="print(2)")
    place.look()
    place.later(60)

    assert {run.model: run.phase for run in place.runs(first)} == {"churn": Phase.RUNNING, "fraud": Phase.SUPERSEDED}
    assert [run.model for run in place.runs(second)] == ["fraud"]

    churn = next(run for run in place.runs(first) if run.model == "churn")
    place.end(churn)
    assert place.checks(first)["mlops/churn"].conclusion is Conclusion.SUCCESS
    assert place.store.newest_result(KEY, branch="main", model="churn").id == churn.id


def test_a_head_that_comes_back_runs_anew_when_it_was_superseded(place: Place):
    first = opened(place)
    place.commit("trees", churn__train_py="print(3)")
    place.look()
    place.later(60)
    place.worktree.git("reset", "--quiet", "--hard", first)
    place.worktree.push("trees")
    place.look()
    place.later(60)

    assert [run.phase for run in place.runs(first)] == [Phase.SUPERSEDED, Phase.RUNNING]


def test_a_head_that_comes_back_shows_its_own_result_not_what_was_tried_there(place: Place):
    first = opened(place)
    place.end(place.run(first), accuracy=0.95)
    place.say("/train churn depth=9")
    place.converge()
    place.end(place.run(first), accuracy=0.5)
    place.commit("trees", churn__train_py="print(3)")
    place.look()
    place.later(60)

    place.worktree.git("reset", "--quiet", "--hard", first)
    place.worktree.push("trees")
    place.look()

    assert (place.run(first).phase, place.run(first).params) == (Phase.REUSED, {"depth": 3})
    assert place.checks(first)["mlops/churn"].conclusion is Conclusion.SUCCESS


def test_a_change_that_ends_ends_its_runs(place: Place):
    sha = opened(place)

    place.seen(replace(place.change, state=ChangeState.CLOSED))
    place.later(60)

    assert (place.run(sha).phase, place.run(sha).superseded_by) == (Phase.SUPERSEDED, "closed")
    assert place.checks(sha)["mlops/churn"].conclusion is Conclusion.CANCELED


def test_a_change_that_is_opened_again_runs_again(place: Place):
    sha = opened(place)
    place.seen(replace(place.change, state=ChangeState.CLOSED))
    place.later(60)

    place.seen(replace(place.change, state=ChangeState.OPEN))
    place.converge()

    assert [run.phase for run in place.runs(sha)] == [Phase.SUPERSEDED, Phase.RUNNING]


def test_a_change_that_aims_at_another_branch_is_judged_by_that_ones_gates(place: Place):
    place.end(place.run(place.start()))
    place.commit("lax", mlops_yaml=project(gates="accuracy >= 0.1"))
    sha = place.commit("trees", churn__train_py="print(2)")
    place.look()
    number = next(change.number for change in place.store.changes(KEY) if change.source_branch == "trees")
    change = place.store.change(KEY, number)
    assert change is not None
    place.seen(replace(change, target_branch="lax"))
    place.later(60)
    place.end(place.run(sha), accuracy=0.5)
    assert place.checks(sha)["mlops/churn"].conclusion is Conclusion.SUCCESS

    place.seen(replace(change, target_branch="main"))
    place.later(60)

    assert place.run(sha).phase is Phase.REUSED
    assert place.run(sha).gates == ("accuracy >= 0.9",)
    assert place.checks(sha)["mlops/churn"].conclusion is Conclusion.FAILURE


def test_a_branch_that_is_deleted_ends_its_runs(place: Place):
    sha = place.start()

    place.pushed(sha, None)
    place.later(60)

    assert (place.run(sha).phase, place.run(sha).superseded_by) == (Phase.SUPERSEDED, "deleted")


def test_retrying_data_that_could_not_be_found_asks_for_the_same_data(place: Place):
    opened(place)
    sha = place.commit("trees", mlops_yaml=project() + "    data: {path: x.csv}\n")
    place.look()
    first = place.say("/train churn data=nope")
    place.converge()
    assert "nope" in place.answer(first)

    second = place.say("/retry churn")
    place.converge()

    assert "nope" in place.answer(second)
    assert place.run(sha).phase is Phase.FAILED


def test_a_run_of_a_branch_that_moved_on_is_not_run_again(place: Place):
    old = place.start()
    place.end(place.run(old), failure=Failure("train", FailureKind.EXIT, "ended with 1"))
    new = place.commit(churn__train_py="print(2)")
    place.look()

    with pytest.raises(UserError) as raised:
        rerun(place.run(old).id, by="ada", trigger="page:1", world=place.world)

    assert raised.value.problem == f"This run is of `{old[:10]}`, and `main` has moved on to `{new[:10]}`."


def test_only_models_entries_count_of_a_project_file_beside_the_model(place: Place):
    text = "version: 1\nmodels:\n  churn:\n    train: {run: python train.py}\n"
    first = place.commit(mlops_yaml=text, train_py="print(1)")
    place.look()
    place.end(place.run(first))

    second = place.commit(mlops_yaml=text.replace("    train", "    # words\n    evaluate: {run: x}\n    train"))
    place.look()
    third = place.commit(mlops_yaml=text)
    place.look()

    assert place.run(second).key != place.run(first).key
    assert (place.run(third).key, place.run(third).phase) == (place.run(first).key, Phase.REUSED)
