"""Whatever stands in a policy, and in another of its entries: nothing becomes weaker."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.project import Deploy, DeployEnvironment, Environment, Model, Resources, Step
from bot.domain.server_policy import (
    Ceiling,
    EnvironmentPolicy,
    RepositoryPolicy,
    SecretSource,
    stricter,
)
from bot.domain.server_rules import (
    NOBODY,
    may_override,
    model_by_server,
    refusal_of_environment,
    refusal_of_run,
    rule_for,
    waiver_lasts,
)
from tests.domain.examples import PROPERTY, model

GIB = 1024**3
FEW = settings(PROPERTY, max_examples=40)  # a policy has many parts to be drawn
PEOPLE = st.lists(st.sampled_from(["alice", "@Alice", "bob", "carol", "@acme/leads"]), max_size=4, unique=True)
NAMES = st.lists(st.sampled_from(["staging", "production", "live"]), max_size=3, unique=True).map(tuple)
DECLARED = st.builds(
    DeployEnvironment, approvals=st.integers(0, 4), approvers=PEOPLE.map(tuple), only_merged=st.booleans()
)
POLICIES = st.builds(
    RepositoryPolicy,
    secrets=st.dictionaries(st.sampled_from("ABC"), st.builds(SecretSource, env=st.sampled_from("XYZ")), max_size=3),
    environments=st.dictionaries(
        st.sampled_from(["staging", "production"]),
        st.builds(
            EnvironmentPolicy,
            approvals=st.integers(0, 4),
            approvers=st.none() | PEOPLE.map(tuple),
            only_merged=st.booleans(),
        ),
    ),
    allowed_environments=st.none() | NAMES,
    engines=st.none() | st.lists(st.sampled_from(["local", "kubeflow"]), max_size=2, unique=True).map(tuple),
    images=st.lists(st.sampled_from([("acme/*",), ("acme/a*", "other/**"), ()]), max_size=2).map(tuple),
    ceiling=st.builds(
        Ceiling,
        cpu=st.none() | st.floats(0.5, 8),
        memory_bytes=st.none() | st.integers(1, 8 * GIB),
        gpu=st.none() | st.integers(0, 4),
    ),
    override_by=st.none() | PEOPLE.map(tuple),
    override_for_s=st.none() | st.integers(1, 30 * 86_400),
)
RESOURCES = st.builds(Resources, cpu=st.floats(0, 10), memory_bytes=st.integers(0, 10 * GIB), gpu=st.integers(0, 5))
MODELS = st.builds(
    lambda resources, image, secrets: replace(
        model(),
        train=Step("x", resources),
        environment=Environment(image=image),
        secrets=tuple(secrets),
        deploy=Deploy("sklearn", {}, resources),
    ),
    RESOURCES,
    st.sampled_from(["", "acme/a", "acme/b", "other/x/y", "acme/../evil"]),
    st.lists(st.sampled_from("ABC"), unique=True),
)


def is_member(group: str, user: str) -> bool:
    return (group, user) == ("acme/leads", "bob")


@FEW
@given(DECLARED, POLICIES)
def test_no_policy_makes_a_deployment_easier(declared: DeployEnvironment, asked: RepositoryPolicy):
    rule = rule_for(declared, asked, "production")
    named = asked.environments.get("production", EnvironmentPolicy()).approvers

    assert rule.approvals >= declared.approvals
    assert rule.only_merged >= declared.only_merged
    assert rule.canary == declared.canary
    if named is None:
        assert rule.approvers == declared.approvers
    else:
        assert rule.approvers, "no approvers would be everybody"
        assert set(rule.approvers) <= {*named, NOBODY}


@FEW
@given(DECLARED, POLICIES, POLICIES)
def test_another_entry_never_makes_a_deployment_easier(
    declared: DeployEnvironment, one: RepositoryPolicy, other: RepositoryPolicy
):
    alone, both = rule_for(declared, one, "production"), rule_for(declared, stricter(one, other), "production")

    assert both.approvals >= alone.approvals
    assert both.only_merged >= alone.only_merged
    if one.environments.get("production", EnvironmentPolicy()).approvers is not None:
        assert set(both.approvers) <= {*alone.approvers, NOBODY}
    if refusal_of_environment("production", replace(one, environments={}), DeployEnvironment()):
        assert refusal_of_environment("production", stricter(one, other), both)


@FEW
@given(MODELS, POLICIES, POLICIES, st.sampled_from(["local", "kubeflow"]))
def test_another_entry_never_allows_what_one_refuses(
    asked_for: Model, one: RepositoryPolicy, other: RepositoryPolicy, engine: str
):
    both = stricter(one, other)

    if refusal_of_run(asked_for, one, engine=engine):
        assert refusal_of_run(asked_for, both, engine=engine)
    for user in ("alice", "bob", "eve"):
        if not may_override(user, one, is_member=is_member):
            assert not may_override(user, both, is_member=is_member)
    assert waiver_lasts(both) <= waiver_lasts(one) <= waiver_lasts(RepositoryPolicy())


@FEW
@given(MODELS, POLICIES)
def test_what_is_let_through_stays_below_the_ceiling_and_asks_for_no_more_than_before(
    asked_for: Model, asked: RepositoryPolicy
):
    held, _ = model_by_server(asked_for, asked, repository="plain/models")

    assert set(held.secrets) == set(asked_for.secrets) & set(asked.secrets)
    before, after, ceiling = asked_for.train.resources, held.train.resources, asked.ceiling
    assert after == before or before.cpu == 0 or before.memory_bytes == 0
    if refusal_of_run(held, asked, engine=next(iter(asked.engines or ("local",)), "local")) is None:
        assert ceiling.cpu is None or 0 < after.cpu <= ceiling.cpu
        assert ceiling.memory_bytes is None or 0 < after.memory_bytes <= ceiling.memory_bytes
        assert ceiling.gpu is None or after.gpu <= ceiling.gpu


@FEW
@given(POLICIES, POLICIES)
def test_the_order_of_entries_matters_only_for_where_a_secret_comes_from(
    one: RepositoryPolicy, other: RepositoryPolicy
):
    there, back = stricter(one, other), stricter(other, one)

    assert set(there.secrets) == set(back.secrets)
    assert (there.ceiling, there.override_for_s, set(there.images)) == (
        back.ceiling,
        back.override_for_s,
        set(back.images),
    )
    for first, second in (
        (there.allowed_environments, back.allowed_environments),
        (there.engines, back.engines),
    ):
        assert (first is None) == (second is None)
        assert set(first or ()) == set(second or ())
