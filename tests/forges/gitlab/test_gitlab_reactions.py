"""Reactions are award emoji on a note."""

from __future__ import annotations

import pytest

from bot.domain.change import Change
from bot.domain.errors import TransientError, UserError
from bot.domain.feedback import Reaction
from tests.fakes.gitlab.records import Award, MergeRequest, Note
from tests.fakes.gitlab.workshop import Workshop

GRAPHQL = "POST /graphql"


@pytest.fixture
def note(it: Workshop, change: Change, merge_request: MergeRequest) -> Note:
    return it.world.write(merge_request, it.ada, "/train")


def react(it: Workshop, change: Change, note: Note, *reactions: Reaction) -> None:
    for reaction in reactions:
        it.forge.react(change.repository, change.number, str(note.id), reaction)


def names(note: Note) -> list[tuple[str, str]]:
    return [(award.user.username, award.name) for award in note.awards]


def test_each_reaction_costs_one_call_which_also_takes_the_former_one_back(
    it: Workshop, change: Change, note: Note
) -> None:
    note.awards.append(Award(1, "eyes", it.grace))

    react(it, change, note, Reaction.SEEN)
    assert names(note) == [("grace", "eyes"), (it.bot.username, "eyes")]
    react(it, change, note, Reaction.DONE, Reaction.DONE)

    assert names(note) == [("grace", "eyes"), (it.bot.username, "thumbsup")]
    assert it.spent() == {GRAPHQL: 2}


def test_after_a_restart_the_former_reaction_is_replaced_without_a_look(
    it: Workshop, change: Change, note: Note
) -> None:
    react(it, change, note, Reaction.SEEN)
    it.restart()

    react(it, change, note, Reaction.SEEN, Reaction.REFUSED)

    assert names(note) == [(it.bot.username, "thumbsdown")]
    assert it.spent() == {GRAPHQL: 3}


def test_a_reaction_whose_answer_was_lost_is_shown_once(it: Workshop, change: Change, note: Note) -> None:
    it.fake.fail(GRAPHQL, is_done=True)
    with pytest.raises(TransientError):
        react(it, change, note, Reaction.SEEN)

    react(it, change, note, Reaction.SEEN)

    assert names(note) == [(it.bot.username, "eyes")]


def test_other_awards_of_the_bots_user_are_left_alone(it: Workshop, change: Change, note: Note) -> None:
    note.awards.append(Award(1, "rocket", it.bot))

    react(it, change, note, Reaction.DONE)

    assert {name for _, name in names(note)} == {"rocket", "thumbsup"}


def test_a_comment_that_was_deleted_meanwhile_needs_no_reaction(
    it: Workshop, change: Change, note: Note, merge_request: MergeRequest
) -> None:
    merge_request.notes.clear()

    react(it, change, note, Reaction.SEEN, Reaction.DONE)


def test_a_reaction_that_gitlab_does_not_let_the_bot_give_is_an_error_with_its_words(
    it: Workshop, change: Change, note: Note
) -> None:
    it.fake.graphql_answer = {"data": {"show": {"errors": ["User cannot award emoji to awardable"]}}}

    with pytest.raises(UserError, match="User cannot award emoji to awardable"):
        react(it, change, note, Reaction.DONE)


def test_an_id_that_is_no_number_is_refused_before_it_becomes_part_of_an_address(it: Workshop, change: Change) -> None:
    with pytest.raises(UserError):
        it.forge.react(change.repository, change.number, "1/../../..", Reaction.SEEN)
