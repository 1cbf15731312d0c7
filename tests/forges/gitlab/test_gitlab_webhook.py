"""What GitLab sends, with payloads as it documents them, and with anything else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.change import ChangeState, Delivery
from bot.forges.gitlab import webhook
from bot.forges.gitlab.merge_request import MergeRequest
from bot.ports.forge import BadSignature

PAYLOADS = {
    path.stem: path.read_bytes() for path in Path(__file__).parents[2].joinpath("payloads/gitlab").glob("*.json")
}
FORMER, SHA = "5b1c0fa1a4d6c1e7f0b7d2a9f3c8e6d4b2a19087", "9f3c8e6d4b2a190875b1c0fa1a4d6c1e7f0b7d2a"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
IGNORED = (
    *("tag_push", "emoji", "pipeline", "merge_request_approved"),
    *("note_edited", "note_by_system", "note_by_bot", "note_internal", "note_on_issue"),
)


def opened(body: bytes, **headers: str) -> Delivery | None:
    given = {"x-gitlab-token": "new", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return webhook.open_envelope(given, body, secrets=("new", "old"), now=NOW)


def merge_request(name: str) -> MergeRequest:
    hook = webhook.read(PAYLOADS[name])
    assert isinstance(hook, webhook.MergeRequestHook)
    return hook.merge_request


@pytest.mark.parametrize("token", ["new", "old"])
def test_each_of_several_secrets_is_accepted_so_that_one_can_be_replaced(token: str) -> None:
    assert opened(PAYLOADS["push"], **{"x-gitlab-token": token}) is not None


@pytest.mark.parametrize("token", ["", "ne", "new ", "NEW", "neu\xe9", "\ud800"])
def test_a_wrong_token_is_refused_whatever_the_body_is(token: str) -> None:
    for body in (PAYLOADS["push"], b"", b"{"):
        with pytest.raises(BadSignature):
            opened(body, **{"x-gitlab-token": token})


def test_without_a_secret_nobody_is_let_in() -> None:
    for secrets in ((), ("",)):
        with pytest.raises(BadSignature):
            webhook.open_envelope({"x-gitlab-token": ""}, PAYLOADS["push"], secrets=secrets, now=NOW)


def test_a_delivery_is_known_by_its_idempotency_key_else_by_its_event_else_by_its_body() -> None:
    body = PAYLOADS["push"]
    by_key, by_event, by_body = (
        [opened(body, **headers), opened(body, **headers), opened(body + b" ", **headers)]
        for headers in (
            {"idempotency-key": "f5e57ca9-6d0c", "x-gitlab-event-uuid": "13792a34"},
            {"x-gitlab-event-uuid": "13792a34"},
            {"idempotency-key": "not an id", "x-gitlab-event-uuid": "'; drop table"},
        )
    )

    assert [one.id for one in by_key if one] == ["gitlab:f5e57ca9-6d0c"] * 3
    for found in (by_event, by_body):
        first, again, other = [one.id for one in found if one]
        assert first == again != other


def test_a_push_is_read_with_both_ends_and_ordered_with_its_branch() -> None:
    push = webhook.read(PAYLOADS["push"])
    created = webhook.read(PAYLOADS["push_new_branch"])
    deleted = webhook.read(PAYLOADS["push_deleted_branch"])

    assert push == webhook.Push("acme/ml/models", "main", "main", FORMER, SHA, "ada")
    assert isinstance(created, webhook.Push)
    assert isinstance(deleted, webhook.Push)
    assert (created.branch, created.before, created.after) == ("feature/more-trees", None, SHA)
    assert (deleted.before, deleted.after) == (FORMER, None)
    delivery = opened(PAYLOADS["push_new_branch"])
    assert delivery is not None
    assert (delivery.event, delivery.order_key) == ("push", "gitlab/acme/ml/models@feature/more-trees")
    assert webhook.path_of_order_key("gitlab/acme/ml/models@a@b!c") == "gitlab/acme/ml/models"


def test_a_merge_request_is_read_and_ordered_with_its_comments() -> None:
    told = merge_request("merge_request_open")

    assert told == MergeRequest(
        number=3,
        title="Draft: more trees",
        author_id=51,
        author="",
        source_branch="more-trees",
        target_branch="main",
        head_sha=SHA,
        from_fork=False,
        state=ChangeState.OPEN,
        opened_at=datetime(2026, 3, 1, 9, 11, 20, tzinfo=UTC),
        updated_at=datetime(2026, 3, 1, 9, 11, 25, tzinfo=UTC),
    )
    keys = {opened(PAYLOADS[name]) for name in ("merge_request_open", "merge_request_close", "note")}
    assert {delivery.order_key for delivery in keys if delivery} == {"gitlab/acme/ml/models!3"}


@pytest.mark.parametrize(
    ("name", "state", "target"),
    [
        ("merge_request_update_pushed", ChangeState.OPEN, "main"),
        ("merge_request_update_target", ChangeState.OPEN, "release"),
        ("merge_request_reopen", ChangeState.OPEN, "main"),
        ("merge_request_close", ChangeState.CLOSED, "main"),
        ("merge_request_merge", ChangeState.MERGED, "main"),
    ],
)
def test_what_becomes_of_a_merge_request_is_read(name: str, state: ChangeState, target: str) -> None:
    told = merge_request(name)

    assert (told.state, told.target_branch, told.head_sha) == (state, target, SHA)


def test_a_fork_is_one_also_when_it_is_gone() -> None:
    assert merge_request("merge_request_from_fork").from_fork
    assert merge_request("merge_request_fork_gone").from_fork
    assert merge_request("merge_request_without_branch").head_sha == ""


@pytest.mark.parametrize("name", ["note", "note_on_diff", "note_before_16_11"])
def test_a_new_comment_by_a_person_is_read(name: str) -> None:
    created_at = datetime(2026, 3, 1, 9, 20, tzinfo=UTC)

    assert webhook.read(PAYLOADS[name]) == webhook.Note(
        "acme/ml/models", 3, 1244, 51, "ada", "/train n_estimators=400", created_at
    )


@pytest.mark.parametrize("name", IGNORED)
def test_tags_reactions_edits_system_notes_bots_and_what_is_not_a_merge_requests_are_ignored(name: str) -> None:
    assert opened(PAYLOADS[name]) is None


def test_every_payload_is_either_read_or_ignored_on_purpose() -> None:
    unread = {name for name, body in PAYLOADS.items() if webhook.read(body) is None}

    assert unread == set(IGNORED)


@pytest.mark.parametrize(
    "path",
    ["models", "../models", "a/../b", "a//b", "/a/b", "a/b.git", "-a/b", "a/b c", "a/b\n", "a/" + "b" * 300, "a/%2e"],
)
def test_a_path_that_could_lead_elsewhere_is_ignored(path: str) -> None:
    payload = json.loads(PAYLOADS["push"])
    payload["project"]["path_with_namespace"] = path

    assert opened(json.dumps(payload).encode()) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\ud800\0"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MISSING = "<missing>"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(place for key, one in inner for place in places(one, (*path, key)))]


def put(payload: Any, place: tuple[Any, ...], value: Any) -> None:
    for key in place[:-1]:
        payload = payload[key]
    if value == MISSING:
        del payload[place[-1]]
    else:
        payload[place[-1]] = value


@pytest.mark.parametrize("name", ["push", "tag_push", "merge_request_open", "note", "emoji", "pipeline"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_field_may_be_missing_null_or_of_another_type(name: str, data: st.DataObject) -> None:
    payload = json.loads(PAYLOADS[name])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(payload)))
        put(payload, place, data.draw(st.just(MISSING) | ANYTHING))
        if not payload:
            break
    body = json.dumps(payload).encode()

    delivery = opened(body)

    if delivery is not None:  # then it can be stored, and be read again
        assert webhook.read(delivery.body) is not None
        assert (delivery.id + delivery.order_key).encode().decode() == delivery.id + delivery.order_key
        assert "\0" not in delivery.order_key


@pytest.mark.parametrize("name", ["push", "merge_request_open", "note"])
def test_each_single_field_may_be_missing_or_null(name: str) -> None:
    for place in places(json.loads(PAYLOADS[name])):
        values: tuple[Any, ...] = (MISSING, None, 7, "x", [], {}, True)
        for value in values:
            payload = json.loads(PAYLOADS[name])
            put(payload, place, value)

            opened(json.dumps(payload).encode())


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=200) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_any_body_at_all_is_ignored_and_never_refused(body: bytes) -> None:
    assert opened(body) is None


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000, b'{"project": {"id": 1e999}}'])
def test_bodies_that_are_hard_to_parse_are_ignored(body: bytes) -> None:
    assert opened(body) is None
