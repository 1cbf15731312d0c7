"""How branches of a plain repository become changes, and how changes end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bot.domain.change import ChangeSeen, CommentCreated, Event, PushReceived
from bot.domain.errors import UserError
from bot.forges.plain.auth import signature
from tests.contracts.git_workshop import git
from tests.contracts.plain_world import NOW, SECRET, PlainWorld

Seen = list[tuple[int, str, str]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PlainWorld]:
    world = PlainWorld(tmp_path)
    world.worktree.commit("base", base="1")
    world.push("main")
    yield world
    world.close()


def seen(events: Sequence[Event]) -> Seen:
    """Number, branch and state of the changes that were told."""
    return [
        (event.change.number, event.change.source_branch, str(event.change.state))
        for event in events
        if isinstance(event, ChangeSeen)
    ]


def listed(world: PlainWorld) -> Seen:
    changes = world.forge.changes(world.repository)
    return [(change.number, change.source_branch, str(change.state)) for change in changes]


def test_a_change_has_the_words_of_its_first_commit(world: PlainWorld) -> None:
    world.worktree.branch("better")
    world.worktree.commit("  Use more trees  \n\nBecause.", a="1")
    world.worktree.commit("Fix a typo", a="2")

    told = world.push("better")

    change = next(event.change for event in told if isinstance(event, ChangeSeen))
    assert (change.title, change.author, change.number, change.opened_at) == ("Use more trees", "Ada", 1, NOW)


def test_a_change_without_words_has_its_branchs_name(world: PlainWorld) -> None:
    world.worktree.branch("better")
    world.worktree.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "--message", "")

    told = world.push("better")

    assert [event.change.title for event in told if isinstance(event, ChangeSeen)] == ["better"]


def test_a_branch_without_commits_of_its_own_is_no_change(world: PlainWorld) -> None:
    told = world.push("main:copy")

    assert [event.branch for event in told if isinstance(event, PushReceived)] == ["copy"]
    assert seen(told) == listed(world) == []


def test_the_first_push_to_an_empty_repository_names_its_default_branch(tmp_path: Path) -> None:
    world = PlainWorld(tmp_path)
    git(world.worktree.bare, "symbolic-ref", "HEAD", "refs/heads/master")
    sha = world.worktree.commit(a="1")

    told = world.push("main")

    assert world.repository.default_branch == "main"
    assert told == [PushReceived(world.repository, "main", None, sha, told[0].author)]
    world.close()


def test_changes_are_numbered_in_their_order_for_each_repository(world: PlainWorld) -> None:
    for branch in ("one", "two"):
        world.worktree.branch(branch)
        world.worktree.commit(**{branch: "1"})
        world.push(branch)

    assert listed(world) == [(1, "one", "open"), (2, "two", "open")]


def test_a_branch_that_comes_back_is_a_new_change(world: PlainWorld) -> None:
    world.worktree.branch("better")
    world.worktree.commit(a="1")
    world.push("better")
    world.push(":better")

    told = world.push("better")

    assert seen(told) == [(2, "better", "open")]
    assert listed(world) == [(1, "better", "closed"), (2, "better", "open")]


def test_more_work_on_a_merged_branch_is_a_new_change(world: PlainWorld) -> None:
    world.worktree.branch("better")
    world.worktree.commit(a="1")
    world.push("better")
    merged = world.push("better:main")
    world.worktree.commit(a="2")

    assert seen(merged) == [(1, "better", "merged")]
    assert seen(world.push("better")) == [(2, "better", "open")]


def test_merging_and_deleting_in_one_push_is_a_merge(world: PlainWorld) -> None:
    world.worktree.branch("better")
    world.worktree.commit(a="1")
    world.push("better")

    told = world.push("better:main", ":better")

    assert seen(told) == [(1, "better", "merged")]


def test_a_branch_that_was_emptied_is_closed_and_not_merged(world: PlainWorld) -> None:
    world.worktree.branch("better")
    world.worktree.commit(a="1")
    world.push("better")

    told = world.push("main:better")

    assert seen(told) == [(1, "better", "closed")]


def test_a_squashed_merge_closes_the_change_when_its_branch_is_deleted(world: PlainWorld) -> None:
    world.worktree.branch("better")
    world.worktree.commit(a="1")
    world.worktree.commit(a="2")
    world.push("better")
    world.worktree.git("checkout", "--quiet", "main")
    world.worktree.git("merge", "--quiet", "--squash", "better")
    world.worktree.commit("Squashed")

    assert seen(world.push("main")) == []
    assert seen(world.push(":better")) == [(1, "better", "closed")]


def test_a_change_of_another_history_is_a_change(world: PlainWorld) -> None:
    world.worktree.git("checkout", "--quiet", "--orphan", "island")
    world.worktree.commit("Anew", a="1")

    assert seen(world.push("island")) == [(1, "island", "open")]


def test_a_change_follows_when_another_branch_becomes_the_default_one(world: PlainWorld) -> None:
    for branch in ("trunk", "better"):
        world.worktree.branch(branch, "main" if branch == "trunk" else "trunk")
        world.worktree.commit(**{branch: "1"})
        world.push(branch)

    git(world.worktree.bare, "symbolic-ref", "HEAD", "refs/heads/trunk")

    changes = world.forge.changes(world.repository)
    assert [(change.source_branch, change.target_branch, change.state) for change in changes] == [
        ("trunk", "main", "merged"),
        ("better", "trunk", "open"),
    ]


def test_a_message_that_is_late_tells_of_the_change_as_it_is_now(world: PlainWorld) -> None:
    world.worktree.branch("better")
    world.worktree.commit(a="1")
    world.worktree.push("better")
    late = world.delivery()
    newest = world.worktree.commit(a="2")
    world.push("better")

    told = world.events_of(late)

    assert [event.change.head_sha for event in told if isinstance(event, ChangeSeen)] == [newest]
    assert seen(told) == [(1, "better", "open")]


def test_the_same_message_twice_opens_one_change(world: PlainWorld) -> None:
    world.worktree.branch("better")
    world.worktree.commit(a="1")
    world.worktree.push("better")
    delivery = world.delivery()

    assert world.events_of(delivery) == world.events_of(delivery)
    assert listed(world) == [(1, "better", "open")]


def test_invariant_2_pushes_of_which_nothing_was_told_are_found(world: PlainWorld) -> None:
    (world.home / "service-url").unlink()  # the hook has nobody to tell
    for branch in ("kept", "merged", "gone"):
        world.worktree.branch(branch)
        world.worktree.commit(**{branch: "1"})
        world.worktree.push(branch)
    open_then = listed(world)
    world.worktree.branch("kept", "kept")
    newest = world.worktree.commit(kept="2")
    world.worktree.branch("merged", "merged")
    world.worktree.commit(merged="2")
    world.worktree.push("kept", "merged:main", ":merged", ":gone")

    found = world.forge.changes(world.repository)

    assert open_then == [(1, "gone", "open"), (2, "kept", "open"), (3, "merged", "open")]
    assert [(change.source_branch, change.state) for change in found] == [
        ("gone", "closed"),
        ("kept", "open"),
        ("merged", "merged"),
    ]
    assert found[1].head_sha == newest
    assert world.forge.changes(world.repository) == found


def test_a_repository_that_is_watched_from_now_on_is_looked_at_as_a_whole(world: PlainWorld) -> None:
    world.worktree.branch("better")
    head = world.worktree.commit(a="1")
    world.push("better")
    body = b'{"repository": "plain/models", "refs": [], "pusher": ""}'
    delivery = world.forge.open_envelope(
        {"x-mlops-bot-signature": signature(SECRET, body), "x-mlops-bot-delivery": "1"}, body
    )
    assert delivery is not None
    told = world.events_of(delivery)

    assert [(event.branch, event.before_sha, event.after_sha) for event in told if isinstance(event, PushReceived)] == [
        ("better", None, head),
        ("main", None, world.forge.heads(world.repository)["main"]),
    ]
    assert seen(told) == [(1, "better", "open")]


def test_a_comment_that_is_said_is_told_once_by_its_id(world: PlainWorld) -> None:
    world.worktree.branch("better")
    world.worktree.commit(a="1")
    world.push("better")

    delivery = world.forge.say("plain/models", 1, "  ada ", "/train")

    told = world.events_of(delivery)
    assert (delivery.id, delivery.order_key, delivery.event) == ("plain-comment:1", "plain/models", "comment")
    assert [(event.comment.author, event.comment.body) for event in told if isinstance(event, CommentCreated)] == [
        ("ada", "/train")
    ]


@pytest.mark.parametrize(
    ("number", "body", "problem"),
    [
        (9, "/train", "There is no change 9 in plain/models."),
        (1, " \n", "The comment is empty."),
        (1, "x" * 65_537, "The comment is longer than 65,536 characters."),
    ],
)
def test_a_comment_that_can_not_be_kept_is_refused(world: PlainWorld, number: int, body: str, problem: str) -> None:
    world.worktree.branch("better")
    world.worktree.commit(a="1")
    world.push("better")

    with pytest.raises(UserError) as refused:
        world.forge.say("plain/models", number, "ada", body)

    assert refused.value.problem == problem
