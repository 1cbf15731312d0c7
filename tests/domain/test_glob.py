"""Path patterns."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.glob import glob_matches, literal_folder
from tests.domain.examples import PROPERTY


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("libs/**", ["libs/a", "libs/a/b.py"], ["libs", "libsx/a", "src/libs/a"]),
        ("**/schema.sql", ["schema.sql", "a/schema.sql", "a/b/schema.sql"], ["a/schema.sql.bak", "xschema.sql"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/x", "b", "a/b/c"]),
        ("**", ["a", "a/b"], [""]),
        ("*.py", ["a.py", ".py"], ["a/b.py", "a.pyc"]),
        ("src/*", ["src/a"], ["src/a/b", "src"]),
        ("a*b*c", ["abc", "axbxc"], ["axcxb", "ab", "a/b/c"]),
        ("aa*aa", ["aaaa", "aabaa"], ["aaa"]),
        ("./libs/a", ["libs/a"], ["libs/a/b"]),
        ("release/*", ["release/1.0"], ["release", "release/1/x"]),
        ("[x]?", ["[x]?"], ["x", "xy"]),
    ],
)
def test_a_pattern_matches_whole_paths(pattern, matching, other):
    assert [path for path in matching if not glob_matches(pattern, path)] == []
    assert [path for path in other if glob_matches(pattern, path)] == []


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [("libs/**", "libs/"), ("a/b/*.py", "a/b/"), ("**/a", ""), ("*", ""), ("a", ""), ("./a/b", "a/")],
)
def test_every_match_lies_in_the_folder_before_the_first_star(pattern, folder):
    assert literal_folder(pattern) == folder


def test_a_pattern_made_to_be_slow_is_not():
    assert not glob_matches("/".join(["**", "a*a*a*a*a*a*b"] * 15), "/".join(["a" * 60] * 60))


NAMES = st.text(alphabet="ab", min_size=1, max_size=3)
PATHS = st.lists(NAMES, min_size=1, max_size=5).map("/".join)
PATTERNS = st.lists(st.just("**") | st.text(alphabet="ab*", min_size=1, max_size=3), min_size=1, max_size=4).map(
    "/".join
)


@PROPERTY
@given(pattern=PATTERNS.filter(lambda pattern: not re.search(r"[^/]\*\*|\*\*[^/]", pattern)), path=PATHS)
def test_it_agrees_with_a_regular_expression(pattern, path):
    expression = "".join(_expression(pattern.split("/")))

    assert glob_matches(pattern, path) == (re.fullmatch(expression, path) is not None)


def _expression(names: list[str]) -> list[str]:
    parts = []
    for index, name in enumerate(names):
        is_last = index == len(names) - 1
        if name == "**":
            parts.append("(?:[^/]+/)*[^/]+" if is_last else "(?:[^/]+/)*")
        else:
            parts.append(name.replace("*", "[^/]*") + ("" if is_last else "/"))
    return parts


@PROPERTY
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_pattern_and_no_path_crash_it(pattern, path):
    assert glob_matches(pattern, path) in (True, False)
    assert "*" not in literal_folder(pattern)
