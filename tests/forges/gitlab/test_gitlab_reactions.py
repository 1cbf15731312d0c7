"""Reactions are award emoji on a note."""

from __future__ import annotations

import pytest

from bot.domain.change import Change
from bot.domain.errors import UserError
from bot.domain.feedback import Reaction
from bot.forges.gitlab.api import GitLabForge
from tests.fakes.gitlab.records import Award, MergeRequest, Note
from tests.fakes.gitlab.workshop import Workshop

AWARDS = "/projects/:id/merge_requests/:id/notes/:id/award_emoji"


@pytest.fixture
def note(it: Workshop, change: Change, merge_request: MergeRequest) -> Note:
    return it.world.write(merge_request, it.ada, "/train")


def react(it: Workshop, change: Change, note: Note, *reactions: Reaction) -> None:
    for reaction in reactions:
        it.forge.react(change.repository, change.number, str(note.id), reaction)


def names(note: Note) -> list[tuple[str, str]]:
    return [(award.user.username, award.name) for award in note.awards]


def test_the_bots_next_reaction_takes_the_place_of_its_former_one_in_three_calls(
    it: Workshop, change: Change, note: Note
) -> None:
    note.awards.append(Award(1, "eyes", it.grace))

    react(it, change, note, Reaction.SEEN, Reaction.DONE, Reaction.DONE)

    assert names(note) == [("grace", "eyes"), (it.bot.username, "thumbsup")]
    assert it.spent() == {f"POST {AWARDS}": 2, f"DELETE {AWARDS}/:id": 1}


def test_after_a_restart_the_former_reaction_is_found_and_replaced(it: Workshop, change: Change, note: Note) -> None:
    react(it, change, note, Reaction.SEEN)
    it.forge = GitLabForge(it.settings, git=it.git, clock=it.clock)

    react(it, change, note, Reaction.SEEN, Reaction.REFUSED)

    assert names(note) == [(it.bot.username, "thumbsdown")]


def test_other_awards_of_the_bots_user_are_left_alone(it: Workshop, change: Change, note: Note) -> None:
    note.awards.append(Award(1, "rocket", it.bot))
    it.forge = GitLabForge(it.settings, git=it.git, clock=it.clock)

    react(it, change, note, Reaction.DONE)

    assert {name for _, name in names(note)} == {"rocket", "thumbsup"}


def test_a_comment_that_was_deleted_meanwhile_needs_no_reaction(
    it: Workshop, change: Change, note: Note, merge_request: MergeRequest
) -> None:
    merge_request.notes.clear()

    react(it, change, note, Reaction.SEEN, Reaction.DONE)


def test_an_id_that_is_no_number_is_refused_before_it_becomes_part_of_an_address(it: Workshop, change: Change) -> None:
    with pytest.raises(UserError):
        it.forge.react(change.repository, change.number, "1/../../..", Reaction.SEEN)
