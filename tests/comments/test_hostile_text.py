"""Text from outside is data: whatever stands in a report, the comment keeps its own shape."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.comments import MARKER, render_checks, render_comment
from bot.comments.escape import one_line
from bot.comments.render import SMALLEST_LIMIT
from bot.domain.feedback import Notice, Subject
from bot.domain.plots import BadPlot, ConfusionMatrix, Curve
from bot.domain.report import ModelState, Report, build_report
from bot.domain.result import ColumnSummary, DataSummary, Frame, Metric
from bot.domain.run import Phase
from bot.markdown import to_html
from tests.comments.report_samples import (
    HEAD,
    LINKS,
    NOON,
    PLOTS,
    failed_state,
    good_result,
    run,
    running_state,
    waiver,
)

HOSTILE = (
    "{{7*7}}",
    "{% for x in y %}",
    "<script>alert(1)</script>",
    "$(rm -rf ~)",
    "@everyone",
    "![x](http://evil)",
    "[x](javascript:alert(1))",
    "</details></summary><img src=x onerror=alert(1)>",
    "```\n</details>\n# heading\n- item",
    "`one` ``two`` ```three",
    "`<b>bold</b>` and ``<b>``",
    "a | b | c",
    "a\\",
    "\\|",
    "<!-- mlops-bot:change -->",
    "-->",
    "***\n---\n===",
    "_a_ __b__ *c* **d** ~~e~~",
    "&lt;script&gt; &#64;everyone &copy;",
    "<http://evil> http://evil www.evil.com mail@evil.com",
    "#1 GH-1 !1 owner/repo#1",
    "1. one\n2. two",
    "> quote",
    "    indented",
    "\u202egnp.exe\u2066 \ud800 \x00\x1b[31m\r\n\u2028x",
    "[ref]: http://evil",
    "| a |\n| - |",
)
TEXT = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(min_size=1, max_size=80),
    st.text(alphabet="`|\\<>*_[]()!#-+=~&;@:/\n\r\t a1.{}%$\"'", min_size=1, max_size=60),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=3).map("".join),
)


_OUR_TAGS = (
    *("a", "blockquote", "br", "code", "details", "em", "h2", "h3", "img", "li", "p", "pre", "strong", "summary"),
    *("table", "tbody", "td", "th", "thead", "tr", "ul"),
)


class Tags(HTMLParser):
    """The tags of a page in their order, with what they link to; code aside, which prose may hold or not."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "code":
            targets = [value or "" for name, value in attrs if name in ("href", "src")]
            self.seen.append((tag, *(name for name, _ in attrs), *(target[:24] for target in targets)))

    def handle_endtag(self, tag: str) -> None:
        if tag != "code":
            self.seen.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.seen.append(("comment", data))


