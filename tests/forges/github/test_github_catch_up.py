"""What webhooks did not tell, told too late, or told twice."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.change import ChangeSeen, ChangeState, Event, PushReceived
from bot.domain.errors import UserError
from bot.forges.github.setup import build_manifest, exchange_code, form_address, keep
from tests.contracts.git_workshop import Worktree
from tests.fakes.github.workshop import FULL_NAME, Workshop
from tests.forges.github.conftest import Clock

KEY = "github/Acme/models"
ROOT = Path(__file__).parents[3]


def heads_told(events: Sequence[Event]) -> list[tuple[str, str | None]]:
    return [
        ("push", event.after_sha) if isinstance(event, PushReceived) else ("change", event.change.head_sha)
        for event in events
        if isinstance(event, PushReceived | ChangeSeen)
    ]


def test_webhooks_in_any_order_end_in_the_newest_head(shop: Workshop) -> None:
    shop.opened()
    first = shop.world.hooks.take()
    head = shop.tree.commit("Newer", b="2")
    shop.push("better")
    second = shop.world.hooks.take()

    told = [event for sent in (*second, *first, *second) for event in shop.events_of(sent)]

    assert {sha for _, sha in heads_told(told)} == {head}


def test_a_webhook_that_comes_late_is_held_against_what_is_there_now(shop: Workshop, clock: Clock) -> None:
    pull = shop.opened()
    shop.world.close_pull(shop.repo, pull)
    opened = next(sent for sent in shop.world.hooks.take() if sent.action == "opened")
    clock.pass_s(600)

    (seen,) = shop.events_of(opened)

    assert isinstance(seen, ChangeSeen)
    assert seen.change.state is ChangeState.CLOSED


def test_a_prompt_push_and_its_change_cost_no_call_at_all(shop: Workshop) -> None:
    shop.opened()
    before = shop.fake.rest_calls()

    told = shop.told()

    assert len(told) == 2
    assert shop.fake.rest_calls() == before


def test_open_changes_are_all_listed_however_old_and_the_newest_of_the_others(shop: Workshop) -> None:
    oldest = shop.opened()
    template = shop.repo.pulls[1]
    old = template.updated_at - timedelta(days=1)
    for number in range(2, 232):
        is_open = number < 120
        pull = type(template)(
            number, f"Change {number}", template.user, template.head_repo, "better", template.head_sha, "main",
            old, old + timedelta(seconds=number), "open" if is_open else "closed",
        )  # fmt: skip
        shop.repo.pulls[number] = pull
    oldest.updated_at = template.created_at - timedelta(days=9)

    numbers = [change.number for change in shop.forge.changes(shop.repository)]

    assert numbers == [*range(1, 120), *range(132, 232)]


def test_a_fork_is_told_as_one_and_its_commits_can_be_fetched(shop: Workshop, tmp_path: Path) -> None:
    fork = shop.world.fork(shop.repo, "Eve")
    theirs = Worktree(tmp_path / "eve", fork.bare)
    theirs.branch("evil", "origin/main")
    sha = theirs.commit("Steal", evil="1")
    theirs.push("evil")
    shop.world.refs_moved(fork, "Eve")
    shop.world.hooks.take()

    shop.world.open_pull(shop.repo, "evil", by="Eve", head_repo=fork)
    (seen,) = shop.told()

    assert isinstance(seen, ChangeSeen)
    assert (seen.change.from_fork, seen.change.author) == (True, "Eve")
    assert shop.git.commit(shop.repository.clone_address, sha).message == "Steal\n"


def test_what_the_app_sees_is_listed_once_in_a_while_and_at_once_when_it_changes(shop: Workshop, clock: Clock) -> None:
    assert [repository.key for repository in shop.forge.repositories()] == [KEY]
    before = shop.fake.requests.copy()
    shop.forge.repositories()
    assert shop.fake.requests == before

    archived, other = shop.world.create("Acme/archived"), shop.world.create("Acme/other")
    archived.is_archived = True
    shop.world.install(archived, other)
    shop.told()
    assert [repository.key for repository in shop.forge.repositories()] == [KEY, "github/Acme/other"]

    before = shop.fake.requests.copy()
    clock.pass_s(301)
    shop.forge.repositories()
    assert shop.fake.requests - before == {}, "nothing had changed"


def test_one_installation_that_can_not_be_read_does_not_hide_the_others(shop: Workshop) -> None:
    broken = shop.world.install(shop.world.create("Eve/models"), permissions={"checks": "write"})
    shop.told()

    assert broken.id in shop.world.installations
    assert [repository.key for repository in shop.forge.repositories()] == [KEY]


def test_a_token_watches_the_repositories_that_are_named(token_shop: Workshop) -> None:
    shop = token_shop
    settings = shop.make_settings(is_app=False, repositories=("acme/MODELS", "acme/unknown"))

    (found,) = shop.new_forge(settings).repositories()

    assert (found.key, found.clone_address) == (KEY, f"{shop.fake.origin}/{FULL_NAME}.git")


def test_webhooks_that_nobody_took_are_asked_for_again_a_few_times(shop: Workshop) -> None:
    since = datetime.now(UTC) - timedelta(minutes=5)
    shop.world.hooks.deliveries.clear()
    shop.opened()
    taken, lost = (one for one in shop.world.hooks.deliveries[-2:])
    taken.status_code, lost.status_code = 202, 502
    shop.world.hooks.emit("star", {"action": "created"})

    asked = [shop.forge.redeliver_failed(since) for _ in range(5)]

    again = [one.guid for one in shop.world.hooks.deliveries if one.is_redelivery]
    assert asked == [1, 1, 1, 0, 0]
    assert again == [lost.guid] * 3
    assert shop.forge.redeliver_failed(datetime.now(UTC) + timedelta(minutes=1)) == 0


def test_the_manifest_asks_for_exactly_what_is_needed_and_is_the_file_that_is_shipped() -> None:
    manifest = build_manifest("https://mlops-bot.example.com")

    assert json.loads((ROOT / "deploy" / "github-app.json").read_text()) == manifest
    assert manifest["default_permissions"] == {
        "checks": "write", "contents": "write", "deployments": "write", "issues": "write", "members": "read",
        "metadata": "read", "pull_requests": "write",
    }  # fmt: skip
    assert manifest["hook_attributes"]["url"] == "https://mlops-bot.example.com/webhooks/github"
    assert manifest["public"] is False


def test_an_app_is_made_from_githubs_code_and_its_key_is_readable_by_its_owner_alone(
    shop: Workshop, tmp_path: Path
) -> None:
    app = exchange_code(shop.fake.api_url, "a-code", now=datetime.now(UTC))

    variables = keep(app, tmp_path / "kept")

    files = [Path(value) for name, value in variables.items() if name.endswith("_FILE")]
    assert variables["MLOPS_BOT_GITHUB_APP_ID"] == str(shop.world.app.id)
    assert [path.read_text() for path in files] == [app.private_key, app.webhook_secret]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "kept").iterdir()} == {0o600}
    assert "PRIVATE KEY" not in repr(app)


@pytest.mark.parametrize("code", ["used", "../user", ""])
def test_a_code_that_github_does_not_know_is_refused_in_words(shop: Workshop, code: str) -> None:
    with pytest.raises(UserError, match="code"):
        exchange_code(shop.fake.api_url, code, now=datetime.now(UTC))


def test_the_manifest_is_posted_where_the_account_says() -> None:
    assert form_address("https://github.com", state="a b") == "https://github.com/settings/apps/new?state=a%20b"
    assert form_address("https://github.com", state="s", organization="acme") == (
        "https://github.com/organizations/acme/settings/apps/new?state=s"
    )
    with pytest.raises(UserError):
        form_address("https://github.com", state="s", organization="../x")
