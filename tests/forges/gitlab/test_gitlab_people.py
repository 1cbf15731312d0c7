"""Authors of merge requests, and members of groups."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from bot.domain.change import Change
from bot.domain.errors import TransientError, UserError
from tests.fakes.gitlab.records import DEVELOPER, GUEST
from tests.fakes.gitlab.workshop import Workshop

KEY = "gitlab/acme/ml/models"
GROUP = "acme/ml-leads"
MEMBERS = "GET /groups/:id/members/all"


def test_authors_are_told_by_gitlab_from_their_addresses_in_one_call(it: Workshop, change: Change) -> None:
    assert it.forge.authors(change) == {"Ada"}
    assert it.spent() == {"POST /graphql": 1}


def test_authors_that_can_not_be_known_are_an_error_and_not_nobody(it: Workshop, change: Change) -> None:
    with pytest.raises(UserError, match="does not show the commits of gitlab/acme/ml/models!99"):
        it.forge.authors(replace(change, number=99))
    it.world.tokens[it.token].scopes = ("read_user",)
    with pytest.raises(UserError, match="lacks the scope `api`"):
        it.forge.authors(change)


def test_an_error_in_an_answer_is_an_error(it: Workshop, change: Change) -> None:
    it.fake.graphql_answer = {"errors": [{"message": "Field 'commits' doesn't exist on type 'MergeRequest'"}]}

    with pytest.raises(UserError, match="Field 'commits' doesn't exist"):
        it.forge.authors(change)


def test_a_member_is_found_by_the_whole_name_in_one_call(it: Workshop) -> None:
    it.world.groups[GROUP] = {it.grace.id: DEVELOPER, it.ada.id: GUEST}

    asked = {name: it.forge.is_member(GROUP, name) for name in ("grace", "GRACE", "Ada", "gra", "rob", "")}

    assert asked == {"grace": True, "GRACE": True, "Ada": True, "gra": False, "rob": False, "": False}
    assert it.spent() == {MEMBERS: 5}


def test_whoever_leaves_a_group_or_is_blocked_is_not_in_it_at_once(it: Workshop) -> None:
    it.world.groups[GROUP] = {it.grace.id: DEVELOPER, it.ada.id: DEVELOPER}
    assert it.forge.is_member(GROUP, "grace")
    assert it.forge.is_member(GROUP, "ada")

    del it.world.groups[GROUP][it.grace.id]
    it.ada.state = "blocked"

    assert not it.forge.is_member(GROUP, "grace")
    assert not it.forge.is_member(GROUP, "ada")


def test_among_many_who_are_named_alike_the_right_one_is_found(it: Workshop) -> None:
    alike = [it.world.add_user(f"grace{number}") for number in range(130)]
    it.world.groups[GROUP] = {user.id: DEVELOPER for user in [*alike, it.grace]}

    assert it.forge.is_member(GROUP, "grace")
    assert it.spent() == {MEMBERS: 2}


@pytest.mark.parametrize("status", [403, 404])
def test_a_group_that_the_bot_may_not_see_has_no_members_and_the_log_says_what_is_needed(
    it: Workshop, status: int
) -> None:
    it.fake.fail("GET .*/groups/", status=status, body=b'{"message":"no"}')

    with capture_logs() as logs:
        assert not it.forge.is_member("@acme/ml-leads", "grace")

    (line,) = logs
    assert (line["event"], line["group"]) == ("group_not_seen", GROUP)
    assert "member" in line["needed"]


def test_a_group_that_can_not_be_asked_about_now_is_asked_about_again(it: Workshop) -> None:
    it.fake.fail("GET .*/groups/", status=502)

    with pytest.raises(TransientError):
        it.forge.is_member(GROUP, "grace")


def test_the_token_that_may_push_is_the_same(it: Workshop) -> None:
    assert it.forge.credential(KEY, may_push=True) == it.forge.credential(KEY) is not None
    assert it.forge.credential("gitlab/acme/elsewhere", may_push=True) is None
