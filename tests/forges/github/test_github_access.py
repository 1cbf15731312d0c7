"""Tokens, permissions, limits, and what is said when something is missing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.errors import TransientError, UserError
from bot.forges.github.auth import READ_CODE
from bot.forges.github.settings import GitHubSettings
from bot.ports.forge import Permission
from tests.fakes.github.workshop import TOKEN, Workshop
from tests.forges.github.conftest import Clock

KEY = "github/Acme/models"
MINT = "POST /app/installations/{installation_id}/access_tokens"


def test_a_token_is_made_for_one_repository_with_what_is_needed_and_kept_until_it_ends(
    shop: Workshop, clock: Clock
) -> None:
    other = shop.world.create("Acme/other", ada="write")
    next(iter(shop.world.installations.values())).repos.add(other.full_name)

    credentials = [shop.forge.credential(key) for key in (KEY, KEY, "github/Acme/other")]
    clock.pass_s(3000)
    renewed = shop.forge.credential(KEY)

    first, again, others = credentials
    assert first is not None
    assert others is not None
    assert renewed is not None
    assert first == again
    assert len({first.password, others.password, renewed.password}) == 3
    assert shop.fake.requests[MINT] == 3
    grant = shop.world.grants[first.password]
    assert (grant.repos, grant.permissions) == ({"Acme/models"}, READ_CODE)
    assert (first.origin, first.username) == (shop.fake.origin, "x-access-token")
    assert first.password not in repr(first)


def test_a_persons_token_is_used_for_the_named_repositories_alone(token_shop: Workshop) -> None:
    token_shop.world.create("Acme/other", robin="write")

    assert token_shop.forge.credential("github/Acme/other") is None
    with pytest.raises(UserError, match="MLOPS_BOT_GITHUB_REPOSITORIES"):
        token_shop.forge.permission("github/Acme/other", "Ada")
    named = token_shop.forge.credential(KEY)
    assert named is not None
    assert named.password == TOKEN


def test_a_token_that_was_revoked_is_replaced_at_once(shop: Workshop) -> None:
    shop.forge.permission(KEY, "Ada")
    shop.world.grants.clear()

    assert shop.forge.permission(KEY, "Grace") is Permission.READ


def test_where_the_app_is_not_installed_is_said(shop: Workshop) -> None:
    shop.world.create("Acme/other")

    with pytest.raises(UserError, match="not installed on Acme/other"):
        shop.forge.permission("github/Acme/other", "Ada")


def test_an_installation_that_was_made_anew_is_found(shop: Workshop) -> None:
    shop.forge.repositories()
    shop.world.installations.clear()
    shop.world.install(shop.repo)

    assert shop.forge.permission(KEY, "Grace") is Permission.READ


@pytest.mark.parametrize(
    ("user", "permission"),
    [("ada", Permission.WRITE), ("Grace", Permission.READ), ("nobody", Permission.NONE), ("../x", Permission.NONE)],
)
def test_what_somebody_may_do_is_asked_of_github(shop: Workshop, user: str, permission: Permission) -> None:
    assert shop.forge.permission(KEY, user) is permission


def test_a_permission_is_believed_for_a_minute(shop: Workshop, clock: Clock) -> None:
    route = "GET /repos/{owner}/{repo}/collaborators/{username}/permission"
    assert shop.forge.permission(KEY, "Ada") is Permission.WRITE
    shop.repo.collaborators["ada"] = "read"

    assert shop.forge.permission(KEY, "ADA") is Permission.WRITE
    clock.pass_s(61)
    assert shop.forge.permission(KEY, "Ada") is Permission.READ
    assert shop.fake.requests[route] == 2


PERMISSION_OF = r"GET /repos/Acme/models/collaborators/.*"
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}


@pytest.mark.parametrize(
    ("answer", "at_least_s", "at_most_s"),
    [
        ({"status": 403, "headers": {"retry-after": "37"}, "body": SECONDARY}, 37, 37),
        ({"status": 429, "headers": {"retry-after": "5"}}, 5, 5),
        ({"status": 403, "body": SECONDARY}, 60, 60),
        ({"status": 500}, 10, 10),
        ({"status": 503, "headers": {"retry-after": "20"}}, 20, 20),
        ({"drops": True}, 1, 60),
    ],
)
def test_what_may_pass_is_tried_again_when_github_says(
    shop: Workshop, answer: dict[str, Any], at_least_s: float, at_most_s: float
) -> None:
    shop.fake.fail(PERMISSION_OF, **answer)

    with pytest.raises(TransientError) as postponed:
        shop.forge.permission(KEY, "Ada")

    assert at_least_s <= postponed.value.retry_after_s <= at_most_s


def test_a_used_up_quota_keeps_us_away_until_it_is_renewed(shop: Workshop, clock: Clock) -> None:
    shop.forge.permission(KEY, "Ada")
    shop.fake.quota_left = dict.fromkeys(shop.fake.quota_left, 0)

    with pytest.raises(TransientError) as postponed:
        shop.forge.permission(KEY, "Grace")
    made = sum(shop.fake.requests.values())
    with pytest.raises(TransientError):
        shop.forge.permission(KEY, "Robin")

    assert 1700 < postponed.value.retry_after_s <= 1800
    assert sum(shop.fake.requests.values()) == made, "nothing more is asked"
    clock.pass_s(1801)
    shop.fake.quota_left = {}
    assert shop.forge.permission(KEY, "Robin") is Permission.WRITE


def test_nothing_is_repeated_by_itself(shop: Workshop) -> None:
    shop.opened()
    change = shop.change()
    shop.fake.fail("POST .*/comments", status=502, times=5)
    before = shop.forge.calls.copy()

    with pytest.raises(TransientError):
        shop.forge.put_comment(change, marker="<!-- m -->", body="x <!-- m -->", known_id=None)

    assert (shop.forge.calls - before)["comment"] == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 401}, "does not accept the bot's credentials"),
        ({"status": 403, "body": {"message": "Resource not accessible by integration"}}, "does not allow this"),
        ({"status": 422, "body": {"message": "Validation Failed", "errors": [{"message": "no such"}]}}, "no such"),
        ({"status": 410}, "GitHub answered 410"),
    ],
)
def test_a_refusal_is_put_into_words_without_tokens(shop: Workshop, answer: dict[str, Any], words: str) -> None:
    body = answer.get("body", {})
    leaking = {**body, "message": f"{body.get('message', '')} ghs_0123456789abcdef0123456789abcdef0123"}
    shop.fake.fail(PERMISSION_OF, **{**answer, "body": leaking, "times": 2})

    with capture_logs() as logs, pytest.raises(UserError) as refused:
        shop.forge.permission(KEY, "Ada")

    assert words in str(refused.value)
    assert "ghs_0" not in f"{refused.value}{refused.value.__cause__}{logs}"


@pytest.mark.parametrize("name", ["shop", "token_shop"])
def test_a_missing_permission_is_named_with_the_remedy(request: pytest.FixtureRequest, clock: Clock, name: str) -> None:
    shop: Workshop = request.getfixturevalue(name)
    shop.forge.check_health()
    clock.pass_s(61)
    if name == "shop":
        del shop.world.app.permissions["checks"]
        expected = r"lacks `checks: write`"
    else:
        shop.repo.collaborators["robin"] = "read"
        expected = r"may not write to github/Acme/models"

    with pytest.raises(UserError, match=expected) as missing:
        shop.forge.check_health()

    assert missing.value.fix


def test_a_permission_that_is_not_accepted_yet_is_named_with_the_account(shop: Workshop) -> None:
    next(iter(shop.world.installations.values())).permissions["pull_requests"] = "read"

    with pytest.raises(UserError, match="installation on Acme does not grant `pull_requests: write` yet"):
        shop.forge.check_health()


def test_a_broken_key_is_said_and_not_shown(shop: Workshop) -> None:
    forge = shop.new_forge(shop.make_settings(is_app=True, private_key="-----BEGIN nonsense"))

    with pytest.raises(UserError, match="not a key in PEM format") as broken:
        forge.check_health()

    assert "nonsense" not in str(broken.value)


@pytest.mark.parametrize(
    ("api_url", "origin"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://api.acme.ghe.com/", "https://acme.ghe.com"),
        ("https://github.acme.example/api/v3", "https://github.acme.example"),
        ("http://localhost:8080/api/v3", "http://localhost:8080"),
    ],
)
def test_the_git_host_follows_from_the_apis_address(api_url: str, origin: str) -> None:
    settings = GitHubSettings(api_url=api_url, token=TOKEN, repositories=("acme/churn",))

    address = settings.clone_address("acme/churn")
    assert address == f"{origin}/acme/churn.git"
    assert settings.key_of_address(address) == "github/acme/churn"
    for other in ("https://evil.example/acme/churn.git", f"{origin}.evil.example/acme/churn", f"{origin}/acme"):
        assert settings.key_of_address(other) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "neither"),
        ({"app_id": 1}, "both its id and its private key"),
        ({"app_id": 1, "private_key": "k", "token": "t"}, "both an App and a token"),
        ({"token": "t"}, "which GitHub repositories"),
        ({"token": "t", "repositories": ("acme",)}, "`acme`"),
        ({"token": "t", "repositories": ("a/b",), "api_url": "https://user:pw@host/api/v3"}, "with a password"),
        ({"token": "t", "repositories": ("a/b",), "api_url": "github.com"}, "`github.com`"),
    ],
)
def test_settings_that_can_not_be_meant_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refused:
        GitHubSettings(**given)

    assert words in refused.value.problem
    assert refused.value.fix
    assert "pw" not in str(refused.value)


def test_nothing_slow_is_loaded_before_github_is_asked() -> None:
    code = (
        "import sys, bot.forges.github; print([name for name in ('github', 'requests', 'jwt') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
