"""No bytes do anything but name their problems, in bounded time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.project import Project
from bot.project_file import ProjectFileError, load_project
from bot.yaml_file import FileProblem, format_github, format_json, format_text, read_yaml

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
FILES = [file.read_bytes() for file in sorted(EXAMPLES.glob("*/*.yaml"))]
# what means something in YAML, so that most mutations change the meaning
TOKENS = [
    *(b"\t", b"\n", b" ", b"- ", b": ", b"? ", b"&a ", b"*a", b"!x ", b"!!python/none ", b"<<: ", b"|\n", b">-\n"),
    *(b"[", b"]", b"{", b"}", b",", b'"', b"'", b"#", b"%", b"@", b"`", b"---\n", b"...\n", b"\\u0000", b"\\ud800"),
    *(b"null", b"true", b"yes", b"on", b"1e999", b"-0", b"0x", b".nan", b"9" * 5000, b"\xff", b"\xc2\x85", b"\r"),
    *("\u2028\u202e\ufeff𝕏".encode(), b"version", b"models", b"train", b"run", b"default", b"type", b"enum"),
]


def loads_or_names_its_problems(content: bytes) -> None:
    problems: tuple[FileProblem, ...] = ()
    try:
        project = load_project(content)
    except ProjectFileError as error:
        problems = error.errors
        project = None
    lines = content.count(b"\n") + content.count(b"\r") + 1
    assert problems or (isinstance(project, Project) and project.models)
    assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in problems)
    assert list(problems) == sorted(problems)
    for formatted in (format_text, format_json, format_github):
        formatted(problems, "mlops.yaml").encode()


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_bytes_load_or_name_their_problems(content: bytes) -> None:
    loads_or_names_its_problems(content)


@given(st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join))
@settings(max_examples=150, deadline=None)
def test_any_mix_of_yaml_marks_loads_or_names_its_problems(content: bytes) -> None:
    loads_or_names_its_problems(content)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_example_with_parts_replaced_loads_or_names_its_problems(data: st.DataObject) -> None:
    content = data.draw(st.sampled_from(FILES))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 12)))
        content = content[:start] + data.draw(st.sampled_from(TOKENS)) + content[end:]
    loads_or_names_its_problems(content)


BOMBS = {
    "a million brackets": b"a: " + b"[" * 999_000,
    "a million comments": b"#\n" * 490_000,
    "a million spaces": b" " * 999_000,
    "a long line": b"a: " + b"x" * 990_000,
    "many keys": b"".join(b"k%d: 1\n" % number for number in range(90_000)),
    "many equal items": b"version: 1\nmodels: {a: {train: {run: x}, watch: [" + b"a," * 9000 + b"]}}",
    "a long enum of pairs": b"version: 1\nmodels: {a: {train: {run: x}, params: {p: {default: 1, enum: ["
    + b",".join(b"[%d,a]" % number for number in range(3000))
    + b"]}}}}",
    "aliases of aliases": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(20)),
    "a deep chain of aliases": b"a0: &a0 [x]\n"
    + b"".join(b"a%d: &a%d [*a%d]\n" % (i, i, i - 1) for i in range(1, 3000)),
    "a number of a million digits": b"version: " + b"9" * 990_000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_defused(name: str) -> None:
    loads_or_names_its_problems(BOMBS[name])


def test_a_pattern_that_would_never_end_is_not_part_of_a_param() -> None:
    text = b'version: 1\nmodels: {a: {train: {run: x}, params: {p: {type: string, pattern: "(a+)+$", default: '
    text += b"a" * 60 + b"!}}}}\n"

    with pytest.raises(ProjectFileError, match="The key `pattern` is not known here"):
        load_project(text)


def test_other_yaml_is_read_within_the_same_bounds() -> None:
    assert read_yaml(b"stages: {train: {cmd: python train.py}}") == {"stages": {"train": {"cmd": "python train.py"}}}
    assert read_yaml(BOMBS["aliases of aliases"]) is None
    assert read_yaml(b"\xff") is None
    assert read_yaml(b"a: [") is None
