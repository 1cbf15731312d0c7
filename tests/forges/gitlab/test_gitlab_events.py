"""What a stored delivery means, read with what GitLab knows now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.change import ChangeSeen, ChangeState, CommentCreated, Event, PushReceived
from bot.domain.errors import TransientError
from bot.forges.gitlab.api import GitLabForge
from tests.contracts.git_workshop import Worktree
from tests.fakes.gitlab.records import DEVELOPER, MergeRequest
from tests.fakes.gitlab.workshop import Workshop


def push(it: Workshop, tree: Worktree, branch: str, **files: str) -> str:
    sha = tree.commit(f"Work on {branch}", **files)
    tree.push(branch)
    it.world.pushed(it.project, it.ada)
    return sha


def seen(told: list[Event]) -> list[tuple[int, str, str, str]]:
    changes = [event.change for event in told if isinstance(event, ChangeSeen)]
    return [(change.number, change.head_sha, change.target_branch, str(change.state)) for change in changes]


def test_a_pushed_head_of_a_change_costs_no_call_at_all(
    it: Workshop, tree: Worktree, merge_request: MergeRequest
) -> None:
    it.forge.repositories()
    it.told()
    it.spent()

    sha = push(it, tree, "better", a="2")
    told = it.told()

    assert [type(event) for event in told] == [PushReceived, ChangeSeen]
    assert seen(told) == [(1, sha, "main", "open")]
    assert it.spent() == {}
    change = told[1].change if isinstance(told[1], ChangeSeen) else None
    assert change is not None
    assert change.author == "Ada"


def test_the_author_is_asked_for_once_when_somebody_else_acts(
    it: Workshop, tree: Worktree, merge_request: MergeRequest
) -> None:
    it.forge.repositories()
    it.spent()
    for title in ("One", "Two"):
        it.clock.forward(1)
        it.world.update_merge_request(merge_request, it.grace, title=title)

    told = [event.change for event in it.told() if isinstance(event, ChangeSeen)]

    assert [(change.author, change.title) for change in told] == [("Ada", "One"), ("Ada", "Two")]
    assert it.spent() == {"GET /users/:id": 1}


def test_another_target_a_close_and_a_reopening_are_told(
    it: Workshop, tree: Worktree, merge_request: MergeRequest
) -> None:
    it.world.update_merge_request(merge_request, it.ada, target_branch="release")
    it.clock.forward(1)
    it.world.update_merge_request(merge_request, it.ada, "close", state="closed")
    it.clock.forward(1)
    it.world.update_merge_request(merge_request, it.ada, "reopen", state="opened")

    sha = merge_request.sha
    assert seen(it.told()) == [(1, sha, "release", "open"), (1, sha, "release", "closed"), (1, sha, "release", "open")]


def test_hooks_that_come_late_or_in_another_order_end_in_the_same_state(
    it: Workshop, tree: Worktree, merge_request: MergeRequest
) -> None:
    push(it, tree, "better", a="2")
    newest = push(it, tree, "better", a="3")
    it.world.update_merge_request(merge_request, it.ada, "close", state="closed")
    deliveries = [delivery for sent in it.sent() if (delivery := it.open(sent)) is not None]

    told = [event for delivery in reversed(deliveries) for event in it.forge.events(delivery)]

    assert {(head, state) for _, head, _, state in seen(told)} == {(newest, "closed")}
    assert {event.after_sha for event in told if isinstance(event, PushReceived)} == {newest}


def test_an_old_hook_is_held_against_what_gitlab_says_now(
    it: Workshop, tree: Worktree, merge_request: MergeRequest
) -> None:
    it.world.tell_merge_request(merge_request, it.ada, "open")
    delivery = it.open(it.sent()[0])
    assert delivery is not None
    it.world.update_merge_request(merge_request, it.ada, "merge", state="merged")
    it.clock.forward(3600)
    late = replace(delivery, received_at=it.clock())
    it.forge = GitLabForge(it.settings, git=it.git, clock=it.clock)

    assert seen(list(it.forge.events(late))) == [(1, merge_request.sha, "main", "merged")]


def test_a_merge_request_that_was_deleted_means_nothing(
    it: Workshop, tree: Worktree, merge_request: MergeRequest
) -> None:
    it.world.update_merge_request(merge_request, it.ada, title="Soon gone")
    it.project.merge_requests.clear()
    tree.git("push", "--quiet", str(it.project.bare), ":refs/merge-requests/1/head")

    assert it.told() == []


def test_a_merge_request_from_a_fork_is_told_as_one(it: Workshop, tree: Worktree) -> None:
    fork = it.world.fork(it.project, "eve/models", it.eve)
    theirs = Worktree(it.folder / "eve", fork.bare)
    theirs.branch("evil", "origin/main")
    sha = theirs.commit("Steal", a="2")
    theirs.push("evil")
    it.world.pushed(fork, it.eve)
    it.sent()
    opened = it.world.open_merge_request(it.project, "evil", it.eve, source=fork)

    (told,) = it.told()

    assert isinstance(told, ChangeSeen)
    assert (told.change.from_fork, told.change.head_sha, told.change.author) == (True, sha, "eve")
    assert it.change(opened) == told.change
    opened.source = None
    assert it.change(opened).from_fork


def test_a_comment_is_told_at_once_and_an_edit_is_not(it: Workshop, merge_request: MergeRequest) -> None:
    it.forge.repositories()
    note = it.world.write(merge_request, it.eve, "/train")
    it.world.edit(merge_request, note, it.eve, "/train --force")

    (told,) = it.told()

    assert isinstance(told, CommentCreated)
    assert (told.comment.id, told.comment.author, told.comment.body) == (str(note.id), "eve", "/train")


def test_a_push_of_many_branches_which_gitlab_does_not_tell_of_is_found_by_comparing(
    it: Workshop, tree: Worktree
) -> None:
    it.sent()
    for number in range(5):
        tree.branch(f"branch-{number}")
        tree.commit("work", a=str(number))
    tree.push(*(f"branch-{number}" for number in range(5)))
    it.world.pushed(it.project, it.ada)

    assert it.told() == []
    assert len(it.forge.heads(it.forge.repositories()[0])) == 6


def test_a_project_that_the_bot_was_just_added_to_is_known_at_its_first_hook(it: Workshop, tree: Worktree) -> None:
    it.forge.repositories()
    made = it.world.add_project("acme/new", (it.ada, DEVELOPER), (it.bot, DEVELOPER))
    it.world.add_hook(made, "http://127.0.0.1:9/", it.settings.webhook_secrets[1])
    it.clock.forward(11)
    tree.git("push", "--quiet", str(made.bare), "main")
    it.sent()
    it.world.pushed(made, it.ada)

    (told,) = it.told()

    assert isinstance(told, PushReceived)
    assert told.repository.key == "gitlab/acme/new"
    assert told.repository.clone_address == f"{it.fake.url}/acme/new.git", "never the payload's address"


def test_a_default_branch_that_was_renamed_is_learned_from_the_next_push(it: Workshop, tree: Worktree) -> None:
    it.forge.repositories()
    it.clock.forward(11)
    it.project.default_branch = "trunk"
    it.sent()
    tree.git("branch", "--move", "main", "trunk")
    push(it, tree, "trunk", a="2")

    (told,) = it.told()

    assert isinstance(told, PushReceived)
    assert told.repository.default_branch == "trunk"


def test_a_gitlab_that_is_down_postpones_what_can_not_be_read_without_it(
    it: Workshop, tree: Worktree, merge_request: MergeRequest
) -> None:
    it.forge.repositories()
    it.world.update_merge_request(merge_request, it.grace, title="By another")
    it.fake.fail("GET /users/", status=503)
    delivery = it.open(it.sent()[0])
    assert delivery is not None

    with pytest.raises(TransientError):
        it.forge.events(delivery)
    assert seen(list(it.forge.events(delivery))) == [(1, merge_request.sha, "main", str(ChangeState.OPEN))]


def test_all_open_merge_requests_are_listed_and_those_that_ended_lately(
    it: Workshop, tree: Worktree, merge_request: MergeRequest
) -> None:
    long_ago = it.clock() - timedelta(days=30)
    for number in range(2, 253):
        moment = long_ago if number % 2 else it.clock()
        state = "opened" if number <= 230 else "merged"
        it.project.merge_requests.append(
            replace(merge_request, iid=number, state=state, created_at=long_ago, updated_at=moment)
        )

    listed = it.forge.changes(it.forge.repositories()[0])

    numbers = {str(state): [one.number for one in listed if one.state is state] for state in ChangeState}
    assert numbers["open"] == list(range(1, 231))
    assert numbers["merged"] == [number for number in range(231, 253) if number % 2 == 0]
    assert numbers["closed"] == []


def test_a_merge_request_without_a_head_or_an_author_is_no_stumbling_block(
    it: Workshop, tree: Worktree, merge_request: MergeRequest
) -> None:
    it.project.merge_requests.append(replace(merge_request, iid=2, sha=""))
    it.project.merge_requests.append(replace(merge_request, iid=3, author=None))

    listed = it.forge.changes(it.forge.repositories()[0])

    assert [(change.number, change.author) for change in listed] == [(1, "Ada"), (3, "ghost")]
