"""Pushes, changes and comments: decided once, whoever sees them first, and never by what is outdated."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from bot.domain.change import Comment, CommentCreated, PushReceived
from bot.domain.check import Conclusion
from bot.domain.errors import TransientError, UserError
from bot.domain.run import Phase
from bot.ports.plain_records import Post
from bot.ports.store import Claim, Kind, Overtaken
from bot.usecases import deliveries, events, repository_loop
from bot.usecases.events import handle_event
from tests.contracts.git_workshop import git
from tests.usecases.kit import KEY, Place


def opened(place: Place) -> str:
    """A trained base, and change 1 with a run."""
    place.end(place.run(place.start()))
    sha = place.commit("trees", churn__train_py="print(2)")
    place.look()
    return sha


def comment_of(post: Post) -> Comment:
    return Comment(post.id, post.repository, post.number, post.author, post.body, post.created_at)


def test_an_event_that_is_seen_twice_is_carried_out_once(place: Place):
    sha = opened(place)
    place.seen(place.change)
    place.pushed(None, place.worktree.git("rev-parse", "main"))
    place.converge()

    assert [run.sha for run in place.runs()].count(sha) == 1
    assert len(place.runs()) == 2


def test_of_two_that_handle_a_push_at_once_one_wins_and_nothing_is_doubled(place: Place, monkeypatch):
    before = place.start()
    place.end(place.run(before))
    sha = place.commit(churn__train_py="print(2)")
    decide, quick = events.push_received, []

    def overtaken(event, world):
        writes = decide(event, world)
        if not quick:
            quick.append(True)
            place.pushed(before, sha)
        return writes

    monkeypatch.setattr(events, "push_received", overtaken)
    with pytest.raises(Overtaken):
        place.pushed(before, sha)

    assert [run.sha for run in place.runs()] == [before, sha]


def test_of_two_that_read_a_comment_at_once_one_answers_and_its_reaction_stays(place: Place, monkeypatch):
    opened(place)
    post = place.say("/train churn depth=5")
    event = CommentCreated(place.repository, comment_of(post))
    decide, quick = events.comment_created, []

    def overtaken(event, world):
        writes = decide(event, world)
        if not quick:
            quick.append(True)
            place.converge()
        return writes

    monkeypatch.setattr(events, "comment_created", overtaken)
    with pytest.raises(Overtaken):
        handle_event(event, place.world)
    place.converge()

    assert len([run for run in place.runs() if run.params == {"depth": 5}]) == 1
    assert place.answer(post).startswith("- `churn`: train at")
    assert place.records.post(post.id).reactions == ("+1",)
    assert [entry.action for entry in place.store.ledger()].count("train") == 1


def test_what_was_read_before_a_newer_push_was_handled_is_dropped(place: Place, monkeypatch):
    old = opened(place)
    stale = place.change
    new = place.commit("trees", churn__train_py="print(3)")
    place.look()
    runs = [run.id for run in place.runs()]
    monkeypatch.setattr(place.forge, "changes", lambda _repository: [stale])
    known = {1: place.change}
    monkeypatch.setattr(place.store, "changes", lambda *_a, **_k: [replace(known[1], head_sha=old, title="older")])

    place.look()

    assert place.change.head_sha == new
    assert [run.id for run in place.runs()] == runs
    assert place.run(new).phase is Phase.RUNNING


def test_a_delivery_that_was_overtaken_is_read_again(place: Place, monkeypatch):
    opened(place)
    post = place.say("/status")
    (claim,) = place.claims(Kind.DELIVERY)
    (task,) = place.tasks(Kind.DELIVERY, [claim])

    def beaten(_event, _world):
        raise Overtaken("by catching up")

    monkeypatch.setattr(deliveries, "handle_event", beaten)
    with pytest.raises(TransientError) as raised:
        task()
    assert raised.value.retry_after_s == deliveries.OVERTAKEN_RETRY_S

    monkeypatch.undo()
    task()
    place.converge()
    assert place.answer(post).startswith("| Model | State | Run |")


def test_a_comment_on_a_change_that_no_webhook_told_of_opens_it_first(place: Place):
    place.end(place.run(place.start()))
    sha = place.commit("trees", churn__train_py="print(2)")
    place.forge.changes(place.repository)  # the forge knows it, the bot does not

    post = place.say("/train churn depth=5")
    place.converge()

    assert [run.params for run in place.runs(sha)] == [{"depth": 3}, {"depth": 5}]
    assert "train at" in place.answer(post)


def test_a_chat_among_people_is_not_caught_up_again_and_again(place: Place, monkeypatch):
    opened(place)
    place.forge.say(KEY, 1, "ada", "Looks good to me.")
    seen = []
    monkeypatch.setattr(repository_loop, "handle_event", lambda event, _world: seen.append(event))

    place.look()

    assert seen == []


def test_a_comment_whose_webhook_was_lost_is_found(place: Place):
    opened(place)
    place.forge.say(KEY, 1, "ada", "/status")

    place.look()

    (post,) = [post for post in place.records.posts(KEY, 1) if not post.is_bot]
    assert place.answer(post).startswith("| Model | State | Run |")


def test_whoever_may_not_write_is_refused_and_told_who_may(place: Place):
    opened(place)
    place.forge.readers = ("eve",)

    post = place.say("/train churn", author="eve")
    place.converge()

    assert place.answer(post).startswith("`eve` may not do this: commands need write permission to the repository.")
    assert place.records.post(post.id).reactions == ("-1",)
    assert len(place.runs()) == 2


def test_the_author_of_a_delivery_that_is_given_up_is_told_and_those_behind_it_go_on(place: Place):
    opened(place)
    post, next_post = place.say("/train churn"), place.say("/status")
    (claim,) = place.claims(Kind.DELIVERY)

    deliveries.give_up(claim, "KeyError: 'x'", place.world)
    place.converge()

    assert place.answer(post).startswith("mlops-bot failed to carry this out. It is not your fault.")
    assert "| Model |" in place.answer(next_post)
    assert place.store.counts()["delivery/given_up"] == 1


def test_a_head_that_can_not_be_looked_at_is_told_on_it_and_taken_back_when_it_can(place: Place, monkeypatch):
    place.end(place.run(place.start()))
    sha = place.commit("trees", churn__train_py="print(2)")

    def refuse(*_arguments: object) -> None:
        raise UserError("The repository does not hold it.", "Push it again.")

    with monkeypatch.context() as patch:
        patch.setattr(place.git, "changed_paths", refuse)
        place.look()

    check = place.checks(sha)["mlops"]
    assert (check.conclusion, check.title) == (Conclusion.FAILURE, "This commit could not be looked at")
    assert "The repository does not hold it. Push it again." in check.summary

    post = place.say("/train churn")
    place.converge()
    assert "train at" in place.answer(post)
    assert place.checks(sha)["mlops"].conclusion is Conclusion.NEUTRAL
    assert place.checks(sha)["mlops"].title == "Taken back"


def test_a_push_of_a_commit_that_is_gone_keeps_nobody_waiting_and_nothing_is_said_of_it(place: Place, monkeypatch):
    opened(place)
    before = place.store.heads(KEY)
    tree = place.worktree
    gone = place.commit(churn__train_py="print(4)")
    tree.git("reset", "--quiet", "--hard", before["main"])
    now = place.commit(churn__train_py="print(5)")
    git(tree.bare, "gc", "--quiet", "--prune=now")
    place.say("/status")
    post = place.say("/help")
    read = place.forge.events
    push = PushReceived(place.repository, "main", before["main"], gone, "ada")
    monkeypatch.setattr(place.forge, "events", lambda delivery: [push, *read(delivery)])

    with capture_logs() as logs:
        place.converge(Kind.DELIVERY, Kind.FEEDBACK)

    assert {line["sha"] for line in logs if line["event"] == "pushed_commit_gone"} == {gone}
    assert place.store.heads(KEY) == before
    assert place.checks(gone) == {}
    assert "/train" in place.answer(post)

    place.look()
    assert place.store.heads(KEY)["main"] == now
    assert place.run(now).phase is Phase.RUNNING


def test_a_forge_that_does_not_answer_keeps_nobody_from_starting(place: Place, monkeypatch):
    def away() -> None:
        raise TransientError("The forge is away.")

    monkeypatch.setattr(place.forge, "repositories", away)

    repository_loop.watch_all(place.world)

    assert place.store.repositories() == []


def test_one_event_that_has_to_wait_keeps_no_other_of_its_repository(place: Place, monkeypatch):
    place.end(place.run(place.start()))
    sha = place.commit(churn__train_py="print(2)")
    place.commit("trees", churn__train_py="print(3)")
    real = repository_loop.handle_event

    def some_wait(event, world):
        if getattr(event, "branch", "") == "main":
            raise TransientError("The remote is away.")
        real(event, world)

    monkeypatch.setattr(repository_loop, "handle_event", some_wait)
    with place.store.transaction() as tx:
        tx.wake(Kind.REPOSITORY, KEY, now=place.now)
    (claim,) = place.claims(Kind.REPOSITORY)
    assert isinstance(claim, Claim)
    (task,) = place.tasks(Kind.REPOSITORY, [claim])

    with pytest.raises(TransientError, match="away"):
        task()

    assert place.change.source_branch == "trees"
    assert place.runs(sha) == []