def as_lenient_html(markdown: str) -> str:
    """With raw HTML let through, as a forge's own renderer might."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)


def poisoned(text: str) -> Report:
    """A report in which every text that comes from outside is this one."""
    line = " ".join(text.splitlines()) or "x"
    data = DataSummary(
        text, text, text, text, 1, 10, 5, (ColumnSummary(text, 1, 2.0, 1.0), ColumnSummary("another column", 0))
    )
    other = DataSummary(
        "d", "s", "p", "other", 1, 10, 9, (ColumnSummary(text, 0, 9.0, 1.0), ColumnSummary("a third column", 0))
    )
    plots = (*(replace(plot, title=text, path=f"plots/{i}{text}") for i, plot in enumerate(PLOTS)),)
    parsed = (
        ConfusionMatrix((f"a{text}", text), {(f"a{text}", text): 3, (text, text): 2}),
        Curve(text, text, ((0, 0),)),
    )
    broken = replace(PLOTS[1], path=f"broken{text}")
    result = replace(
        good_result(),
        sha=text,
        run_key=text,
        pipeline_version=text,
        params={text: text},
        split={text: [text]},
        data=data,
        metrics={text: Metric(1.0, 0.1)},
        plots=(*plots, broken),
        model_digest=text,
        steps=tuple(replace(step, name=text, state=text) for step in good_result().steps),
    )
    failing = failed_state().run.result
    assert failing is not None
    assert failing.failure is not None
    failure = replace(failing.failure, step=text, message=text, fix=text, frames=(Frame(text, 3, text),))
    steps = tuple(replace(step, name=text, log_tail=(text, text)) for step in failing.steps)
    base = replace(
        good_result(), params={text: 3, "another param": 1}, data=other, metrics={text: Metric(2.0)}, steps=()
    )
    base_run = run(Phase.SUCCEEDED, base, sha=text)
    shared = {"model": text, "notes": (text,), "requested_by": text, "branch": text, "sha": text}
    progress = replace(running_state().engine, steps=tuple(replace(s, name=text) for s in running_state().engine.steps))
    return build_report(
        Subject("plain/models", 3, text, HEAD),
        [
            ModelState(
                run(Phase.SUCCEEDED, result, gates=("accuracy >= 1",), **shared),
                base=base_run,
                plots={
                    **{plot.path: value for plot, value in zip(plots, parsed, strict=False)},
                    broken.path: BadPlot(text, text),
                },
            ),
            ModelState(run(Phase.FAILED, replace(failing, failure=failure, steps=steps), **shared), base=base_run),
            ModelState(run(Phase.RUNNING, **shared), engine=progress),
            ModelState(run(Phase.CANCELED, cancel_requested_by=text, **shared)),
        ],
        notice=Notice(HEAD, "failure", text, f"- {line}\n\nThe end: {line}"),
        waivers=(replace(waiver("rmse <= 1", text), gate=text, reason=text, granted_by=text),),
        target_branch=text,
        links=LINKS,
    )


@given(TEXT.filter(one_line))  # where nothing can be seen, a paragraph may be missing
@settings(max_examples=80, deadline=None)
@example(HOSTILE[0])
def test_no_text_changes_the_shape_of_a_comment(text: str) -> None:
    shape_of_harmless_text = Tags(as_lenient_html(render_comment(poisoned("x"), limit=1_000_000))).seen

    comment = render_comment(poisoned(text), limit=1_000_000)

    assert Tags(as_lenient_html(comment)).seen == shape_of_harmless_text
    assert comment.count(MARKER) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_each_well_known_trick_stays_text(text: str) -> None:
    test_no_text_changes_the_shape_of_a_comment.hypothesis.inner_test(text)


@given(TEXT, st.integers(SMALLEST_LIMIT, 40_000))
@settings(max_examples=40, deadline=None)
def test_no_text_makes_a_comment_or_check_too_long_or_unencodable(text: str, limit: int) -> None:
    report = poisoned(text * 50)

    comment = render_comment(report, limit=limit)
    summaries = [check.summary for check in render_checks(report, limit=limit)]

    assert max(len(shown) for shown in (comment, *summaries)) <= limit
    assert comment.startswith(f"{MARKER}\n## ")
    assert comment.encode("utf-8")


@given(TEXT)
@settings(max_examples=40, deadline=None)
def test_the_page_has_no_tag_but_ours(text: str) -> None:
    ours = {*_OUR_TAGS}

    html = to_html(render_comment(poisoned(text), limit=1_000_000), own_address=LINKS.public_url)

    tags = Tags(html)
    assert {entry[0].removeprefix("/") for entry in tags.seen} <= ours
    assert all(entry[-1].startswith(LINKS.public_url) for entry in tags.seen if entry[0] in ("a", "img"))


@pytest.mark.parametrize("text", [" ", "\n\n", "\x00\u200b"])
def test_a_failure_without_visible_words_says_so(text: str) -> None:
    assert "**It gave no reason.**" in render_comment(poisoned(text), limit=1_000_000)


def test_templates_are_never_made_of_text_from_outside() -> None:
    assert "49" not in render_comment(poisoned("{{7*7}}"), limit=1_000_000)


def test_a_name_or_number_in_a_message_calls_nobody() -> None:
    shown = render_comment(poisoned("ping @everyone and fix #12, GH-7"), limit=1_000_000)

    in_prose = [line for line in shown.splitlines() if line.startswith("**ping")]
    assert in_prose == ["**ping @\u200beveryone and fix #\u200b12, GH-\u200b7**"]


def test_secrets_in_a_log_are_masked_again() -> None:
    shown = render_comment(poisoned("token ghp_0123456789abcdefghijABCDEFGHIJ012345"), limit=1_000_000)

    fence = shown.split("```text\n")[1].split("\n```")[0]
    assert fence == "token ***\ntoken ***"


def test_the_times_of_a_report_need_no_clock() -> None:
    first = render_comment(poisoned("x"), limit=1_000_000)

    assert render_comment(poisoned("x"), limit=1_000_000) == first
    assert str(NOON.year) not in first.replace("until 2026-12-07", "")
