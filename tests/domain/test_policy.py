"""Invariant 4: policy comes from the base branch, compute settings from the head."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.policy import effective_model
from bot.domain.project import Deploy, DeployEnvironment, Environment, Resources, Step
from tests.domain.examples import model

BASE = model(
    gates=("auc >= 0.9", "f1 >= base"),
    secrets=("WANDB_API_KEY",),
    deploy=Deploy("sklearn", {"production": DeployEnvironment(approvals=1, approvers=("@acme/ml-leads",))}),
)
OF_MAIN = "Environments, approvals and approvers come from `main`"
ONCE_MERGED = ", which counts once merged."


def test_invariant_4_what_is_the_same_on_both_needs_no_word():
    assert effective_model(BASE, BASE, base_name="main") == (BASE, ())


def test_invariant_4_compute_settings_are_those_of_the_head():
    head = replace(
        BASE,
        train=Step("python train2.py", timeout_s=60),
        path="elsewhere",
        env={"A": "1"},
        environment=Environment(python="3.12"),
        params={"n": {"default": 1}},
    )

    assert effective_model(head, BASE, base_name="main") == (head, ())


@pytest.mark.parametrize(
    ("head", "effective", "note"),
    [
        (
            model(gates=("auc >= 0.1", "f1 >= base"), secrets=BASE.secrets, deploy=BASE.deploy),
            BASE,
            f"Gates come from `main`: this change adds `auc >= 0.1` and removes `auc >= 0.9`{ONCE_MERGED}",
        ),
        (
            replace(BASE, gates=()),
            BASE,
            f"Gates come from `main`: this change removes `auc >= 0.9` and `f1 >= base`{ONCE_MERGED}",
        ),
        (
            replace(BASE, gates=BASE.gates[::-1]),
            BASE,
            f"Gates come from `main`: this change puts them into another order{ONCE_MERGED}",
        ),
        (
            replace(BASE, evaluate=None),
            replace(BASE, evaluate=None),
            "This change takes the evaluation away: the gates of `main` judge what training reports.",
        ),
        (
            replace(BASE, secrets=("WANDB_API_KEY", "PROD_TOKEN")),
            BASE,
            "`PROD_TOKEN` is not given to this run: `main` does not list such a secret for this model.",
        ),
        (replace(BASE, secrets=()), replace(BASE, secrets=()), None),
        (
            replace(BASE, deploy=Deploy("sklearn", {"production": DeployEnvironment(0, ("mallory",))})),
            BASE,
            f"{OF_MAIN}: this change has others for `production`, which count once merged.",
        ),
        (
            replace(BASE, deploy=Deploy("custom", {**BASE.deploy.environments, "mine": DeployEnvironment()})),
            replace(BASE, deploy=Deploy("custom", BASE.deploy.environments)),
            f"{OF_MAIN}: this change has others for `mine`, which count once merged.",
        ),
        (
            replace(BASE, deploy=None),
            BASE,
            f"Deployments follow `main`: this change takes `deploy` away{ONCE_MERGED}",
        ),
    ],
)
def test_invariant_4_a_change_has_no_say_in_policy_and_is_told_so(head, effective, note):
    assert effective_model(head, BASE, base_name="main") == (effective, () if note is None else (note,))


def test_how_a_model_is_served_and_with_how_much_is_the_heads():
    served = replace(BASE.deploy, serve="onnx", resources=Resources(2.0, 1024**3))

    effective, notes = effective_model(replace(BASE, deploy=served), BASE, base_name="main")

    assert (effective.deploy, notes) == (served, ())


def test_invariant_4_a_change_can_not_make_a_model_deployable():
    base = replace(BASE, deploy=None)

    assert effective_model(BASE, base, base_name="main") == (
        base,
        ("It can be deployed once `deploy` is on `main`: a change does not name its own approvers.",),
    )


def test_invariant_4_a_new_model_is_held_to_its_own_gates_without_secrets_or_deployments():
    effective, notes = effective_model(BASE, None, base_name="main")

    assert effective == replace(BASE, secrets=(), deploy=None)
    assert notes == (
        "This model is new: `main` does not have it yet, so its gates are those of this change.",
        "`WANDB_API_KEY` is not given to this run: `main` does not list such a secret for this model.",
        "It can be deployed once it is on `main`: a change does not name its own approvers.",
    )


def test_without_a_name_the_base_branch_is_called_so():
    _, notes = effective_model(model(), None)

    assert notes == ("This model is new: the base branch does not have it yet, so its gates are those of this change.",)


def test_names_from_outside_can_not_end_their_code_span():
    _, notes = effective_model(model(secrets=("A`\n<!--x",)), model(), base_name="ma`in")

    assert notes == ("`A' <! --x` is not given to this run: `ma'in` does not list such a secret for this model.",)
