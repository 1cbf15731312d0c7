"""What would run, told as if it came now, with nothing written."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.change import ChangeState, Comment, CommentCreated, PushReceived
from bot.usecases.explain import explain_change, explain_event
from tests.usecases.kit import KEY, NOW, Place, project


def trained(place: Place) -> str:
    """A trained base, and change 1 with a run that has ended."""
    place.end(place.run(place.start("churn", "fraud")))
    place.end(place.runs()[0])
    sha = place.commit("trees", churn__train_py="print(2)")
    place.look()
    place.end(place.run(sha))
    return sha


def explain_comment(place: Place, body: str, author: str = "ada"):
    comment = Comment("1", KEY, 1, author, body, NOW)
    return explain_event(CommentCreated(place.repository, comment), place.world)


def test_a_push_names_each_model_that_would_run_and_why(place: Place):
    first = place.start("churn", "fraud")
    sha = place.commit(fraud__train_py="print(2)")

    told = explain_event(PushReceived(place.repository, "main", first, sha, "ada"), place.world)

    assert [(model.name, model.runs, model.outcome) for model in told.models] == [
        ("churn", False, ""),
        ("fraud", True, "runs"),
    ]
    assert told.models[1].reason == "`fraud/train.py` changed"
    assert (told.models[1].sha, told.models[1].params) == (sha, {"depth": 3})
    assert told.policy == f"gates, secrets and approvers come from `main` at {sha[:10]}"
    assert place.runs(sha) == []
    assert place.store.heads(KEY)["main"] == first


def test_a_push_to_a_branch_that_does_not_train_says_which_do(place: Place):
    place.start()
    sha = place.commit("trees", churn__train_py="print(2)")

    told = explain_event(PushReceived(place.repository, "trees", None, sha, "ada"), place.world)

    assert told.note == "Pushes to `trees` do not train: `on.push` names `main`."
    assert told.models == ()


def test_a_deleted_branch_and_an_ended_change_run_nothing(place: Place):
    trained(place)
    gone = explain_event(PushReceived(place.repository, "trees", "a" * 40, None, "ada"), place.world)
    merged = explain_change(place.repository, replace(place.change, state=ChangeState.MERGED), place.world)

    assert gone.note == "The branch is gone: its runs are ended."
    assert merged.note == "This change is merged: nothing of it is run any more."


def test_work_that_was_done_already_is_said_to_be_reused(place: Place):
    sha = trained(place)
    retargeted = replace(place.change, number=7)  # the same code, not asked for yet

    told = explain_change(place.repository, retargeted, place.world)

    assert [model.outcome for model in told.models if model.runs] == [
        f"reuses {place.run(sha).id}, which did the same work"
    ]


def test_a_change_may_not_loosen_its_own_gates(place: Place):
    trained(place)
    sha = place.commit("trees", mlops_yaml=project("churn", "fraud", gates="accuracy >= 0.1"))
    place.look()

    told = explain_change(place.repository, place.change, place.world)

    churn = told.models[0]
    assert (churn.sha, churn.gates) == (sha, ("accuracy >= 0.9",))
    assert churn.notes[0].startswith("Gates come from `main`: this change adds `accuracy >= 0.1` and removes")


def test_a_forks_head_waits_for_somebody_who_may_allow_it(place: Place):
    trained(place)
    place.forge.readers = ("eve",)
    fork = replace(place.change, number=8, from_fork=True, author="eve")

    told = explain_change(place.repository, fork, place.world)

    assert told.note == (
        "It comes from a fork: nothing is run before somebody with write permission writes `/ok-to-test`."
    )
    assert told.who == "Commands need write permission to the repository. `eve` has `read`, so may not write them."


def test_a_comment_is_told_to_be_carried_out_or_refused(place: Place):
    trained(place)
    place.forge.readers = ("eve",)

    allowed = explain_comment(place, "/train depth=4\n/status")
    refused = explain_comment(place, "/train", author="eve")

    assert allowed.note == "Carried out in this order: `/train depth=4`, `/status`."
    assert refused.note.startswith("`eve` may not do this: commands need write permission to the repository.")
    assert [post.body for post in place.records.posts(KEY, 1) if "reply:" in post.body] == []


def test_a_model_without_gates_lacks_something(place: Place):
    sha = place.commit(mlops_yaml="version: 1\nmodels:\n  churn: {train: {run: python train.py}}\n", train_py="")

    told = explain_event(PushReceived(place.repository, "main", None, sha, "ada"), place.world)

    assert [model.missing for model in told.models] == [("It has no gates, so its check will be neutral.",)]
