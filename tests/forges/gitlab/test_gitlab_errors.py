"""What is refused, what passes by itself, and what must never be seen."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from bot.domain.change import Change
from bot.domain.errors import TransientError, UserError
from bot.forges.gitlab import transport
from bot.forges.gitlab.api import GitLabForge
from bot.forges.gitlab.errors import from_status
from bot.forges.gitlab.settings import GitLabSettings, read_settings
from tests.fakes.gitlab.workshop import Workshop

KEY = "gitlab/acme/ml/models"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


def refusal(status: int, reason: str = "", **headers: str) -> TransientError | UserError:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return from_status(status, reason, given, now=NOW, token="glpat-of-the-bot")


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 524])
def test_what_may_pass_by_itself_is_tried_again(status: int) -> None:
    assert isinstance(refusal(status), TransientError)


@pytest.mark.parametrize("status", [304, 400, 401, 403, 404, 405, 413, 422])
def test_what_was_refused_is_said_in_words(status: int) -> None:
    refused = refusal(status, "because")

    assert isinstance(refused, UserError)
    assert refused.problem.endswith(".")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "17"}, 17),
        ({"retry_after": format_datetime(NOW.replace(minute=2))}, 120),
        ({"ratelimit_reset": str(int(NOW.timestamp()) + 42)}, 42),
        ({"retry_after": "nonsense"}, 60),
        ({"retry_after": "9" * 12}, 3600),
        ({"ratelimit_reset": "1"}, 1),
        ({}, 60),
    ],
)
def test_a_limit_says_when_to_come_again(headers: dict[str, str], seconds: float) -> None:
    limited = refusal(429, "Retry later", **headers)

    assert isinstance(limited, TransientError)
    assert limited.retry_after_s == seconds


def test_the_token_is_never_repeated() -> None:
    for status in (400, 403, 500):
        assert "glpat-of" not in str(refusal(status, "sent glpat-of-the-bot and glpat-0123456789abcdefghij"))


def test_after_a_limit_nothing_is_sent_until_its_end(it: Workshop) -> None:
    it.fake.fail("GET .*/members/all", status=429, body=b"Retry later\n", headers={"Retry-After": "30"})

    for _ in range(2):
        with pytest.raises(TransientError, match="limits how often") as limited:
            it.forge.permission(KEY, "ada")
        assert 25 < limited.value.retry_after_s <= 30
    assert sum(it.spent().values()) == 1, "no sleeping, no repeating, no second try"
    it.clock.forward(31)
    assert it.forge.permission(KEY, "ada").may_write


@pytest.mark.parametrize("how", [{"status": 502}, {"drops": True}, {"status": 200, "body": b"<html>Sign in</html>"}])
def test_a_broken_answer_is_tried_again_later(it: Workshop, how: dict[str, object]) -> None:
    it.fake.fail("GET .*/members/all", **how)

    with pytest.raises(TransientError):
        it.forge.permission(KEY, "ada")
    assert it.forge.permission(KEY, "ada").may_write


def test_a_gitlab_that_does_not_answer_is_given_up_after_a_deadline(
    it: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "TIMEOUT_S", 0.2)
    it.fake.fail("GET .*/members/all", delay_s=2.0)

    with pytest.raises(TransientError, match="did not answer within"):
        it.forge.permission(KEY, "ada")


def test_a_redirect_to_another_host_does_not_get_the_token(it: Workshop) -> None:
    other = type(it.fake)(it.folder / "other")
    it.fake.fail("GET .*/members/all", status=302, headers={"Location": f"{other.url}/api/v4/user"})
    seen: list[str] = []
    answer = other.answer

    def look(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> object:
        seen.append(headers.get("private-token", "") + headers.get("authorization", ""))
        return answer(method, path, query, headers, body)

    other.answer = look  # type: ignore[method-assign, assignment]  # a fake's own method, to look at a request
    with pytest.raises(UserError):
        it.forge.permission(KEY, "ada")

    assert seen == [""]
    other.close()


def test_a_link_to_a_next_page_elsewhere_is_not_followed(it: Workshop) -> None:
    it.fake.fail(
        "GET /projects$", status=200, body=b"[]", headers={"Link": '<http://127.0.0.1:9/other?page=2>; rel="next"'}
    )

    with pytest.raises(TransientError):
        it.forge.repositories()


def test_calls_are_counted_by_what_they_are_about(it: Workshop, change: Change) -> None:
    it.forge.calls.clear()
    it.forge.put_comment(change, marker="<!-- m -->", body="<!-- m -->", known_id=None)
    it.forge.permission(KEY, "ada")

    assert it.forge.calls == {"note": 2, "member": 1}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gitlab.com",
        "ftp://gitlab.com",
        "https://",
        "https://user:pw@host",
        "https://host/?a",
        "https://host:x",
        "https://a b",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UserError) as refused:
        GitLabSettings(token="t", url=url)

    assert "pw" not in str(refused.value)


def test_settings_are_read_from_the_environment() -> None:
    environ = {
        "MLOPS_BOT_GITLAB_TOKEN": "glpat-x\n",
        "MLOPS_BOT_GITLAB_URL": "https://example.com/gitlab/",
        "MLOPS_BOT_GITLAB_WEBHOOK_SECRET": "new old",
        "MLOPS_BOT_GITLAB_PROJECTS": "acme/a, acme/b",
    }
    read = read_settings(lambda name: environ.get(name, ""), public_url="https://bot", hook_secret="s")

    assert read == GitLabSettings(
        "glpat-x", "https://example.com/gitlab", ("new", "old"), ("acme/a", "acme/b"), "https://bot"
    )
    assert read is not None
    assert (read.origin, read.clone_address("acme/a")) == (
        "https://example.com",
        "https://example.com/gitlab/acme/a.git",
    )
    assert "glpat" not in repr(read)
    assert read_settings(lambda name: "", public_url="", hook_secret="s") is None
    derived = read_settings(lambda name: "x" if name.endswith("TOKEN") else "", public_url="", hook_secret="s")
    assert derived is not None
    assert derived.url == "https://gitlab.com"
    assert len(derived.webhook_secrets[0]) == 64


def test_a_forge_makes_no_call_before_it_is_asked(it: Workshop) -> None:
    GitLabForge(it.settings, git=it.git, clock=it.clock)

    assert it.spent() == {}
