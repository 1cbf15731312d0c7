"""What GitHub's webhooks mean, from its own published examples."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from bot.domain.change import ChangeState, CheckActionRequested, CheckRerunRequested, PushReceived, RepositoryGone
from bot.forges.github.hooks import AccessChanged, Hook, SuiteRerun, read_hooks, source_of
from bot.forges.github.people import Written
from bot.forges.github.pulls import Pull
from bot.forges.github.settings import GitHubSettings
from bot.forges.github.webhook import open_envelope
from bot.ports.forge import BadPayload, BadSignature
from tests.forges.github.examples import EXAMPLES, NOW, OUR_APP, SECRET, app_settings, headers_of

KEY = "github/Codertocat/Hello-World"


def read(event: str, payload: dict[str, Any]) -> list[Hook]:
    return read_hooks(payload, source_of(event, "b0b0-1", payload, app_settings()))


def place_of(event: str, payload: dict[str, Any]) -> str | None:
    body = json.dumps(payload).encode()
    delivery = open_envelope(headers_of(event, body), body, secrets=[SECRET], now=NOW)
    return delivery.order_key if delivery else None


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("push", None),  # a tag
        ("pull_request.opened", f"{KEY}#2"),
        ("pull_request.synchronize", "github/Codertocat/Hello-World#2"),
        ("pull_request.closed", f"{KEY}#2"),
        ("pull_request.labeled", None),
        ("issue_comment.created", None),  # on an issue that is no pull request
        ("issue_comment.edited", None),
        ("issue_comment.deleted", None),
        ("pull_request_review.submitted", f"{KEY}#2"),
        ("pull_request_review.dismissed", None),
        ("pull_request_review_comment.created", f"{KEY}#2"),
        ("pull_request_review_comment.edited", None),
        ("check_run.completed", None),
        ("check_run.requested_action", "github/electron/electron#26764"),
        ("check_suite.requested", None),
        ("repository.privatized", KEY),
        ("ping", None),
    ],
)
def test_an_event_is_stored_when_it_is_of_interest_in_the_order_of_its_change(name: str, place: str | None) -> None:
    assert place_of(name.partition(".")[0], EXAMPLES[name]) == place


def test_a_push_to_a_branch_is_ordered_by_the_branch_and_told_with_both_ends() -> None:
    payload = copy.deepcopy(EXAMPLES["push"])
    payload |= {"ref": "refs/heads/try/this", "before": "a" * 40, "after": "0" * 40, "deleted": True}

    (hook,) = read("push", payload)

    assert place_of("push", payload) == f"{KEY}@try/this"
    assert isinstance(hook, PushReceived)
    assert (hook.branch, hook.before_sha, hook.after_sha, hook.author) == ("try/this", "a" * 40, None, "Codertocat")


def test_a_pull_request_is_a_change_and_needs_no_further_question() -> None:
    (hook,) = read("pull_request", EXAMPLES["pull_request.opened"])

    assert isinstance(hook, Pull)
    change = hook.change
    assert (change.repository, change.number, change.title) == (KEY, 2, "Update the README with new information.")
    assert (change.source_branch, change.target_branch) == ("changes", "master")
    assert (change.head_sha, change.author) == ("ec26c3e57ca3a959ca5aad62de7213c562f8c821", "Codertocat")
    assert (change.from_fork, change.state) == (False, ChangeState.OPEN)
    assert hook.comments == 0


@pytest.mark.parametrize("head_repo", [None, {"full_name": "Eve/Hello-World"}, {}])
def test_a_head_of_another_or_a_deleted_repository_is_a_forks(head_repo: object) -> None:
    payload = copy.deepcopy(EXAMPLES["pull_request.opened"])
    payload["pull_request"]["head"]["repo"] = head_repo

    (hook,) = read("pull_request", payload)

    assert isinstance(hook, Pull)
    assert hook.change.from_fork


@pytest.mark.parametrize(
    ("merged_at", "state"), [(None, ChangeState.CLOSED), ("2026-11-24T12:00:00Z", ChangeState.MERGED)]
)
def test_a_closed_pull_request_is_merged_or_closed(merged_at: str | None, state: ChangeState) -> None:
    payload = copy.deepcopy(EXAMPLES["pull_request.closed"])
    payload["pull_request"]["merged_at"] = merged_at

    (hook,) = read("pull_request", payload)

    assert isinstance(hook, Pull)
    assert hook.change.state is state


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [({"base": {"ref": {"from": "x"}}}, True), ({"title": {"from": "x"}}, True), ({"body": {"from": "x"}}, False)],
)
def test_an_edit_counts_when_it_changes_the_target_or_the_title(changes: dict[str, Any], is_told: bool) -> None:
    payload = {**EXAMPLES["pull_request.opened"], "action": "edited", "changes": changes}

    assert (place_of("pull_request", payload) is not None) is is_told


def test_comments_of_people_count_wherever_they_are_written() -> None:
    conversation = copy.deepcopy(EXAMPLES["issue_comment.created"])
    conversation["issue"]["pull_request"] = {}
    conversation["comment"]["body"] = "/train"
    review = copy.deepcopy(EXAMPLES["pull_request_review.submitted"])
    review["review"]["body"] = "/train"

    hooks = [
        *read("issue_comment", conversation),
        *read("pull_request_review", review),
        *read("pull_request_review_comment", EXAMPLES["pull_request_review_comment.created"]),
    ]

    assert place_of("issue_comment", conversation) == f"{KEY}#1"
    told = [
        (hook.comment.id, hook.comment.number, hook.comment.body[:10]) for hook in hooks if isinstance(hook, Written)
    ]
    assert told == [
        ("comment:492700400", 1, "/train"),
        ("review:237895671", 2, "/train"),
        ("review-comment:284312630", 2, "Maybe you "),
    ]


@pytest.mark.parametrize("user", [None, {"login": "dependabot[bot]", "type": "Bot"}, {"login": "../x", "type": "User"}])
def test_bots_and_deleted_users_say_nothing(user: object) -> None:
    payload = copy.deepcopy(EXAMPLES["issue_comment.created"])
    payload["issue"]["pull_request"] = {}
    payload["comment"]["user"] = user

    assert read("issue_comment", payload) == []


def test_buttons_and_re_run_count_on_our_own_checks_alone() -> None:
    rerun, action = (copy.deepcopy(EXAMPLES[f"check_run.{name}"]) for name in ("rerequested", "requested_action"))
    suite = copy.deepcopy(EXAMPLES["check_suite.rerequested"])
    for payload in (rerun, action):
        payload["check_run"]["app"]["id"] = OUR_APP
        payload["check_run"]["name"] = "mlops/churn"
    suite["check_suite"]["app"]["id"] = OUR_APP
    action["requested_action"] = {"identifier": "retrain"}

    hooks = [*read("check_run", rerun), *read("check_run", action), *read("check_suite", suite)]
    rerun["check_run"]["app"]["id"] = suite["check_suite"]["app"]["id"] = 1

    assert [type(hook) for hook in hooks] == [CheckRerunRequested, CheckActionRequested, SuiteRerun]
    pressed = hooks[1]
    assert isinstance(pressed, CheckActionRequested)
    assert (pressed.name, pressed.action, pressed.requested_by) == ("mlops/churn", "retrain", "codebytere")
    assert [*read("check_run", rerun), *read("check_suite", suite)] == []


def test_repositories_that_can_not_be_seen_any_more_are_gone() -> None:
    renamed = read("repository", EXAMPLES["repository.renamed"])
    transferred = read("repository", EXAMPLES["repository.transferred"])
    uninstalled = read("installation", EXAMPLES["installation.deleted"])
    removed = read("installation_repositories", EXAMPLES["installation_repositories.removed"])
    added = read("installation_repositories", EXAMPLES["installation_repositories.added"])

    gone = [
        hook.repository
        for hooks in (renamed, transferred, uninstalled, removed)
        for hook in hooks
        if isinstance(hook, RepositoryGone)
    ]
    assert gone == [
        "github/Octocoders/Hello-World",
        "github/octocat/Hello-World",
        "github/octocat/Hello-World",
        "github/octocat/Hello-World",
    ]
    assert added == [AccessChanged()]


def test_addresses_come_from_the_settings_never_from_a_payload() -> None:
    payload = copy.deepcopy(EXAMPLES["pull_request.opened"])
    payload["repository"] |= {"clone_url": "https://evil.example/x.git", "html_url": "https://evil.example"}

    source = source_of("pull_request", "1", payload, GitHubSettings(app_id=1, private_key="k"))

    assert source.repository is not None
    assert source.repository.clone_address == "https://github.com/Codertocat/Hello-World.git"


@pytest.mark.parametrize("full_name", ["a/../../b", "--upload-pack=x/y", "a/b.git", "a/b/c", "a", "", "a/b\n", "a/b c"])
def test_a_name_that_is_no_repositorys_is_refused(full_name: str) -> None:
    payload = {**EXAMPLES["pull_request.opened"], "repository": {"full_name": full_name}}

    with pytest.raises(BadPayload):
        place_of("pull_request", payload)


def test_any_of_several_secrets_is_accepted_so_that_one_can_be_replaced() -> None:
    body = json.dumps(EXAMPLES["pull_request.opened"]).encode()

    for secret in ("old", "new"):
        assert open_envelope(headers_of("pull_request", body, secret), body, secrets=["old", "new"], now=NOW)
    for secrets in (["other"], [], [""]):
        with pytest.raises(BadSignature):
            open_envelope(headers_of("pull_request", body, ""), body, secrets=secrets, now=NOW)


def test_a_form_is_refused_with_the_remedy() -> None:
    body = b"payload=%7B%7D"
    headers = {**headers_of("push", body), "content-type": "application/x-www-form-urlencoded"}

    with pytest.raises(BadPayload, match="content type to application/json"):
        open_envelope(headers, body, secrets=[SECRET], now=NOW)
