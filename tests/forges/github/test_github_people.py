"""Authors, teams, and the token that may push."""

from __future__ import annotations

import base64

import pytest
from structlog.testing import capture_logs

from bot.domain.errors import TransientError, UserError
from bot.forges.github.auth import PUSH_CODE, READ_CODE
from bot.forges.github.health import check_extras
from bot.ports.forge import GitCredential
from tests.fakes.github.workshop import Workshop
from tests.forges.github.conftest import Clock

KEY = "github/Acme/models"
TEAM = "Acme/ml-leads"
MINT = "POST /app/installations/{installation_id}/access_tokens"
MEMBERSHIP = "GET /orgs/{org}/teams/{team_slug}/memberships/{username}"
COMMITS = "GET /repos/{owner}/{repo}/pulls/{pull_number}/commits"


def test_githubs_own_committer_is_no_author_and_unchanged_commits_cost_no_quota(shop: Workshop) -> None:
    shop.tree.branch("better")
    for author in ("Grace <grace@example.com>", "GitHub <noreply@github.com>", "x <x@elsewhere.example>"):
        shop.tree.git("commit", "--quiet", "--allow-empty", "--message", "More", "--author", author)
    shop.push("better")
    shop.world.open_pull(shop.repo, "better", by="Ada")
    change = shop.change()

    assert shop.forge.authors(change) == shop.forge.authors(change) == {"Ada", "Grace"}
    assert (shop.fake.requests[COMMITS], shop.fake.unchanged[COMMITS]) == (1, 1)


def test_whoever_is_only_invited_to_a_team_is_not_in_it(shop: Workshop) -> None:
    shop.world.teams["acme/ml-leads"] = {"ada": "active", "grace": "pending"}

    assert [shop.forge.is_member(TEAM, user) for user in ("Ada", "Grace", "Robin")] == [True, False, False]
    del shop.world.teams["acme/ml-leads"]["ada"]
    assert not shop.forge.is_member(TEAM, "Ada"), "nothing is remembered"
    assert shop.forge.calls["team"] == 4


def test_a_teams_token_sees_members_alone_and_is_kept(shop: Workshop) -> None:
    shop.world.teams["acme/ml-leads"] = {"ada": "active"}
    for _ in range(3):
        assert shop.forge.is_member(TEAM, "Ada")

    granted = [grant.permissions for grant in shop.world.grants.values() if "members" in grant.permissions]
    assert [permissions for permissions in granted if len(permissions) == 1] == [{"members": "read"}]
    assert shop.fake.requests["GET /orgs/{org}/installation"] == 1


def test_without_the_permission_nobody_is_in_a_team_and_the_log_names_it(shop: Workshop) -> None:
    shop.world.teams["acme/ml-leads"] = {"ada": "active"}
    for installation in shop.world.installations.values():
        del installation.permissions["members"]

    with capture_logs() as logs:
        assert not shop.forge.is_member(TEAM, "Ada")

    (line,) = logs
    assert (line["log_level"], line["team"]) == ("warning", TEAM)
    assert "members: read" in line["needed"]


def test_a_team_where_the_app_is_not_installed_has_no_members(shop: Workshop) -> None:
    shop.world.teams["elsewhere/leads"] = {"ada": "active"}

    with capture_logs() as logs:
        assert not shop.forge.is_member("elsewhere/leads", "Ada")

    assert [line["problem"] for line in logs] == ["The GitHub App is not installed on elsewhere."]


def test_a_persons_token_asks_for_teams_of_its_own_repositories_owners_alone(token_shop: Workshop) -> None:
    token_shop.world.teams |= {"acme/ml-leads": {"ada": "active"}, "elsewhere/leads": {"ada": "active"}}

    assert token_shop.forge.is_member(TEAM, "Ada")
    assert not token_shop.forge.is_member("elsewhere/leads", "Ada")
    assert token_shop.fake.requests[MEMBERSHIP] == 1


