"""The living note, and what people write."""

from __future__ import annotations

import pytest

from bot.domain.change import Change, CommentCreated
from bot.domain.errors import TransientError
from bot.forges.gitlab.api import GitLabForge
from bot.forges.gitlab.quick_actions import without_quick_actions
from bot.forges.gitlab.settings import GitLabSettings
from tests.fakes.gitlab.records import MergeRequest, Note, now
from tests.fakes.gitlab.workshop import Workshop

MARKER = "<!-- mlops-bot:change -->"
LIST = "GET /projects/:id/merge_requests/:id/notes"
MAKE = "POST /projects/:id/merge_requests/:id/notes"
EDIT = "PUT /projects/:id/merge_requests/:id/notes/:id"
DELETE = "DELETE /projects/:id/merge_requests/:id/notes/:id"


def put(it: Workshop, change: Change, words: str, known_id: str | None = None) -> str:
    return it.forge.put_comment(change, marker=MARKER, body=f"{words}\n{MARKER}", known_id=known_id)


def bodies(of: MergeRequest) -> list[str]:
    return [note.body for note in of.notes]


def test_a_known_note_costs_one_call_and_an_unknown_one_a_look(
    it: Workshop, change: Change, merge_request: MergeRequest
) -> None:
    known = put(it, change, "one")
    assert it.spent() == {LIST: 1, MAKE: 1}

    assert put(it, change, "two", known) == known

    assert it.spent() == {EDIT: 1}
    assert bodies(merge_request) == [f"two\n{MARKER}"]


def test_the_note_is_found_behind_500_comments_and_the_oldest_of_doubles_stays(
    it: Workshop, change: Change, merge_request: MergeRequest
) -> None:
    for number in range(500):
        merge_request.notes.append(Note(10_000 + number, f"comment {number}", it.ada, now(), now()))
    for note_id in (20_001, 20_002, 20_003):
        merge_request.notes.append(Note(note_id, f"of a former bot\n{MARKER}", it.bot, now(), now()))

    assert put(it, change, "now") == "20001"

    assert bodies(merge_request)[500:] == [f"now\n{MARKER}"]
    spent = it.spent()
    assert (spent[LIST], spent[DELETE], spent[EDIT]) == (6, 2, 1)


def test_a_note_of_somebody_else_with_the_marker_is_not_the_bots(
    it: Workshop, change: Change, merge_request: MergeRequest
) -> None:
    theirs = it.world.write(merge_request, it.ada, MARKER)

    mine = put(it, change, "mine", str(theirs.id))

    assert mine != str(theirs.id)
    assert bodies(merge_request) == [MARKER, f"mine\n{MARKER}"]


def test_a_note_that_was_deleted_is_made_again(it: Workshop, change: Change, merge_request: MergeRequest) -> None:
    known = put(it, change, "one")
    merge_request.notes.clear()

    assert put(it, change, "two", known) != known
    assert bodies(merge_request) == [f"two\n{MARKER}"]


@pytest.mark.parametrize("how", [{"status": 502}, {"drops": True}])
def test_a_note_whose_answer_was_lost_is_looked_up_and_not_made_twice(
    it: Workshop, change: Change, merge_request: MergeRequest, how: dict[str, object]
) -> None:
    it.fake.fail("POST .*/notes$", is_done=True, **how)
    with pytest.raises(TransientError):
        put(it, change, "one")
    assert len(merge_request.notes) == 1, "it was made once, and nothing repeated it"

    assert put(it, change, "two") == str(merge_request.notes[0].id)
    assert bodies(merge_request) == [f"two\n{MARKER}"]


def test_equal_words_are_not_sent_again(it: Workshop, change: Change) -> None:
    put(it, change, "one")
    put(it, change, "one")
    it.spent()

    put(it, change, "one")

    assert it.spent() == {LIST: 1}


def test_lines_that_gitlab_would_carry_out_are_taken_their_power(
    it: Workshop, change: Change, merge_request: MergeRequest
) -> None:
    put(it, change, "/close\n  /merge now\n/usr/lib/python3\n```\n/approve\n/usr/bin/env\n```\n/train")

    assert bodies(merge_request)[0].split("\n")[:-1] == [
        "\\/close",
        "  \\/merge now",
        "/usr/lib/python3",
        "```",
        "\u2060/approve",
        "/usr/bin/env",
        "```",
        "\\/train",
    ]


def test_a_fence_is_closed_by_its_own_kind_alone() -> None:
    assert without_quick_actions("~~~\n```\n/close\n~~~\n/close") == "~~~\n```\n\u2060/close\n~~~\n\\/close"


def test_comments_are_peoples_oldest_first_without_what_is_internal_or_a_machines(
    it: Workshop, change: Change, merge_request: MergeRequest
) -> None:
    other_bot = it.world.add_user("group_3_bot_b2a19087")
    for author, body, flags in (
        (it.ada, "/train", {}),
        (it.grace, "added 1 commit", {"is_system": True}),
        (it.grace, "between us", {"is_internal": True}),
        (other_bot, "/train", {}),
        (None, "by a deleted user", {}),
        (it.eve, "second", {}),
    ):
        it.world.write(merge_request, author, body, **flags)
    put(it, change, "/train")

    assert [(comment.author, comment.body) for comment in it.forge.comments(change)] == [
        ("Ada", "/train"),
        ("eve", "second"),
    ]


def test_a_merge_request_that_was_not_updated_is_not_asked_for_comments_again(
    it: Workshop, change: Change, merge_request: MergeRequest
) -> None:
    repository = it.forge.repositories()[0]
    for number in range(150):
        merge_request.notes.append(Note(number + 1, f"comment {number}", it.ada, now(), now()))

    def catch_up() -> tuple[int, int]:
        it.spent()
        (now_,) = it.forge.changes(repository)
        comments = it.forge.comments(now_)
        return len(comments), it.spent().get(LIST, 0)

    assert [catch_up(), catch_up()] == [(150, 2), (150, 0)]
    it.world.write(merge_request, it.ada, "one more")
    assert [catch_up(), catch_up()] == [(151, 1), (151, 0)]


def test_when_the_token_is_a_persons_own_their_commands_count_and_the_bots_words_do_not(
    it: Workshop, change: Change, merge_request: MergeRequest
) -> None:
    settings = GitLabSettings(
        token=it.world.add_token(it.ada), url=it.fake.url, webhook_secrets=it.settings.webhook_secrets
    )
    it.forge = GitLabForge(settings, git=it.git, clock=it.clock)
    it.sent()
    put(it, change, "/train is quoted here")
    it.world.write(merge_request, it.ada, "/train")

    told = it.told()

    assert [event.comment.body for event in told if isinstance(event, CommentCreated)] == ["/train"]
    assert [comment.body for comment in it.forge.comments(change)] == ["/train"]
