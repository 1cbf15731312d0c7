"""What every forge does."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest

from bot.domain.change import Change, ChangeSeen, ChangeState, CommentCreated, PushReceived
from bot.domain.check import Check, CheckStatus, Conclusion
from bot.ports.forge import BadPayload, BadSignature, Permission
from tests.contracts.forges_under_test import ForgeUnderTest, Webhook, events, opened_change


def test_a_webhook_is_taken_only_as_it_was_signed(it: ForgeUnderTest) -> None:
    it.commit("main", a="1")
    webhook = it.push("main")[0]
    proofs = [name for name in webhook.headers if "signature" in name or "token" in name]
    unsigned = {name: value for name, value in webhook.headers.items() if name not in proofs}
    wrong = {**webhook.headers, **dict.fromkeys(proofs, "sha256=0")}
    forged = [(unsigned, webhook.body), (wrong, webhook.body)]

    assert it.forge.open_envelope(webhook.headers, webhook.body) is not None
    for headers, body in [*forged, *[(webhook.headers, webhook.body + b" ")] * it.signs_bodies]:
        with pytest.raises(BadSignature):
            it.forge.open_envelope(headers, body)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b'{"repository": 7}', b"[" * 100_000, b"\xff\xfe"])
def test_a_signed_body_that_is_not_what_is_documented_is_refused_with_words(it: ForgeUnderTest, body: bytes) -> None:
    webhook = it.sign(body)

    if not it.signs_bodies:
        assert it.forge.open_envelope(webhook.headers, webhook.body) is None
        return
    with pytest.raises(BadPayload) as refused:
        it.forge.open_envelope(webhook.headers, webhook.body)

    assert str(refused.value).endswith(".")


def test_a_webhook_that_comes_again_has_the_same_id_and_the_same_place_in_order(it: ForgeUnderTest) -> None:
    it.commit("main", a="1")
    webhook = it.push("main")[0]

    first, again = (it.forge.open_envelope(webhook.headers, webhook.body) for _ in range(2))

    assert first is not None
    assert again is not None
    assert (first.id, first.order_key, first.forge) == (again.id, again.order_key, it.forge.name)


def test_a_push_to_the_default_branch_is_told_with_both_ends(it: ForgeUnderTest) -> None:
    before = it.forge.heads(it.repository)["main"]
    after = it.commit("main", a="1")

    told = events(it, it.push("main"))

    assert [(event.branch, event.before_sha, event.after_sha) for event in told if isinstance(event, PushReceived)] == [
        ("main", before, after)
    ]
    assert [event for event in told if isinstance(event, ChangeSeen)] == []
    assert it.forge.heads(it.repository) == {"main": after}


def test_a_change_is_told_as_it_stands_and_listed_the_same(it: ForgeUnderTest) -> None:
    head = it.commit("better", a="1")

    told = [event for event in events(it, it.push("better")) if isinstance(event, ChangeSeen)]

    change = told[0].change
    assert told == [ChangeSeen(it.repository, change)]
    assert (change.repository, change.source_branch, change.target_branch) == (it.repository.key, "better", "main")
    assert (change.head_sha, change.state, change.from_fork) == (head, ChangeState.OPEN, False)
    assert (change.title, change.author) == ("Work on better", "Ada")
    assert list(it.forge.changes(it.repository)) == [change]


def test_a_push_to_a_change_moves_its_head_also_over_another_history(it: ForgeUnderTest) -> None:
    change = opened_change(it)
    second = it.commit("better", a="2")
    moved = events(it, it.push("better"))
    rewritten = it.amend("better")

    forced = events(it, it.push("better"))

    numbers_and_heads = [
        [(event.change.number, event.change.head_sha) for event in told if isinstance(event, ChangeSeen)]
        for told in (moved, forced)
    ]
    assert numbers_and_heads == [[(change.number, second)], [(change.number, rewritten)]]


def test_a_merged_change_is_told_as_merged(it: ForgeUnderTest) -> None:
    change = opened_change(it)

    told = events(it, it.merge("better"))

    assert [event.change for event in told if isinstance(event, ChangeSeen)] == [
        replace(change, state=ChangeState.MERGED)
    ]
    assert [seen.state for seen in it.forge.changes(it.repository)] == [ChangeState.MERGED]


def test_a_change_whose_branch_is_deleted_is_told_as_closed(it: ForgeUnderTest) -> None:
    change = opened_change(it)

    told = events(it, it.delete("better"))

    assert [event.change for event in told if isinstance(event, ChangeSeen)] == [
        replace(change, state=ChangeState.CLOSED)
    ]
    assert [event.after_sha for event in told if isinstance(event, PushReceived)] == [None]


def test_a_check_is_made_once_and_then_brought_up_to_date(it: ForgeUnderTest) -> None:
    change = opened_change(it)
    queued = Check("mlops/a", change.head_sha, CheckStatus.QUEUED, None, "Queued", "", "http://bot/runs/1")
    done = replace(queued, status=CheckStatus.COMPLETED, conclusion=Conclusion.SUCCESS, title="Passed")

    first = it.forge.put_check(change.repository, queued, known_id=None)
    second = it.forge.put_check(change.repository, done, known_id=first)

    assert first == second
    assert it.shown_checks(change.head_sha) == [done]


def test_who_owns_the_repository_may_write(it: ForgeUnderTest) -> None:
    assert it.forge.permission(it.repository.key, "ada") in (Permission.WRITE, Permission.ADMIN)


def test_the_authors_of_a_change_are_who_opened_it_and_who_wrote_its_commits(it: ForgeUnderTest) -> None:
    it.commit("better", a="1")
    for name, address in (("Grace", "grace@example.com"), ("Nobody", "nobody@elsewhere.example")):
        author = f"{name} <{address}>"
        it.tree.git("commit", "--quiet", "--allow-empty", "--message", "More", "--author", author)
    told = events(it, it.push("better"))
    change = next(event.change for event in told if isinstance(event, ChangeSeen))

    authors = {name.casefold() for name in it.forge.authors(change)}

    knows_no_users = {"nobody"} if it.forge.name == "plain" else set()
    assert authors == {"ada", "grace"} | knows_no_users


def test_the_author_of_the_oldest_of_many_commits_is_found(it: ForgeUnderTest) -> None:
    base = it.tree.git("rev-parse", "refs/heads/main")
    who = ["Grace <grace@example.com>", *["Ada <ada@example.com>"] * 219]
    lines = [
        f"commit refs/heads/many\ncommitter {one} {1_700_000_000 + at} +0000\ndata 0\n" for at, one in enumerate(who)
    ]
    lines[0] += f"from {base}\n"
    subprocess.run(["git", "fast-import", "--quiet"], cwd=it.tree.path, input="".join(lines).encode(), check=True)
    told = events(it, it.push("many"))
    change = next(event.change for event in told if isinstance(event, ChangeSeen))

    assert {name.casefold() for name in it.forge.authors(change)} == {"ada", "grace"}


def test_who_is_in_a_group_is_asked_each_time(it: ForgeUnderTest) -> None:
    asked = [it.forge.is_member("acme/ml-leads", "Grace")]
    it.join_group("acme/ml-leads", "Grace")
    asked.append(it.forge.is_member("@acme/ml-leads", "grace"))

    assert asked == [False, it.forge.name != "plain"]
    assert not it.forge.is_member("acme/ml-leads", "Ada")
    for strange in ("acme", "", "@../../user", "acme/ml-leads/../x", "acme/ml-leads?x=1"):
        assert not it.forge.is_member(strange, "Grace")
    for strange in ("", "../x", "Grace/x", "Gra"):
        assert not it.forge.is_member("acme/ml-leads", strange)


def test_a_forge_with_plenty_of_quota_lets_progress_be_shown(it: ForgeUnderTest) -> None:
    it.forge.check_health()

    assert it.forge.saves_quota_until(it.repository.key) is None


def test_a_forge_that_answers_is_healthy(it: ForgeUnderTest) -> None:
    it.forge.check_health()


def test_a_delivery_of_a_repository_that_is_not_watched_means_nothing(it: ForgeUnderTest) -> None:
    it.commit("main", a="1")
    delivery = it.open(it.push("main")[0])

    assert list(it.forge.events(replace(delivery, order_key=f"{it.forge.name}/elsewhere"))) == []


def test_invariant_2_what_no_webhook_told_is_seen_the_same(it: ForgeUnderTest) -> None:
    """Changes, heads and comments as they are listed equal those that webhooks tell of."""
    told: dict[int, Change] = {}
    heads: dict[str, str | None] = {}
    comments = []

    def hear(webhooks: list[Webhook]) -> None:
        for event in events(it, webhooks):
            match event:
                case ChangeSeen():
                    told[event.change.number] = event.change
                case PushReceived():
                    heads[event.branch] = event.after_sha
                case CommentCreated():
                    comments.append(event.comment)

    for branch in ("merged", "closed", "moved", "kept"):
        it.commit(branch, **{branch: "1"})
        hear(it.push(branch))
    it.commit("moved", moved="2")
    hear(it.push("moved"))
    hear(it.write(next(change for change in told.values() if change.source_branch == "kept"), "/train"))
    hear(it.merge("merged"))
    hear(it.delete("closed"))

    listed = {change.number: change for change in it.forge.changes(it.repository)}
    assert listed == told
    assert dict(it.forge.heads(it.repository)) == {branch: sha for branch, sha in heads.items() if sha is not None}
    assert [comment for change in told.values() for comment in it.forge.comments(change)] == comments
    assert json.dumps(sorted(change.state for change in listed.values())) == '["closed", "merged", "open", "open"]'
