"""What a policy file means, and that a secret's value which was written into it is repeated nowhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.retention import Retention
from bot.domain.server_policy import (
    Ceiling,
    EnvironmentPolicy,
    PolicyEntry,
    RepositoryPolicy,
    SecretSource,
    ServerPolicy,
)
from bot.policy_file import POLICY_FILE_LIMIT_BYTES, PolicyFileError, describe_policy, load_policy
from bot.yaml_file import format_text
from tests.domain.examples import PROPERTY

VALID = Path(__file__).parents[2] / "schemas" / "examples" / "policy" / "valid"


def words_of(content: bytes) -> str:
    """What is answered to a file; "" for a valid one."""
    try:
        load_policy(content)
    except PolicyFileError as error:
        return f"{error}\n{format_text(error.errors, 'policy.yaml')}"
    return ""


def test_every_key_means_what_it_says() -> None:
    policy = load_policy((VALID / "everything.yaml").read_bytes())

    assert policy == ServerPolicy(
        (
            PolicyEntry(
                ("github/acme/*", "gitlab/acme/**"),
                RepositoryPolicy(
                    secrets={
                        "WANDB_API_KEY": SecretSource(env="ACME_WANDB_API_KEY"),
                        "HF_TOKEN": SecretSource(file="/run/secrets/hf-token"),
                    },
                    environments={"production": EnvironmentPolicy(2, ("@acme/ml-leads", "alice"), only_merged=True)},
                    allowed_environments=("staging", "production"),
                    engines=("kubeflow", "local"),
                    images=(("registry.example.com:5000/ml/*", "registry.example.com/base/**"),),
                    ceiling=Ceiling(16.0, 64 * 1024**3, 2),
                    override_by=("@acme/leads", "alice"),
                    override_for_s=14 * 86_400,
                ),
            ),
        ),
        Retention(runs=timedelta(days=90), failed=timedelta(days=14), cache=timedelta(days=30)),
    )


def test_an_empty_list_is_nothing_and_nobody_and_a_key_that_is_not_given_is_all() -> None:
    (entry,) = load_policy((VALID / "nothing-goes.yaml").read_bytes()).entries
    (bare,) = load_policy(b"{version: 1, repositories: [{match: [plain/models]}]}").entries

    assert entry.policy == RepositoryPolicy(
        allowed_environments=(), images=((),), ceiling=Ceiling(gpu=0), override_by=()
    )
    assert bare.policy == RepositoryPolicy()


def test_a_policy_is_described_in_a_few_lines_with_the_places_of_secrets() -> None:
    assert (
        describe_policy(load_policy((VALID / "everything.yaml").read_bytes()))
        == """\
github/acme/*, gitlab/acme/**
  secrets    WANDB_API_KEY from the variable ACME_WANDB_API_KEY, HF_TOKEN from the file /run/secrets/hf-token
  deploys to staging, production
  production 2 approvals of @acme/ml-leads, alice; only commits of the default branch
  engines    kubeflow, local
  images     registry.example.com:5000/ml/*, registry.example.com/base/**
  at most    16 cores, 64 GiB, 2 GPUs
  overrides  @acme/leads, alice, for 14d

keep
  runs       90 days
  failed     14 days
  cache      30 days
"""
    )
    assert describe_policy(ServerPolicy()) == "No repository is asked anything.\n"


def test_a_file_that_is_too_large_or_not_text_is_refused() -> None:
    assert "The file is larger than 1,000,000 bytes" in words_of(b"#" * (POLICY_FILE_LIMIT_BYTES + 1))
    assert "Byte 0xE9 at offset 12 is not UTF-8." in words_of("version: 1 #\xe9".encode("latin-1"))


SECRET = "correct-horse-battery"


@pytest.mark.parametrize(
    "written",
    [
        f"    secrets: {{A: {SECRET}}}",
        f"    secrets: {{A: {{env: {SECRET}}}}}",
        f"    secrets: {{A: {{env: '{SECRET}}}}}",  # the quote does not end
        f"    secrets:\n      A: {{file: {SECRET}}}\n    zebra: 1",
        f"    secrets:\n      A: {{env: X, file: X, value: {SECRET}}}",
        f"    secrets:\n      A:\n        env: {SECRET}\n\n        env: {SECRET}",
        f"    secrets:\n      A:\n        env: |\n          {SECRET}\n          {SECRET}",
        f"    secrets:\n      A:\n        env: >-\n          {SECRET}\n      B: [",
        f"    secrets:\n      A: &a {SECRET}\n    engines: [*a]\n    images: *a",
        f'    "secrets" : {{A: "{SECRET}"}}',
        f"    secrets:\n      - A: {SECRET}\n      - {SECRET}",
        f"    secrets:\n      A: @{SECRET}",
        f"    secrets:\n      A: !env {SECRET}",
        f"    secrets:\n      A: {{env: [{SECRET}]}}",
        f"    secrets:\n      A: {{env: {{value: {SECRET}}}}}",
        f"    secrets:\n\tA: {SECRET}",
    ],
)
def test_invariant_9_a_value_that_was_written_into_the_file_is_not_repeated(written: str) -> None:
    words = words_of(f'version: 1\nrepositories:\n  - match: ["github/acme/*"]\n{written}\n'.encode())

    assert words
    assert SECRET not in words
    assert "battery" not in words


def test_invariant_9_a_value_in_a_file_that_is_not_utf8_is_not_repeated() -> None:
    assert SECRET not in words_of(f"    secrets:\n      A: {SECRET}\xe9\n".encode("latin-1"))


@PROPERTY
@given(
    st.lists(st.sampled_from([*"{}[]:,-#&*!|>'\"@ \n", "  ", "version: 1\n", "repositories:\n", "secrets:", "env: "]))
)
def test_any_mix_of_yaml_marks_loads_or_names_its_problems(marks: list[str]) -> None:
    words_of("".join(marks).encode())
