"""Markdown to HTML that may be put into a page, whoever wrote it."""

from __future__ import annotations

from markdown_it import MarkdownIt
from nh3 import Cleaner

# Well above the longest comment of GitHub (65,536 characters); keeps the worst case at about a second.
MARKDOWN_LIMIT = 120_000

_TAGS = {
    *("a", "blockquote", "br", "code", "del", "details", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img"),
    *("li", "ol", "p", "pre", "s", "strong", "sub", "summary", "sup"),
    *("table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "details": {"open"},
    "img": {"alt", "height", "src", "title", "width"},
    "ol": {"start"},
    "td": {"style"},
    "th": {"style"},
}
_PARSER = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])


def to_html(markdown: str, *, own_address: str = "") -> str:
    """GitHub's tables, strikethrough, `<details>` and line breaks; everything else that could act or load is dropped.

    Pictures are shown only from our own address (`own_address`, or a path), so that no reader is tracked.
    """
    if len(markdown) > MARKDOWN_LIMIT:
        markdown = markdown[:MARKDOWN_LIMIT] + "\n\n(cut here)\n"

    def keep(tag: str, attribute: str, value: str) -> str | None:
        return value if tag != "img" or attribute != "src" or _is_ours(value, own_address) else None

    cleaner = Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=keep,
        url_schemes={"http", "https", "mailto"},
        filter_style_properties={"text-align"},
        link_rel="noopener noreferrer nofollow",
    )
    # the added line keeps markdown-it-py 4.3 from stumbling over a quote that ends in an open comment
    return cleaner.clean(_PARSER.render(f"{markdown}\n")).rstrip("\n")


def _is_ours(address: str, own_address: str) -> bool:
    if own_address and address.startswith(f"{own_address}/"):
        return True
    # browsers read `/\host` as `//host`, and drop tabs and newlines
    return address.startswith("/") and address[1:2] not in ("/", "\\") and address.isprintable()
