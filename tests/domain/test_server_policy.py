"""A server's policy: entries add up, the stricter wins, and nothing becomes weaker than `mlops.yaml` has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.project import Deploy, DeployEnvironment, Environment, Resources, SageMaker, Step
from bot.domain.server_policy import (
    Ceiling,
    EnvironmentPolicy,
    PolicyEntry,
    RepositoryPolicy,
    SecretSource,
    ServerPolicy,
    stricter,
)
from bot.domain.server_rules import (
    ASK,
    NOBODY,
    may_override,
    model_by_server,
    refusal_of_environment,
    refusal_of_override,
    refusal_of_run,
    refusal_of_server,
    rule_for,
    waiver_lasts,
)
from tests.domain.examples import model

GIB = 1024**3


def is_member(group: str, user: str) -> bool:
    return (group, user) == ("acme/leads", "bob")


def policy(**fields: object) -> RepositoryPolicy:
    return RepositoryPolicy(**fields)  # type: ignore[arg-type]  # each test names its own fields


# -- which entries count
@pytest.mark.parametrize(
    ("pattern", "repository", "counts"),
    [
        ("github/acme/*", "github/acme/churn", True),
        ("github/Acme/*", "github/acme/Churn", True),
        ("github/acme/*", "github/acme2/churn", False),
        ("gitlab/acme/**", "gitlab/acme/ml/churn", True),
        ("gitlab/acme/*", "gitlab/acme/ml/churn", False),
        ("**", "plain/models", True),
        ("*/models", "plain/models", True),
    ],
)
def test_an_entry_is_for_repositories_by_glob_without_regard_to_case(pattern: str, repository: str, counts: bool):
    entry = PolicyEntry((pattern,), policy(engines=("local",)))

    assert ServerPolicy((entry,)).of(repository) == (entry.policy if counts else RepositoryPolicy())


def test_a_repository_that_no_entry_matches_is_asked_nothing_and_gets_no_secret():
    asked = ServerPolicy().of("github/acme/churn")

    assert rule_for(DeployEnvironment(), asked, "production") == DeployEnvironment()
    assert refusal_of_run(replace(model(), train=Step("x", Resources(64, 999 * GIB, 8))), asked, engine="x") is None
    assert model_by_server(model(secrets=("A",)), asked, repository="github/acme/churn")[0].secrets == ()


def test_several_entries_add_up_and_the_stricter_wins():
    general = policy(
        secrets={"A": SecretSource(env="A_OF_ALL"), "B": SecretSource(env="B")},
        environments={"production": EnvironmentPolicy(1, ("alice", "@Bob", "carol"))},
        allowed_environments=("staging", "production"),
        engines=("local", "kubeflow"),
        images=(("acme/*",),),
        ceiling=Ceiling(cpu=8, gpu=1),
        override_by=("alice", "bob"),
        override_for_s=60,
    )
    special = policy(
        secrets={"A": SecretSource(file="/run/secrets/a")},
        environments={"production": EnvironmentPolicy(2, ("bob", "alice"), only_merged=True)},
        allowed_environments=("production", "live"),
        engines=("kubeflow",),
        images=(("*/churn",),),
        ceiling=Ceiling(cpu=16, memory_bytes=GIB),
        override_by=("@alice",),
        override_for_s=30,
    )
    entries = (PolicyEntry(("github/**",), general), PolicyEntry(("github/acme/churn",), special))

    assert ServerPolicy(entries).of("github/acme/churn") == RepositoryPolicy(
        secrets={"A": SecretSource(file="/run/secrets/a"), "B": SecretSource(env="B")},
        environments={"production": EnvironmentPolicy(2, ("alice", "@Bob"), only_merged=True)},
        allowed_environments=("production",),
        engines=("kubeflow",),
        images=(("acme/*",), ("*/churn",)),
        ceiling=Ceiling(cpu=8, memory_bytes=GIB, gpu=1),
        override_by=("alice",),
        override_for_s=30,
    )


# -- deployments
def test_the_policys_approvers_take_the_place_of_those_that_are_declared():
    declared = DeployEnvironment(approvals=1, approvers=("mallory",))
    asked = policy(environments={"production": EnvironmentPolicy(2, ("alice", "bob"), only_merged=True)})

    assert rule_for(declared, asked, "production") == DeployEnvironment(2, ("alice", "bob"), only_merged=True)
    assert rule_for(declared, asked, "staging") == declared


def test_entries_that_name_different_approvers_leave_nobody_and_not_everybody():
    asked = stricter(
        policy(environments={"production": EnvironmentPolicy(1, ("alice",))}),
        policy(environments={"production": EnvironmentPolicy(1, ("bob",))}),
    )
    rule = rule_for(DeployEnvironment(), asked, "production")

    assert rule.approvers == (NOBODY,)
    refusal = refusal_of_environment("production", asked, rule)
    assert refusal is not None
    assert refusal.problem == (
        "Nobody may approve for `production`: the entries of the server's policy for this repository name different "
        "approvers."
    )


def test_an_environment_that_is_not_allowed_is_refused_with_those_that_are():
    refusal = refusal_of_environment("live", policy(allowed_environments=("staging",)), DeployEnvironment())
    nothing = refusal_of_environment("live", policy(allowed_environments=()), DeployEnvironment())

    assert refusal is not None
    assert nothing is not None
    assert refusal.problem == ("The server's policy lets this repository deploy only to `staging`, and not to `live`.")
    assert nothing.problem == "The server's policy lets this repository deploy to no environment, and not to `live`."
    assert refusal_of_environment("staging", policy(allowed_environments=("staging",)), DeployEnvironment()) is None


def test_more_approvals_than_there_are_approvers_are_said_to_be_impossible():
    asked = policy(environments={"production": EnvironmentPolicy(approvals=2)})
    rule = rule_for(DeployEnvironment(1, ("alice", "@Alice")), asked, "production")
    of_a_group = rule_for(DeployEnvironment(1, ("@acme/leads",)), asked, "production")

    refusal = refusal_of_environment("production", asked, rule)
    assert refusal is not None
    assert refusal.problem == "`production` needs 2 approvals, and only `alice` and `@Alice` may give one."
    assert refusal_of_environment("production", asked, of_a_group) is None


# -- runs
def test_what_goes_beyond_the_ceilings_is_refused_in_one_go_with_both_numbers():
    asked = policy(
        engines=("kubeflow",),
        images=(("registry.example.com/ml/*",),),
        ceiling=Ceiling(cpu=4, memory_bytes=8 * GIB, gpu=0),
    )
    greedy = replace(
        model(),
        environment=Environment(image="evil/image:1"),
        train=Step("x", Resources(8, 16 * GIB, 1)),
        evaluate=Step("y", Resources(4.5, GIB // 2)),
    )

    refusal = refusal_of_run(greedy, asked, engine="local")

    assert refusal is not None
    assert refusal.problem.replace(". ", ".\n").splitlines() == [
        "The server's policy lets this repository run only on `kubeflow`, and the engine here is `local`.",
        "The image `evil/image:1` is not one that the server's policy allows (`registry.example.com/ml/*`).",
        "`train.resources.cpu` asks for 8 cores; the server's policy allows at most 4.",
        "`train.resources.memory` asks for 16 GiB; the server's policy allows at most 8 GiB.",
        "`train.resources.gpu` asks for 1 GPU; the server's policy allows at most 0.",
        "`evaluate.resources.cpu` asks for 4.5 cores; the server's policy allows at most 4.",
    ]
    assert refusal.fix == ASK


def test_training_on_sagemaker_is_for_whom_the_engines_name_it_and_with_an_image_that_is_allowed():
    job = SageMaker("arn:aws:iam::123456789012:role/training", "ml.m5.xlarge", "acme/train:1", "s3://acme")
    trained_there = replace(model(), train=Step("x", sagemaker=job))

    def refusal(**fields: object) -> str:
        found = refusal_of_run(trained_there, policy(**fields), engine="local")
        return "" if found is None else found.problem

    assert refusal() == ""
    assert refusal(engines=("local", "sagemaker"), images=(("acme/*",),)) == ""
    assert refusal(engines=("local",)) == "The server's policy does not let this repository train on SageMaker."
    assert refusal(images=(("other/*",),)) == (
        "The image `acme/train:1` is not one that the server's policy allows (`other/*`)."
    )


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        ("", True),
        ("acme/churn:1.2", True),
        ("acme/churn@sha256:" + "0" * 64, True),
        ("acme/ml/churn", False),
        ("evil/churn", False),
        ("acme/../evil", False),
        ("acme//churn", False),
    ],
)
def test_an_image_has_to_match_a_glob_and_can_not_walk_out_of_it(image: str, allowed: bool):
    found = refusal_of_run(
        replace(model(), environment=Environment(image=image)), policy(images=(("acme/*",),)), engine="local"
    )

    assert (found is None) == allowed


def test_a_step_and_a_server_without_limits_are_held_to_the_ceiling():
    asked = policy(ceiling=Ceiling(cpu=4, memory_bytes=GIB, gpu=2))
    bare = replace(
        model(), evaluate=Step("y", Resources(1, 1024)), deploy=Deploy("onnx", {}, Resources(memory_bytes=77))
    )

    held, notes = model_by_server(bare, asked, repository="github/acme/churn")

    assert held.train.resources == Resources(4, GIB)
    assert held.evaluate is not None
    assert held.evaluate.resources == Resources(1, 1024)
    assert held.deploy is not None
    assert held.deploy.resources == Resources(4, 77)
    assert notes == ()
    refusal = refusal_of_server(Deploy("onnx", {}, Resources(8)), asked)
    assert refusal is not None
    assert refusal.problem == "`deploy.resources.cpu` asks for 8 cores; the server's policy allows at most 4."


def test_invariant_9_a_secret_that_is_not_granted_is_not_given_and_the_report_says_so():
    asked = policy(secrets={"A": SecretSource(env="X")})

    one, one_note = model_by_server(model(secrets=("A", "B")), asked, repository="github/acme/churn")
    none, both_note = model_by_server(model(secrets=("A", "B")), policy(), repository="github/acme/churn")

    assert (one.secrets, none.secrets) == (("A",), ())
    assert one_note == ("`B` is not given to this run: the server's policy does not let `github/acme/churn` have it.",)
    assert both_note == (
        "`A` and `B` are not given to this run: the server's policy does not let `github/acme/churn` have them.",
    )


# -- overrides
@pytest.mark.parametrize(
    ("by", "user", "may"),
    [
        (None, "mallory", True),
        ((), "alice", False),
        (("alice",), "Alice", True),
        (("@alice",), "alice", True),
        (("alice",), "bob", False),
        (("alice", "@acme/leads"), "bob", True),
        (("@acme/leads",), "alice", False),
    ],
)
def test_who_may_override_gates(by: tuple[str, ...] | None, user: str, may: bool):
    assert may_override(user, policy(override_by=by), is_member=is_member) is may


def test_who_may_not_override_is_told_who_may():
    refusal = refusal_of_override("eve", policy(override_by=("alice", "@acme/leads")), is_member=is_member)
    nobody = refusal_of_override("eve", policy(override_by=()), is_member=is_member)

    assert str(refusal) == (
        "`eve` may not override gates here, by the server's policy. Only `alice` and `@acme/leads` may. Meet the gate."
    )
    assert str(nobody) == "`eve` may not override gates here, by the server's policy. Nobody may. Meet the gate."
    assert refusal_of_override("eve", policy(), is_member=is_member) is None


def test_a_waiver_lasts_as_long_as_the_policy_says_and_never_longer_than_usual():
    assert waiver_lasts(policy()) == timedelta(days=30)
    assert waiver_lasts(policy(override_for_s=3600)) == timedelta(hours=1)
