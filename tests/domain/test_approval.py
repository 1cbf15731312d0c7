"""Invariant 5: an approval is for one thing, by distinct people who may, and never by those whose work it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approval import Approval, Decision, standing_of, thing_of
from bot.domain.project import DeployEnvironment
from bot.domain.result import Metric

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
RULE = DeployEnvironment(approvals=2)
PEOPLE = st.sampled_from(["alice", "Alice", "bob", "carol", "dave", "eve"])


def approval(by: str, *, thing: str = "this", decision: Decision = Decision.APPROVED) -> Approval:
    return Approval("dep-1", by, NOW, decision, thing, source=f"comment:{by}")


def a_thing(**fields) -> str:
    defaults = {
        "sha": "a" * 40,
        "environment": "production",
        "model_digest": "d" * 64,
        "metrics": {"auc": Metric(0.9)},
        "rule": RULE,
    }
    return thing_of(**{**defaults, **fields})


@pytest.mark.parametrize(
    "change",
    [
        {"sha": "b" * 40},
        {"environment": "staging"},
        {"model_digest": "e" * 64},
        {"metrics": {"auc": Metric(0.9000001)}},
        {"metrics": {}},
        {"rule": replace(RULE, approvals=1)},
        {"rule": replace(RULE, approvers=("alice",))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_invariant_5_anything_new_makes_another_thing(change):
    assert a_thing(**change) != a_thing()
    assert a_thing() == a_thing()


def test_distinct_people_who_may_are_counted_once_each():
    approvals = [approval("alice"), approval("ALICE"), approval("bob")]

    standing = standing_of(RULE, approvals, thing="this", barred={}, allowed=["Alice", "bob"])

    assert standing.counted == ("alice", "bob")
    assert standing.is_given


def test_invariant_5_authors_and_the_requester_do_not_count_whatever_the_case_of_their_name():
    barred = {"Alice": "wrote this change", "bob": "asked for this deployment"}

    standing = standing_of(
        RULE,
        [approval("alice"), approval("Bob"), approval("carol")],
        thing="this",
        barred=barred,
        allowed=["alice", "bob", "carol"],
    )

    assert standing.counted == ("carol",)
    assert standing.refused == {"alice": "wrote this change", "Bob": "asked for this deployment"}
    assert not standing.is_given


def test_invariant_5_an_approval_of_something_else_counts_no_more_and_says_why():
    approvals = [approval("alice", thing="that"), approval("bob")]

    standing = standing_of(RULE, approvals, thing="this", barred={}, allowed=["alice", "bob"])

    assert standing.counted == ("bob",)
    assert standing.refused == {"alice": "was given for something else: what would be deployed has changed since"}


def test_who_approved_once_for_something_else_may_approve_again():
    approvals = [approval("alice", thing="that"), approval("alice")]

    standing = standing_of(replace(RULE, approvals=1), approvals, thing="this", barred={}, allowed=["alice"])

    assert (standing.counted, dict(standing.refused), standing.is_given) == (("alice",), {}, True)


def test_somebody_who_lost_the_right_since_does_not_count():
    standing = standing_of(RULE, [approval("alice"), approval("bob")], thing="this", barred={}, allowed=["bob"])

    assert standing.counted == ("bob",)
    assert standing.refused == {"alice": "may not approve here"}


def test_a_rejection_is_no_approval():
    standing = standing_of(
        replace(RULE, approvals=1),
        [approval("alice", decision=Decision.REJECTED)],
        thing="this",
        barred={},
        allowed=["alice"],
    )

    assert not standing.is_given


def test_where_no_approval_is_needed_it_is_given():
    assert standing_of(DeployEnvironment(), [], thing="this", barred={}, allowed=[]).is_given


@given(
    approvals=st.lists(st.builds(approval, PEOPLE, thing=st.sampled_from(["this", "that"])), max_size=8),
    barred=st.sets(PEOPLE),
    allowed=st.sets(PEOPLE),
    needed=st.integers(1, 3),
)
def test_invariant_5_it_is_given_only_by_enough_distinct_allowed_people_for_this_very_thing(
    approvals, barred, allowed, needed
):
    standing = standing_of(
        DeployEnvironment(approvals=needed),
        approvals,
        thing="this",
        barred=dict.fromkeys(barred, "barred"),
        allowed=allowed,
    )

    may = {name.casefold() for name in allowed} - {name.casefold() for name in barred}
    approved = {one.by.casefold() for one in approvals if one.thing == "this"}
    assert {name.casefold() for name in standing.counted} == may & approved
    assert standing.is_given == (len(may & approved) >= needed)
