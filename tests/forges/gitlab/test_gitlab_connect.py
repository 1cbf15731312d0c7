"""`mlops-bot connect gitlab GROUP/PROJECT`"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli import main
from tests.fakes.gitlab.records import DEVELOPER
from tests.fakes.gitlab.workshop import Workshop

PUBLIC = "https://mlops.example.com"


@pytest.fixture(autouse=True)
def _environment(it: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MLOPS_BOT_HOME": str(tmp_path / "home"),
        "MLOPS_BOT_PUBLIC_URL": PUBLIC,
        "MLOPS_BOT_GITLAB_URL": it.fake.url,
        "MLOPS_BOT_GITLAB_TOKEN": it.token,
        "MLOPS_BOT_GITLAB_WEBHOOK_SECRET": "new old",
    }.items():
        monkeypatch.setenv(name, value)


def connect(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["mlops-bot", "connect", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_hook_is_made_once_and_then_brought_up_to_date(
    it: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert connect(monkeypatch, "gitlab", "acme/ml/models") == 0
    hook = it.project.hooks[1]
    assert capsys.readouterr().out == (
        f"Made: webhook {hook.id} in {it.fake.url}/acme/ml/models\n"
        "  address:  https://mlops.example.com/webhooks/gitlab\n"
        "  triggers: push, comments and merge request events, with the secret token\n"
        "The bot comments as @project_7_bot_4ffca233d8298ea1.\n"
    )
    made = dict(hook.fields)
    hook.fields |= {"token": "stale", "note_events": False}

    assert connect(monkeypatch, "gitlab", f"{it.fake.url}/acme/ml/models") == 0

    assert capsys.readouterr().out.startswith(f"Brought up to date: webhook {hook.id}")
    assert hook.fields == made
    assert len(it.project.hooks) == 2
    assert (made["url"], made["token"]) == (f"{PUBLIC}/webhooks/gitlab", "new")
    assert {name for name, value in made.items() if value is True} == {
        "push_events",
        "merge_requests_events",
        "note_events",
        "enable_ssl_verification",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gitlab", "acme/typo"], "There is no project `acme/typo`"),
        (["gitlab", "../../user"], "is not the path of a GitLab project"),
        (["gitlab", "models"], "Write `group/project`"),
        (["svn", "acme/models"], "'svn' is not 'gitlab'"),
    ],
)
def test_what_can_not_be_connected_is_said(
    it: Workshop, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert connect(monkeypatch, *words) == 2
    assert said in capsys.readouterr().err


def test_a_developer_is_told_how_to_make_the_hook_by_hand(
    it: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    it.project.members[it.bot.id] = DEVELOPER

    assert connect(monkeypatch, "gitlab", "acme/ml/models") == 2
    said = capsys.readouterr().err
    assert "needs the role Maintainer" in said
    assert f"address `{PUBLIC}/webhooks/gitlab`" in said


def test_an_address_that_gitlab_may_not_call_is_explained(
    it: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    it.fake.fail("POST .*/hooks", status=422, body=b'{"error":"Invalid url given"}')

    assert connect(monkeypatch, "gitlab", "acme/ml/models") == 2
    assert "Invalid url given" in (said := capsys.readouterr().err)
    assert "Outbound requests" in said


@pytest.mark.parametrize(
    ("missing", "said"),
    [("MLOPS_BOT_PUBLIC_URL", "where the service is"), ("MLOPS_BOT_GITLAB_TOKEN", "token is missing")],
)
def test_what_must_be_set_is_named(
    missing: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(missing)

    assert connect(monkeypatch, "gitlab", "acme/ml/models") == 2
    assert said in (text := capsys.readouterr().err)
    assert missing in text


def test_a_token_that_is_revoked_is_said_without_it(
    it: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    it.world.tokens[it.token].is_active = False

    assert connect(monkeypatch, "gitlab", "acme/ml/models") == 2
    said = capsys.readouterr()
    assert "wrong, expired or revoked" in said.err
    assert it.token not in said.err + said.out
