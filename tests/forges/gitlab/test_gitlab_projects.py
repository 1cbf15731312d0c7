"""Which projects are watched, who may do what in them, and what the bot needs for itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.domain.change import Change
from bot.domain.errors import TransientError, UserError
from bot.forges.gitlab.api import GitLabForge
from bot.forges.gitlab.settings import GitLabSettings
from bot.mirror import GitMirror
from bot.ports.forge import Permission
from tests.fakes.gitlab.records import DEVELOPER, REPORTER
from tests.fakes.gitlab.workshop import Workshop

KEY = "gitlab/acme/ml/models"
MEMBERS = "GET /projects/:id/members/all"


def keys(it: Workshop) -> list[str]:
    return [repository.key for repository in it.forge.repositories()]


def test_all_projects_are_watched_in_which_the_bot_is_a_developer(it: Workshop) -> None:
    it.world.add_project("acme/read-only", (it.bot, REPORTER))
    it.world.add_project("acme/archived", (it.bot, DEVELOPER)).is_archived = True
    it.world.add_project("acme/foreign", (it.ada, DEVELOPER))
    for number in range(205):
        it.world.add_project(f"many/p{number}", (it.bot, DEVELOPER), bare=it.project.bare)

    found = it.forge.repositories()

    assert [one.key for one in found] == [KEY, *(f"gitlab/many/p{number}" for number in range(205))]
    assert found[0].clone_address == f"{it.fake.url}/acme/ml/models.git"
    assert it.spent() == {"GET /projects": 3}, "over three pages, whose links name another host"
    assert len(it.forge.repositories()) == 206
    assert it.spent() == {}, "the list is remembered"
    it.clock.forward(301)
    it.world.projects.clear()
    assert keys(it) == []


def test_only_those_that_are_listed_are_watched_when_there_is_a_list(
    tmp_path: Path,
) -> None:
    it = Workshop(tmp_path, projects=("ACME/ml/Models", "acme/typo"))
    it.world.add_project("acme/other", (it.bot, DEVELOPER))

    with capture_logs() as said:
        assert keys(it) == [KEY]

    assert [line["event"] for line in said] == ["project_not_accessible"]
    assert "acme/typo" in str(said)
    it.close()


def test_the_token_is_lent_for_watched_repositories_and_their_own_host(it: Workshop) -> None:
    credential = it.forge.credential(KEY)

    assert credential is not None
    assert (credential.origin, credential.username) == (it.fake.url.removesuffix("/gitlab"), "oauth2")
    assert credential.password == it.token
    assert it.token not in repr(credential)
    assert it.forge.credential("gitlab/acme/elsewhere") is None
    assert it.forge.credential("github/acme/ml/models") is None
    assert it.forge.repository_of(f"{it.fake.url}/acme/ml/models.git") == KEY
    for address in ("https://gitlab.com/acme/ml/models.git", f"{it.fake.url}/a/../b.git", f"{it.fake.url}x/a/b.git"):
        assert it.forge.repository_of(address) is None


@pytest.mark.parametrize(
    ("user", "permission"),
    [
        ("ada", Permission.WRITE),
        ("GRACE", Permission.ADMIN),
        ("rob", Permission.READ),
        ("eve", Permission.NONE),
        ("", Permission.NONE),
        ("nobody", Permission.NONE),
        ("gra", Permission.NONE),
    ],
)
def test_developers_and_up_may_write_and_maintainers_are_admins(
    it: Workshop, user: str, permission: Permission
) -> None:
    assert it.forge.permission(KEY, user) is permission


def test_a_permission_is_remembered_for_a_minute_alone(it: Workshop) -> None:
    assert [it.forge.permission(KEY, "ada").may_write for _ in range(3)] == [True] * 3
    assert it.spent() == {MEMBERS: 1}

    del it.project.members[it.ada.id]
    it.clock.forward(61)
    assert it.forge.permission(KEY, "ada") is Permission.NONE


def test_a_blocked_user_may_do_nothing(it: Workshop) -> None:
    it.ada.state = "blocked"

    assert it.forge.permission(KEY, "ada") is Permission.NONE


def test_a_good_token_is_healthy_and_asked_about_once_a_minute(it: Workshop) -> None:
    it.forge.check_health()
    it.forge.check_health()

    assert it.spent() == {"GET /user": 1, "GET /personal_access_tokens/self": 1}


@pytest.mark.parametrize("scope", ["read_api", "read_user"])
def test_a_token_without_the_needed_scope_is_told_with_its_name_and_the_remedy(it: Workshop, scope: str) -> None:
    it.world.tokens[it.token].scopes = (scope,)

    with pytest.raises(UserError, match="lacks the scope `api`") as refused:
        it.forge.check_health()

    assert "MLOPS_BOT_GITLAB_TOKEN" in refused.value.fix


def test_a_revoked_token_is_told(it: Workshop, change: Change) -> None:
    it.world.tokens[it.token].is_active = False

    with pytest.raises(UserError, match="wrong, expired or revoked"):
        it.forge.check_health()
    with pytest.raises(UserError, match="wrong, expired or revoked"):
        it.forge.put_comment(change, marker="<!-- m -->", body="<!-- m -->", known_id="1")


def test_a_gitlab_that_is_not_there_is_told(tmp_path: Path) -> None:
    settings = GitLabSettings(token="glpat-x", url="http://127.0.0.1:9")
    it = GitLabForge(settings, git=GitMirror(tmp_path, allow_local=False), clock=lambda: datetime.now(UTC))

    with pytest.raises(TransientError, match="GitLab could not be asked: the connection failed"):
        it.check_health()
