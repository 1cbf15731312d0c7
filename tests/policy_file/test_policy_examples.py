"""Every file of schemas/examples/policy is a test case; a file in invalid/ has its expected words beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from bot.policy_file import PolicyFileError, load_policy
from bot.yaml_file import findings_for, format_text, read_tree
from schemas import schema
from tests.project_file.test_examples import keys_without_help

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "policy"
VALID = sorted((EXAMPLES / "valid").glob("*.yaml"))
INVALID = sorted((EXAMPLES / "invalid").glob("*.yaml"))


def test_there_are_examples() -> None:
    assert len(VALID) >= 4
    assert len(INVALID) >= 9


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_a_valid_file_means_a_policy_and_is_accepted_by_the_schema_alone(file: Path) -> None:
    root = read_tree(findings_for(file.read_bytes()))

    load_policy(file.read_bytes())
    assert root is not None
    assert list(Draft202012Validator(schema("policy.schema.json")).iter_errors(root.value)) == []


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_an_invalid_file_is_answered_with_the_words_beside_it(file: Path) -> None:
    with pytest.raises(PolicyFileError) as raised:
        load_policy(file.read_bytes())

    assert format_text(raised.value.errors, "policy.yaml") == file.with_suffix(".txt").read_text()


def test_no_expected_words_are_left_over() -> None:
    assert {file.stem for file in (EXAMPLES / "invalid").glob("*.txt")} == {file.stem for file in INVALID}


@pytest.mark.parametrize("file", [*VALID, *INVALID], ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_editors_find_the_schema_from_the_first_line(file: Path) -> None:
    assert file.read_text().startswith("# yaml-language-server: $schema=../../../policy.schema.json\n")


def test_the_schema_is_a_schema_whose_every_key_helps_an_editor() -> None:
    document = schema("policy.schema.json")

    Draft202012Validator.check_schema(document)
    assert sorted(set(keys_without_help(document, document))) == []
