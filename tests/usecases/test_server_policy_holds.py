"""Runs are held to the server's policy when they are ordered, and get the secrets that it grants when they start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.check import Conclusion
from bot.domain.run import Phase
from bot.domain.server_rules import ASK
from bot.policies import Policies
from bot.ports.store import Kind
from bot.usecases.explain import explain_change
from tests.usecases.kit import Place

PROJECT = """\
version: 1
models:
  churn:
    path: churn
    secrets: [WANDB, OTHER]
    environment: {image: "acme/train:1"}
    train: {run: python train.py, resources: {cpu: 8, memory: 2Gi}}
    evaluate: {run: python evaluate.py, gates: [accuracy >= 0.9]}
"""
WANDB = "wandb-value-1"
# plain git has no forks, so its own look at the repository would find a branch where we say that a fork is
LANES_WITHOUT_LOOKS = (Kind.DELIVERY, Kind.RUN, Kind.FEEDBACK)


class Server:
    """Whoever runs the bot: writes its policy, and sets its variables."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.file = folder / "policy.yaml"
        self.environ = {"W": WANDB}
        self.told: list[str] = []
        self.asks("engines: [local, kubeflow]")
        self.policies = Policies(self.file, environ=self.environ, on_secrets=self.told.extend)
        place.world = replace(
            place.world,
            policy_of=self.policies.of,
            secrets_of=self.policies.secrets_of,
            check_policy=self.policies.check,
        )
        place.engine.name = "local"

    def asks(self, *keys: str) -> None:
        lines = ["version: 1", "repositories:", '  - match: ["plain/*"]', *(f"    {key}" for key in keys)]
        self.file.write_text("\n".join(lines) + "\n")


@pytest.fixture
def server(place: Place, tmp_path: Path) -> Server:
    return Server(place, tmp_path)


def push(place: Place, project: str = PROJECT) -> str:
    sha = place.commit(mlops_yaml=project, churn__train_py="print('churn')")
    place.look()
    return sha


def see_fork(place: Place) -> None:
    """The open change, as if it came from a fork."""
    (change,) = place.forge.changes(place.repository)
    place.seen(replace(change, from_fork=True, author="eve"))


def secrets_given(place: Place, sha: str) -> Mapping[str, str]:
    """Those of the model; the callback's token is the bot's own."""
    given = dict(place.engine.submissions[place.run(sha).id].secrets)
    del given["MLOPS_BOT_CALLBACK_TOKEN"]
    return given


def test_a_run_beyond_the_policy_fails_before_it_begins_with_words_on_the_commit(place: Place, server: Server):
    server.asks("resources: {cpu: 4}", 'images: ["registry.example.com/ml/*"]')

    sha = push(place)

    run = place.run(sha)
    assert run.phase is Phase.FAILED
    assert place.engine.submissions == {}
    check = place.checks(sha)["mlops/churn"]
    assert check.conclusion is Conclusion.FAILURE
    for words in (
        "The image `acme/train:1` is not one that the server's policy allows (`registry.example.com/ml/*`).",
        "`train.resources.cpu` asks for 8 cores; the server's policy allows at most 4.",
        "Ask whoever runs this bot, or keep to it in mlops.yaml.",
    ):
        assert words in check.summary


def test_a_run_on_an_engine_that_is_not_allowed_is_refused(place: Place, server: Server):
    server.asks("engines: [kubeflow]")

    run = place.run(push(place))

    assert run.result is not None
    assert run.result.failure is not None
    assert run.result.failure.message == (
        "The server's policy lets this repository run only on `kubeflow`, and the engine here is `local`."
    )


def test_a_command_is_answered_with_the_refusal(place: Place, server: Server):
    place.end(place.run(push(place)))
    sha = place.commit("trees", churn__train_py="print(2)")
    place.look()
    server.asks("resources: {memory: 1Gi}")

    post = place.say("/train --force")
    place.converge()

    assert "`train.resources.memory` asks for 2 GiB; the server's policy allows at most 1 GiB." in place.answer(post)
    assert place.run(sha).phase is Phase.FAILED