def test_a_team_that_can_not_be_asked_about_now_is_asked_about_again(shop: Workshop) -> None:
    shop.fake.fail("GET .*/memberships/.*", status=502)

    with pytest.raises(TransientError):
        shop.forge.is_member(TEAM, "Ada")


def pushed(shop: Workshop, credential: GitCredential | None, tag: str) -> bool:
    assert credential is not None
    basic = base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()
    shop.tree.git("tag", tag)
    shop.tree.git(
        "-c", f"http.extraHeader=Authorization: Basic {basic}", "push", "--quiet",
        shop.settings.clone_address("Acme/models"), f"refs/tags/{tag}", check=False, GIT_TERMINAL_PROMPT="0",
    )  # fmt: skip
    listed = shop.tree.git("ls-remote", str(shop.repo.bare), f"refs/tags/{tag}")
    return bool(listed)


def test_a_token_that_may_push_is_made_apart_for_one_repository(shop: Workshop) -> None:
    other = shop.world.create("Acme/other", ada="write")
    next(iter(shop.world.installations.values())).repos.add(other.full_name)

    reading, pushing, again = (shop.forge.credential(KEY, may_push=push) for push in (False, True, True))

    assert reading is not None
    assert pushing is not None
    assert pushing == again != reading
    grants = [shop.world.grants[one.password] for one in (reading, pushing)]
    assert [(grant.repos, grant.permissions) for grant in grants] == [
        ({"Acme/models"}, READ_CODE),
        ({"Acme/models"}, PUSH_CODE),
    ]
    assert not pushed(shop, reading, "churn@v1.0.0")
    assert pushed(shop, pushing, "churn@v1.0.1")


def test_without_the_permission_no_token_may_push_and_code_is_still_read(shop: Workshop) -> None:
    for installation in shop.world.installations.values():
        installation.permissions["contents"] = "read"

    assert shop.forge.credential(KEY) is not None
    with pytest.raises(UserError, match="Needed are `contents: write`"):
        shop.forge.credential(KEY, may_push=True)


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("deployments", "`deployments: write` (deployments are not shown on GitHub)"),
        ("contents", "`contents: write` (versions can not be tagged, so nothing can be deployed)"),
        ("members", "`members: read` (teams can not approve, people named one by one can)"),
    ],
)
@pytest.mark.parametrize("where", ["app", "installation"])
def test_the_doctor_names_what_is_missing_and_what_does_not_work_without_it(
    shop: Workshop, clock: Clock, name: str, lost: str, where: str
) -> None:
    assert check_extras(shop.settings, clock) == "deployments, versions and teams"
    holder = shop.world.app if where == "app" else next(iter(shop.world.installations.values()))
    holder.permissions[name] = "read" if name == "contents" else ""

    with pytest.raises(UserError) as missing:
        check_extras(shop.settings, clock)

    assert lost in missing.value.problem
    assert "Reports need none of it." in missing.value.problem
    assert missing.value.fix
    shop.forge.check_health()


def test_the_account_of_a_person_needs_no_teams(shop: Workshop, clock: Clock) -> None:
    (installation,) = shop.world.installations.values()
    installation.account_type = "User"
    del installation.permissions["members"]

    assert check_extras(shop.settings, clock) == "deployments, versions and teams"


@pytest.mark.parametrize(
    ("scopes", "words"),
    [("repo, read:org", "deployments, versions and teams"), ("", "GitHub does not tell")],
)
def test_a_tokens_scopes_are_looked_at_where_github_tells_them(
    token_shop: Workshop, clock: Clock, scopes: str, words: str
) -> None:
    for grant in token_shop.world.grants.values():
        grant.scopes = scopes

    assert words in check_extras(token_shop.settings, clock)


def test_a_classic_token_that_can_not_see_teams_is_named(token_shop: Workshop, clock: Clock) -> None:
    for grant in token_shop.world.grants.values():
        grant.scopes = "repo"

    with pytest.raises(UserError, match="lacks the scope `read:org`: teams can not approve"):
        check_extras(token_shop.settings, clock)
    token_shop.forge.check_health()
