"""The living comment, answers, reactions, and what people wrote."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.change import CommentCreated
from bot.domain.errors import TransientError, UserError
from bot.domain.feedback import Reaction
from tests.fakes.github.records import Note, now
from tests.fakes.github.workshop import Workshop
from tests.forges.github.conftest import Clock

KEY = "github/Acme/models"
MARK = "<!-- m -->"
COMMENTS = "/repos/Acme/models/issues/1/comments"


def bodies(shop: Workshop) -> list[str]:
    return [note.body for note in shop.repo.pulls[1].notes]


def test_the_first_comment_of_a_change_that_was_just_told_of_costs_one_call(shop: Workshop) -> None:
    shop.opened()
    shop.told()
    before = shop.fake.rest_calls()

    shop.forge.put_comment(shop.change(), marker=MARK, body=f"words {MARK}", known_id=None)

    spent = shop.fake.rest_calls() - before
    assert spent == {"POST /repos/{owner}/{repo}/issues/{issue_number}/comments": 1, **_looking}


# `shop.change()` lists, as a test does and a webhook's handling does not
_looking = {"GET /repos/{owner}/{repo}/pulls": 1, "GET /installation/repositories": 1, "GET /app/installations": 1}


def test_the_comment_is_found_over_all_pages_and_the_oldest_of_twins_wins(shop: Workshop) -> None:
    pull = shop.opened()
    for number in range(250):
        pull.notes.append(Note(1000 + number, "issue", shop.world.user("Ada"), f"talk {number}", now(), now()))
    twins = [Note(2000 + number, "issue", shop.world.bot, f"old {MARK}", now(), now()) for number in range(3)]
    pull.notes += twins
    pull.notes.append(Note(3000, "issue", shop.world.user("Ada"), f"I quote {MARK}", now(), now()))

    found = shop.forge.put_comment(shop.change(), marker=MARK, body=f"new {MARK}", known_id=None)

    assert found == "2000"
    assert [note.body for note in twins] == [f"new {MARK}", f"old {MARK}", f"old {MARK}"]
    assert [note.is_minimized for note in twins] == [False, True, True]
    assert shop.fake.requests["GET /repos/{owner}/{repo}/issues/{issue_number}/comments"] == 3


@pytest.mark.parametrize("how", [{"status": 502, "is_done": True}, {"drops": True, "is_done": True}])
def test_a_comment_that_may_have_been_made_is_looked_up_not_made_twice(shop: Workshop, how: dict[str, object]) -> None:
    shop.opened()
    shop.told()
    shop.fake.fail(f"POST {COMMENTS}", **how)

    with pytest.raises(TransientError):
        shop.forge.put_comment(shop.change(), marker=MARK, body=f"one {MARK}", known_id=None)
    shop.told()
    shop.forge.put_comment(shop.change(), marker=MARK, body=f"two {MARK}", known_id=None)

    assert bodies(shop) == [f"two {MARK}"]


def test_a_comment_that_was_posted_before_a_restart_is_found(shop: Workshop) -> None:
    shop.opened()
    sent = shop.world.hooks.take()
    for one in sent:
        shop.events_of(one)
    shop.forge.put_comment(shop.change(), marker=MARK, body=f"one {MARK}", known_id=None)
    delivery = shop.forge.open_envelope(shop.world.hooks.headers(sent[-1]), sent[-1].body)
    assert delivery is not None
    shop.restart()
    shop.forge.events(delivery)  # it was stored before the restart, and is handled again

    shop.forge.put_comment(shop.change(), marker=MARK, body=f"two {MARK}", known_id=None)

    assert bodies(shop) == [f"two {MARK}"]


def test_an_answer_to_a_comment_that_was_just_told_of_needs_no_look_up(shop: Workshop) -> None:
    pull = shop.opened()
    shop.world.write(shop.repo, pull, "/train", by="Ada")
    (told,) = [event for event in shop.told() if isinstance(event, CommentCreated)]
    marker = f"<!-- mlops-bot:reply:github-{told.comment.id} -->"
    change = shop.change()
    before = shop.fake.rest_calls()

    shop.forge.put_comment(change, marker=marker, body=f"answer {marker}", known_id=None)

    assert shop.fake.rest_calls() - before == {"POST /repos/{owner}/{repo}/issues/{issue_number}/comments": 1}


@pytest.mark.parametrize("kind", ["issue", "review", "diff"])
def test_a_reaction_takes_the_place_of_the_former_one_also_after_a_restart(shop: Workshop, kind: str) -> None:
    pull = shop.opened()
    note = shop.world.write(shop.repo, pull, "/train", by="Ada", kind=kind)
    note.reactions.append(("Grace", "HEART"))
    (told,) = [event for event in shop.told() if isinstance(event, CommentCreated)]

    shop.forge.react(KEY, 1, told.comment.id, Reaction.SEEN)
    shop.restart()
    shop.forge.react(KEY, 1, told.comment.id, Reaction.REFUSED)

    assert note.reactions == [("Grace", "HEART"), ("mlops-bot[bot]", "THUMBS_DOWN")]


def test_a_reaction_to_what_is_gone_is_refused_in_words(shop: Workshop) -> None:
    shop.opened()
    for comment_id in ("comment:999", "review:999", "999", "../1"):
        with pytest.raises(UserError):
            shop.forge.react(KEY, 1, comment_id, Reaction.SEEN)


def test_people_are_listed_wherever_they_write_and_bots_and_edits_are_not(shop: Workshop) -> None:
    pull = shop.opened()
    for kind in ("issue", "review", "diff"):
        shop.world.write(shop.repo, pull, f"/train {kind}", by="Ada", kind=kind)
    edited = shop.world.write(shop.repo, pull, "/train edited", by="Ada")
    edited.updated_at = edited.created_at.replace(year=2099)
    pull.notes.append(Note(5000, "issue", shop.world.bot, "/train bot", now(), now()))
    pull.notes.append(Note(5001, "issue", None, "/train ghost", now(), now()))
    told = {event.comment.id for event in shop.told() if isinstance(event, CommentCreated)}

    listed = shop.forge.comments(shop.change())

    assert {comment.body for comment in listed} == {"/train issue", "/train review", "/train diff"}
    assert {comment.id for comment in listed} == told - {f"comment:{edited.id}"}


def test_what_has_not_moved_since_is_not_asked_for_again(shop: Workshop, clock: Clock) -> None:
    pull = shop.opened()
    shop.world.write(shop.repo, pull, "/train", by="Ada")
    repository = shop.repository
    clock.pass_s(120)
    for _ in range(2):
        (change,) = shop.forge.changes(repository)
        shop.forge.comments(change)
    before = shop.fake.requests.copy(), shop.fake.unchanged.copy()

    (change,) = shop.forge.changes(repository)
    listed = shop.forge.comments(change)

    assert len(listed) == 1
    assert shop.fake.requests - before[0] == {}
    assert shop.fake.unchanged - before[1] == {"GET /repos/{owner}/{repo}/pulls": 1}


def test_a_later_comment_is_read_without_the_five_hundred_before_it(shop: Workshop) -> None:
    pull = shop.opened()
    early = now().replace(year=2025)
    times = [early + timedelta(seconds=number) for number in range(500)]
    pull.notes += [Note(1000 + n, "issue", shop.world.user("Ada"), f"talk {n}", at, at) for n, at in enumerate(times)]
    assert len(shop.forge.comments(shop.change())) == 500
    before = shop.fake.requests.copy()
    shop.world.write(shop.repo, pull, "/train", by="Ada")

    listed = shop.forge.comments(shop.change())

    assert len(listed) == 501
    spent = (shop.fake.requests - before)["GET /repos/{owner}/{repo}/issues/{issue_number}/comments"]
    assert spent == 1


def test_whoever_lends_a_token_may_command_the_bot_and_its_own_words_do_not(token_shop: Workshop) -> None:
    shop = token_shop
    pull = shop.opened()
    shop.told()
    shop.forge.put_comment(shop.change(), marker=MARK, body=f"/train\n\n{MARK}", known_id=None)
    shop.world.write(shop.repo, pull, "/train by Robin", by="Robin")

    told = [event.comment.body for event in shop.told() if isinstance(event, CommentCreated)]

    assert told == ["/train by Robin"]
    assert [comment.body for comment in shop.forge.comments(shop.change())] == told
