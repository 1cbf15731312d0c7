"""Which lines of a comment may be commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.command import CommandLine
from bot.markdown import command_lines
from tests.domain.examples import PROPERTY


def found(body: str) -> list[str]:
    return [line.text for line in command_lines(body)]


def test_lines_of_paragraphs_count_and_keep_their_numbers():
    body = "Please\n/train churn\r\nand\r\n\r\n  /status  \n\n/help\n"

    assert command_lines(body) == [CommandLine(2, "/train churn"), CommandLine(5, "/status"), CommandLine(7, "/help")]


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("a fence", "```\n/train\n```"),
        ("a fence with a language", "```sh\n/train\n```"),
        ("a fence of tildes", "~~~\n/train\n~~~"),
        ("a fence that is never closed", "```\n/train"),
        ("indented code", "    /train"),
        ("indented code after a paragraph", "text\n\n\t/train"),
        ("a quote", "> /train"),
        ("a quote's lazy line", "> quoted\n/train"),
        ("a list", "- /train"),
        ("a list's lazy line", "1. item\n/train"),
        ("a heading", "# /train"),
        ("an HTML comment", "<!-- \n/train\n-->"),
        ("an HTML comment with empty lines", "<!-- \n\n/train\n\n-->"),
        ("an HTML comment that is never closed", "<!--\n\n/train"),
        ("an HTML comment within a paragraph", "text <!-- \n/train\n--> text"),
        ("an HTML block", "<div>\n/train\n</div>"),
        ("a code span", "text `code\n/train\ncode`"),
        ("a code span of two backticks", "text ``code ` \n/train\ncode``"),
        ("the middle of a line", "please /train"),
        ("an escape", "\\/train"),
        ("no line at all", ""),
    ],
)
def test_what_only_shows_a_command_is_none(place, body):
    assert found(body) == [], place


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("after a fence", "```\n/no\n```\n/train"),
        ("after a quote and an empty line", "> /no\n\n/train"),
        ("after a list and an empty line", "- /no\n\n/train"),
        ("after an HTML comment", "<!-- /no -->\n/train"),
        ("after an HTML comment within a paragraph", "a <!--\n/no\n-->\n/train"),
        ("after an opening of a comment that is never closed", "a <!-- b\n/train"),
        ("after the shortest HTML comments", "a <!--> b <!---> c\n/train"),
        ("after an escaped opening", "a \\<!-- b\n/train\n-->"),
        ("after a backtick that is never closed", "a ` b\n/train"),
        ("after an escaped backtick", "a \\` b\n/train\n`"),
        ("after indented code in quotes in quotes", "> >     code\n/train"),
        ("after a hard line break", "a\\\n/train"),
        ("above dashes", "/train\n---"),
        ("above equal signs", "/train\n==="),
        ("after emphasis over lines", "**a\n/train\nb**"),
        ("within details", "<details>\n\n/train\n\n</details>"),
        ("after a form feed", "\x0c\n/train"),
        ("after old line ends", "a\r/train"),
    ],
)
def test_what_reads_as_a_line_of_the_comment_is_one(place, body):
    assert found(body) == ["/train"], place


def test_a_quote_at_the_very_end_hides_nothing_above_it():
    assert found("/train\n\n> - <!--\n>") == ["/train"]


def test_what_follows_githubs_limit_is_not_read():
    assert found("/train\n" + "x" * 65_520 + "\n/status now") == ["/train"]


@pytest.mark.parametrize(
    "hostile",
    [
        *("`" * 10**6, "<!-- /\n" * 150_000, "> " * 500_000, "- " * 500_000, "[" * 10**6, "\\\n/" * 300_000),
        *(
            "a ```` ``` `` `\n/" * 60_000,
            "<a /\n" * 200_000,
            ">" * 20 + "a\n" + "/a\n" * 300_000,
            "/\u0000\n" * 300_000,
        ),
    ],
)
def test_a_comment_of_a_megabyte_is_read_in_bounded_time(hostile):
    assert all(line.text.startswith("/") for line in command_lines(hostile))


PIECES = st.sampled_from(
    [
        *("/train", "/a b", "```", "~~~", "`", "``", "> ", "- ", "1. ", "    ", "\t", "<!--", "-->", "<div>", "</div>"),
        *("\\", "\n", "\n\n", "\r\n", " ", "#", "---", "[a]: ", "|", "\x00", "\x0b", "\u2028", "*", "x"),
    ]
)


@PROPERTY
@given(st.lists(PIECES, max_size=40).map("".join))
def test_no_comment_crashes_it_and_lines_are_those_of_the_comment(body):
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    for line in command_lines(body):
        assert lines[line.number - 1].strip(" ").rstrip() == line.text
        assert line.text.startswith("/")