def test_a_step_without_a_limit_gets_the_ceiling(place: Place, server: Server):
    server.asks("resources: {memory: 1Gi, cpu: 16}")

    run = place.run(push(place, PROJECT.replace(", resources: {cpu: 8, memory: 2Gi}", "")))

    assert (run.arguments["train"]["memory_bytes"], run.arguments["train"]["cpu"]) == (1024**3, 16.0)
    assert run.arguments["evaluate"]["memory_bytes"] == 1024**3


def test_invariant_9_a_granted_secret_is_given_and_another_is_not_which_the_report_says(place: Place, server: Server):
    server.asks("secrets: {WANDB: {env: W}, UNDECLARED: {env: W}}")

    sha = push(place)

    assert secrets_given(place, sha) == {"WANDB": WANDB}
    run = place.run(sha)
    assert run.arguments["secrets"] == ["WANDB"]
    words = "`OTHER` is not given to this run: the server's policy does not let `plain/models` have it."
    assert run.notes == (words,)
    assert words in place.checks(sha)["mlops/churn"].summary
    assert WANDB in server.told


def test_invariant_9_without_a_policy_no_secret_is_given(place: Place, server: Server):
    sha = push(place)

    assert secrets_given(place, sha) == {}
    assert place.run(sha).notes == (
        "`WANDB` and `OTHER` are not given to this run: the server's policy does not let `plain/models` have them.",
    )


def test_invariant_4_a_change_can_not_grant_itself_what_the_policy_would_allow(place: Place, server: Server):
    server.asks("secrets: {WANDB: {env: W}, OTHER: {env: W}}")
    place.end(place.run(push(place, PROJECT.replace("[WANDB, OTHER]", "[WANDB]"))))

    sha = place.commit("trees", mlops_yaml=PROJECT, churn__train_py="print(2)")
    place.look()

    assert secrets_given(place, sha) == {"WANDB": WANDB}
    assert "`OTHER` is not given to this run: `main` does not list such a secret" in place.comment()


def test_a_secret_that_is_granted_later_makes_another_run(place: Place, server: Server):
    first = place.run(push(place))
    place.end(first)
    server.asks("secrets: {WANDB: {env: W}}")

    post_sha = place.commit("trees", churn__more_py="print(2)")
    place.look()

    assert place.run(post_sha).key != first.key
    assert secrets_given(place, post_sha) == {"WANDB": WANDB}


def test_invariant_8_a_forks_run_gets_no_secret_whatever_the_policy_grants(place: Place, server: Server):
    server.asks("secrets: {WANDB: {env: W}, OTHER: {env: W}}")
    place.end(place.run(push(place)))
    sha = place.commit("eve/trees", churn__train_py="import os; print(os.environ)")
    see_fork(place)
    place.converge(*LANES_WITHOUT_LOOKS)
    assert place.runs(sha) == []

    place.say("/ok-to-test")
    place.converge(*LANES_WITHOUT_LOOKS)

    assert secrets_given(place, sha) == {}
    assert place.run(sha).arguments["secrets"] == []
    assert place.run(sha).notes[-1] == "`WANDB` and `OTHER` not given to this run: the change comes from a fork."


@pytest.mark.parametrize("said", ["/train", "/retry", "/train --force"])
def test_invariant_8_no_command_gives_a_forks_run_a_secret(said: str, place: Place, server: Server):
    server.asks("secrets: {WANDB: {env: W}, OTHER: {env: W}}")
    place.end(place.run(push(place)))
    sha = place.commit("eve/trees", churn__train_py="import os; print(os.environ)")
    see_fork(place)
    place.say("/ok-to-test")
    place.converge(*LANES_WITHOUT_LOOKS)

    place.say(said)
    place.converge(*LANES_WITHOUT_LOOKS)

    assert {run.arguments["secrets"] == [] for run in place.runs(sha)} == {True}
    for run in place.runs(sha):
        if run.id in place.engine.submissions:
            assert list(place.engine.submissions[run.id].secrets) == ["MLOPS_BOT_CALLBACK_TOKEN"]


