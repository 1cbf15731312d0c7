"""What every forge does with comments: what people write, what the bot answers, and its reactions."""

from __future__ import annotations

from bot.comments.render import MARKER
from bot.domain.change import ChangeSeen, CommentCreated
from bot.domain.feedback import Reaction, reply_id
from tests.contracts.forges_under_test import ForgeUnderTest, events, opened_change


def test_a_comment_is_told_and_listed_with_the_same_id(it: ForgeUnderTest) -> None:
    change = opened_change(it)

    told = events(it, it.write(change, "/train\n<script>$(id)"))

    comments = [event.comment for event in told if isinstance(event, CommentCreated)]
    assert len(comments) == len(told) == 1
    comment = comments[0]
    assert (comment.repository, comment.number, comment.body) == (
        change.repository,
        change.number,
        "/train\n<script>$(id)",
    )
    assert list(it.forge.comments(change)) == [comment]


def test_the_bots_own_comments_are_not_listed_as_peoples(it: ForgeUnderTest) -> None:
    change = opened_change(it)

    it.forge.put_comment(change, marker="<!-- m -->", body="/train\n<!-- m -->", known_id=None)

    assert list(it.forge.comments(change)) == []


def test_the_living_comment_is_found_by_its_id_and_else_by_its_marker(it: ForgeUnderTest) -> None:
    change = opened_change(it)
    it.write(change, "a person quotes <!-- m -->")

    first = it.forge.put_comment(change, marker="<!-- m -->", body="one <!-- m -->", known_id=None)
    by_id = it.forge.put_comment(change, marker="<!-- m -->", body="two <!-- m -->", known_id=first)
    by_marker = it.forge.put_comment(change, marker="<!-- m -->", body="three <!-- m -->", known_id=None)
    by_stale_id = it.forge.put_comment(change, marker="<!-- m -->", body="four <!-- m -->", known_id="999999")
    other = it.forge.put_comment(change, marker="<!-- n -->", body="other <!-- n -->", known_id=None)

    assert first == by_id == by_marker == by_stale_id != other
    assert it.shown_comments(change) == ["a person quotes <!-- m -->", "four <!-- m -->", "other <!-- n -->"]


def test_invariant_10_no_restart_and_no_webhook_that_is_read_again_gives_a_comment_a_twin(it: ForgeUnderTest) -> None:
    it.commit("better", a="1")
    opened = [it.open(webhook) for webhook in it.push("better")]
    change = next(event.change for one in opened for event in it.forge.events(one) if isinstance(event, ChangeSeen))
    asked = [it.open(webhook) for webhook in it.write(change, "/train")]
    comment = next(
        event.comment for one in asked for event in it.forge.events(one) if isinstance(event, CommentCreated)
    )
    reply = f"<!-- mlops-bot:{reply_id(comment.repository, comment.id)} -->"

    def put_both() -> list[str]:
        return [
            it.forge.put_comment(change, marker=marker, body=f"words {marker}", known_id=None)
            for marker in (MARKER, reply)
        ]

    first = put_both()
    for one in (*opened, *asked):
        it.forge.events(one)
    again = put_both()
    it.restart()
    for one in (*opened, *asked):
        it.forge.events(one)

    assert first == again == put_both()
    assert sorted(it.shown_comments(change)) == sorted(["/train", f"words {MARKER}", f"words {reply}"])


def test_a_reaction_takes_the_place_of_the_bots_former_one(it: ForgeUnderTest) -> None:
    change = opened_change(it)
    it.write(change, "/train")
    comment = it.forge.comments(change)[0]

    for reaction in (Reaction.SEEN, Reaction.DONE, Reaction.DONE):
        it.forge.react(change.repository, change.number, comment.id, reaction)

    assert it.shown_reactions(comment.id) == ["+1"]


def test_after_a_restart_the_former_reaction_is_replaced_all_the_same(it: ForgeUnderTest) -> None:
    change = opened_change(it)
    it.write(change, "/train")
    comment = it.forge.comments(change)[0]
    it.forge.react(change.repository, change.number, comment.id, Reaction.SEEN)

    it.restart()
    it.forge.react(change.repository, change.number, comment.id, Reaction.REFUSED)

    assert it.shown_reactions(comment.id) == ["-1"]
