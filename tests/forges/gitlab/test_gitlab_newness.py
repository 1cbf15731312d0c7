"""A look for a note is saved where none can be: on what a webhook told of as new, a moment ago."""

from __future__ import annotations

import pytest

from bot.comments.render import MARKER
from bot.domain.change import Change, ChangeSeen
from bot.domain.errors import TransientError
from tests.contracts.git_workshop import Worktree
from tests.fakes.gitlab.records import MergeRequest
from tests.fakes.gitlab.workshop import Workshop

LIST = "GET /projects/:id/merge_requests/:id/notes"
MAKE = "POST /projects/:id/merge_requests/:id/notes"


@pytest.fixture
def opened(it: Workshop, tree: Worktree) -> MergeRequest:
    """After the second in which the forge started; its webhook was not read yet."""
    it.clock.forward(1)
    tree.branch("better")
    tree.commit("Work on better", a="1")
    tree.push("better")
    it.world.pushed(it.project, it.ada)
    it.sent()
    return it.world.open_merge_request(it.project, "better", it.ada)


def heard(it: Workshop) -> Change:
    change = next(event.change for event in it.told() if isinstance(event, ChangeSeen))
    it.spent()
    return change


def put(it: Workshop, change: Change, marker: str = MARKER) -> str:
    return it.forge.put_comment(change, marker=marker, body=f"words\n{marker}", known_id=None)


def reply_to(note_id: int) -> str:
    return f"<!-- mlops-bot:reply:gitlab-{note_id} -->"


def test_on_a_new_merge_request_no_note_is_looked_for_and_later_one_is(it: Workshop, opened: MergeRequest) -> None:
    change = heard(it)

    first = put(it, change)
    assert it.spent() == {MAKE: 1}

    assert put(it, change) == first
    assert it.spent()[LIST] == 1


def test_the_answer_to_a_new_note_is_not_looked_for_and_one_to_an_older_note_is(
    it: Workshop, opened: MergeRequest
) -> None:
    older = it.world.write(opened, it.ada, "/status")
    change = heard(it)
    it.clock.forward(100)
    newer = it.world.write(opened, it.ada, "/train")
    it.told()

    put(it, change, reply_to(newer.id))
    assert it.spent() == {MAKE: 1}

    put(it, change, reply_to(older.id))
    assert it.spent() == {LIST: 1, MAKE: 1}


def test_what_is_not_the_opening_makes_nothing_new(it: Workshop, opened: MergeRequest) -> None:
    it.sent()
    it.world.update_merge_request(opened, it.ada, title="Better still")

    put(it, heard(it))

    assert it.spent() == {LIST: 1, MAKE: 1}


def test_a_webhook_that_comes_late_makes_nothing_new(it: Workshop, opened: MergeRequest) -> None:
    it.clock.forward(100)

    put(it, heard(it))

    assert it.spent() == {LIST: 1, MAKE: 1}


def test_a_webhook_of_what_was_opened_before_the_start_makes_nothing_new(it: Workshop, opened: MergeRequest) -> None:
    it.world.write(opened, it.bot, f"by the process before\n{MARKER}")
    it.restart()

    note = put(it, heard(it))

    assert note == str(opened.notes[0].id)
    assert len(opened.notes) == 1


def test_a_note_that_was_put_before_the_webhook_was_read_is_looked_for(it: Workshop, opened: MergeRequest) -> None:
    change = it.change(opened)
    first = put(it, change)

    heard(it)

    assert put(it, change) == first
    assert len(opened.notes) == 1


def test_a_note_whose_answer_was_lost_on_a_new_merge_request_is_looked_up(it: Workshop, opened: MergeRequest) -> None:
    change = heard(it)
    it.fake.fail("POST .*/notes$", is_done=True)
    with pytest.raises(TransientError):
        put(it, change)

    assert put(it, change) == str(opened.notes[0].id)
    assert len(opened.notes) == 1