def test_a_secret_without_a_value_fails_the_run_with_its_name_and_the_servers_setting(place: Place, server: Server):
    server.asks("secrets: {WANDB: {env: W}}")
    server.environ.clear()

    sha = push(place)

    assert place.run(sha).phase is Phase.FAILED
    assert place.engine.submissions == {}
    summary = place.checks(sha)["mlops/churn"].summary
    assert "A secret has no value on this server. `WANDB`: the variable `W` is not set." in summary
    assert "Ask whoever runs this bot (MLOPS_BOT_POLICY_FILE says where each value is); then write `/retry`." in summary


def test_a_secret_that_is_taken_back_while_a_run_waits_is_not_given(narrow: Place, tmp_path: Path):
    server = Server(narrow, tmp_path)
    server.asks("secrets: {WANDB: {env: W}}")
    first = narrow.run(push(narrow))
    sha = narrow.commit("trees", churn__train_py="print(2)")
    narrow.look()
    assert narrow.run(sha).phase is Phase.QUEUED

    server.asks("engines: [local]")
    narrow.end(first)

    run = narrow.run(sha)
    assert run.phase is Phase.FAILED
    assert run.result is not None
    assert run.result.failure is not None
    assert run.result.failure.message == "The server's policy does not let `plain/models` have `WANDB`."
    assert run.id not in narrow.engine.submissions


def test_explain_names_a_secret_without_a_value_and_what_is_refused(place: Place, server: Server):
    place.end(place.run(push(place)))
    place.commit("trees", churn__train_py="print(2)")
    place.look()
    server.asks("secrets: {WANDB: {env: UNSET}}", "resources: {cpu: 4}")
    change = replace(place.change, number=7)

    told = explain_change(place.repository, change, place.world)

    (churn,) = told.models
    assert churn.outcome == "fails before it begins"
    assert list(churn.missing) == [
        f"`train.resources.cpu` asks for 8 cores; the server's policy allows at most 4. {ASK}",
        (
            "A secret has no value on this server. `WANDB`: the variable `UNSET` is not set. Ask whoever runs this bot "
            "(MLOPS_BOT_POLICY_FILE says where each value is); then write `/retry`."
        ),
    ]


def test_explain_shows_what_the_server_asks_and_who_may_deploy_where(place: Place, server: Server):
    environments = (
        "environments: {staging: {}, preview: {approvals: 1}, live: {}, "
        'production: {approvals: 1, approvers: ["@acme/ml"], canary: [10, 100]}}'
    )
    deploy = f"    deploy: {{serve: sklearn, {environments}}}\n"
    place.end(place.run(push(place, PROJECT + deploy)))
    place.commit("trees", NOTES="none")
    place.look()
    server.asks(
        "secrets: {WANDB: {env: W}}",
        "environments: {production: {approvals: 2, approvers: [alice, bob], from: default-branch}}",
        "allowed_environments: [staging, preview, production]",
    )

    told = explain_change(place.repository, place.change, place.world)

    assert told.server == (
        "secrets: WANDB",
        "deploys to: staging, preview, production",
        "production: 2 approvals of alice, bob; only commits of the default branch",
    )
    not_theirs = "not by the change's authors or who asks for it"
    assert told.models[0].runs is False
    assert list(told.models[0].deploys) == [
        "staging: whoever may write, without approval",
        f"preview: after 1 approval by whoever may write, {not_theirs}",
        (
            "live: no: The server's policy lets this repository deploy only to `staging`, `preview` and `production`, "
            "and not to `live`."
        ),
        (
            f"production: after 2 approvals by `alice` and `bob`, {not_theirs}; only commits of `main`; "
            "step by step: 10, 100 % of the requests"
        ),
    ]
