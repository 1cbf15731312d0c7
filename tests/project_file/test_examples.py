"""Every file of schemas/examples is a test case; a file in invalid/ has its expected words beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from bot.project_file import ProjectFileError, load_project
from bot.yaml_file import findings_for, format_text, read_tree
from schemas import schema

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "schemas" / "examples"
VALID = sorted((EXAMPLES / "valid").glob("*.yaml"))
INVALID = sorted((EXAMPLES / "invalid").glob("*.yaml"))
SHIPPED = [ROOT / "bot/demo/models_repository/mlops.yaml", ROOT / "bot/demo/templates/starter/mlops.yaml"]
# they can not begin with it, or not be read
WITHOUT_SCHEMA_LINE = {"empty", "utf-16"}


def test_there_are_examples() -> None:
    assert len(VALID) >= 8
    assert len(INVALID) >= 45


@pytest.mark.parametrize("file", [*VALID, *SHIPPED], ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_valid_file_means_a_project(file: Path) -> None:
    assert load_project(file.read_bytes()).models


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_an_invalid_file_is_answered_with_the_words_beside_it(file: Path) -> None:
    with pytest.raises(ProjectFileError) as raised:
        load_project(file.read_bytes())

    assert format_text(raised.value.errors, "mlops.yaml") == file.with_suffix(".txt").read_text()


def test_no_expected_words_are_left_over() -> None:
    assert {file.stem for file in (EXAMPLES / "invalid").glob("*.txt")} == {file.stem for file in INVALID}


@pytest.mark.parametrize("file", [*VALID, *INVALID, *SHIPPED], ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_editors_find_the_schema_from_the_first_line(file: Path) -> None:
    if file.stem not in WITHOUT_SCHEMA_LINE:
        assert file.read_bytes().startswith(b"# yaml-language-server: $schema=")


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_the_schema_alone_accepts_a_valid_file_as_an_editor_would(file: Path) -> None:
    root = read_tree(findings_for(file.read_bytes()))

    assert root is not None
    assert list(Draft202012Validator(schema("mlops.schema.json")).iter_errors(root.value)) == []


def test_the_schema_is_a_schema_whose_every_key_helps_an_editor() -> None:
    document = schema("mlops.schema.json")

    Draft202012Validator.check_schema(document)
    assert sorted(set(keys_without_help(document, document))) == []


def keys_without_help(part: object, document: dict[str, object]) -> list[str]:
    """Names of properties that neither they nor what they refer to give a title or description."""
    if isinstance(part, list):
        return [name for item in part for name in keys_without_help(item, document)]
    if not isinstance(part, dict):
        return []
    bare = []
    properties = part.get("properties")
    if isinstance(properties, dict) and all(isinstance(value, dict) for value in properties.values()):
        bare = [name for name, value in properties.items() if not _has_help(value, document) and name not in _OBVIOUS]
    return bare + [name for value in part.values() for name in keys_without_help(value, document)]


_OBVIOUS = {"title", "description", "examples"}


def _has_help(part: dict[str, object], document: dict[str, object]) -> bool:
    while "title" not in part and "description" not in part and "$ref" in part:
        target: object = document
        for name in str(part["$ref"]).removeprefix("#/").split("/"):
            target = target[name]  # type: ignore[index]  # the path is the schema's own
        part = json.loads(json.dumps(target))
    return "title" in part or "description" in part
