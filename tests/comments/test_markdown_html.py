"""Markdown, whoever wrote it, as HTML that may be put into a page."""

from __future__ import annotations

import pytest

from bot.markdown.html import MARKDOWN_LIMIT, to_html


def test_tables_strikethrough_code_and_details_are_shown() -> None:
    html = to_html(
        "<details><summary>More</summary>\n\n| a |\n| --: |\n| ~~b~~ |\n\n```python\nx < 1\n```\n\n</details>"
    )

    assert html == (
        "<details><summary>More</summary>\n"
        '<table>\n<thead>\n<tr>\n<th style="text-align:right">a</th>\n</tr>\n</thead>\n'
        '<tbody>\n<tr>\n<td style="text-align:right"><s>b</s></td>\n</tr>\n</tbody>\n</table>\n'
        "<pre><code>x &lt; 1\n</code></pre>\n</details>"
    )


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("<script>alert(1)</script>", ""),
        ("a <script>alert(1)</script> b", "<p>a  b</p>"),
        ('a <a href="javascript:alert(1)">x</a>', '<p>a <a rel="noopener noreferrer nofollow">x</a></p>'),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ('<img src="/a.svg" onerror="x">', '<img src="/a.svg">'),
        ('<p style="position:fixed" class="x" id="y">x</p>', "<p>x</p>"),
        ("<form action=/x><input name=y><button>z</button></form>", "z"),
        ("<iframe src=/x></iframe><svg onload=x></svg><math></math>", ""),
        ("a <b", "<p>a &lt;b</p>"),
        ("<!-- hidden -->", ""),
        ("</div></body><details>open", "<details>open\n</details>"),
    ],
)
def test_what_could_act_is_dropped(markdown: str, html: str) -> None:
    assert to_html(markdown) == html


@pytest.mark.parametrize(
    ("source", "is_shown"),
    [
        ("/runs/a/plots/roc.csv", True),
        ("https://bot.example.com/runs/a/plots/roc.csv", True),
        ("https://bot.example.com.evil.com/x", False),
        ("https://evil.com/x", False),
        ("//evil.com/x", False),
        ("/\\evil.com/x", False),
        ("/\t/evil.com/x", False),
        ("data:image/png;base64,xx", False),
    ],
)
def test_only_our_own_pictures_are_loaded(source: str, is_shown: bool) -> None:
    html = to_html(f'<img alt="x" src="{source}">', own_address="https://bot.example.com")

    assert ("src=" in html) is is_shown


def test_a_text_of_megabytes_is_cut() -> None:
    html = to_html("word " * 400_000)

    assert len(html) < MARKDOWN_LIMIT + 100
    assert html.endswith("<p>(cut here)</p>")


def test_a_quote_that_ends_in_an_open_comment_is_shown_all_the_same():
    assert to_html("> - <!--\n>") == "<blockquote>\n<ul>\n<li>\n</li></ul></blockquote>"
