"""Text from outside is data, in deployments too: in the comment, in answers, and in the line that people copy."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from markdown_it import MarkdownIt

from bot.comments import MARKER, render_checks, render_comment, render_deploy_answer, render_gate_refusal
from bot.comments.escape import one_line
from bot.comments.prediction import REQUEST_LIMIT, curl_line, request_body
from bot.domain.deployment import DeploymentPhase
from bot.domain.gate import judge, parse_gate
from bot.domain.project import DeployEnvironment
from bot.domain.report import Report
from bot.domain.report_deployments import DeploymentLine
from bot.domain.report_versions import DataFacts, VersionFacts
from bot.domain.result import Metric
from bot.domain.run import StepProgress
from tests.comments.deployment_samples import CANDIDATE, LIVE, deployment, line, report
from tests.comments.report_samples import LINKS, waiver
from tests.comments.test_hostile_text import HOSTILE, TEXT, Tags, as_lenient_html


def facts(text: str, *, size: int) -> VersionFacts:
    metrics = {text: Metric(float(size)), "another metric": Metric(1.0)}
    return VersionFacts(
        text, "production", text, metrics, {text: size}, {}, DataFacts(text, text, text, size), text, size
    )


def poisoned(text: str, phase: DeploymentPhase) -> DeploymentLine:
    """Every text that comes from outside is this one, but for the names that `mlops.yaml` restricts."""
    about = deployment(
        phase,
        requested_by=text,
        words=text,
        voided=text,
        pipeline_run="run-1",
        rule=DeployEnvironment(approvals=2, approvers=(text, text)),
    )
    gates = judge(
        [parse_gate("auc >= 0.9")],
        metrics={"auc": 0.1},
        base=None,
        production=None,
        waivers=[replace(waiver("auc >= 0.9"), granted_by=text, reason=text)],
    )
    return DeploymentLine(
        about,
        approved_by=(text,),
        barred={text: text},
        progress=(StepProgress(text, text),),
        candidate=facts(text, size=7),
        live=facts(text, size=5),
        judgement=gates,
        request_body=text,
    )


def all_phases(text: str) -> Report:
    return report(*(poisoned(text, phase) for phase in DeploymentPhase))


@given(TEXT.filter(one_line))
@settings(max_examples=15, deadline=None)
@example(HOSTILE[0])
def test_no_text_changes_the_shape_of_what_is_said_of_deployments(text: str) -> None:
    comment = render_comment(all_phases(text), limit=1_000_000)

    harmless = Tags(as_lenient_html(render_comment(all_phases("x"), limit=1_000_000))).seen
    assert _without_targets(Tags(as_lenient_html(comment)).seen) == _without_targets(harmless)
    assert comment.count(MARKER) == 1


def _without_targets(tags: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [tag[:2] for tag in tags]


@pytest.mark.parametrize("text", HOSTILE)
def test_each_well_known_trick_stays_text_in_answers(text: str) -> None:
    for phase in DeploymentPhase:
        harmless, shown = (
            _shape(
                render_deploy_answer(poisoned(words, phase), links=LINKS, waits_for_run=words, superseded=2)
                + "\n\n"
                + render_gate_refusal(
                    judge([parse_gate("auc >= 0.9")], metrics={}, base=None, production=None),
                    model=words,
                    environment=words,
                    run_id=words,
                    links=LINKS,
                    overriders=(words,),
                )
            )
            for words in ("x", text)
        )
        assert shown == harmless


def _shape(markdown: str) -> list[tuple[str, ...]]:
    return _without_targets(Tags(as_lenient_html(markdown)).seen)


@given(TEXT)
@settings(max_examples=10, deadline=None)
def test_no_text_makes_a_comment_with_deployments_too_long(text: str) -> None:
    shown = all_phases(text * 50)

    texts = [render_comment(shown, limit=9_000), *(check.summary for check in render_checks(shown, limit=9_000))]

    assert max(map(len, texts)) <= 9_000


@pytest.mark.parametrize("text", [*HOSTILE, "'; rm -rf ~; '", "$(id)", "`id`", "a\nb"])
def test_the_line_to_copy_is_one_command_whose_words_are_data(text: str) -> None:
    body = request_body(json.dumps({"inputs": [[text, "b"]], "predictions": [0]}).encode())

    shown = curl_line(replace(line(DeploymentPhase.LIVE), request_body=body), LINKS)

    words = shlex.split(shown)
    assert words[:6] == [
        *("curl", "-H", "Authorization: Bearer $MLOPS_BOT_PREDICT_TOKEN"),
        *("-H", "Content-Type: application/json", "-d"),
    ]
    assert json.loads(words[6])["inputs"][0]["data"] == [text, "b"]
    assert words[7:] == ["https://bot.example.com/serve/production/breast-cancer/v2/models/breast-cancer/infer"]
    assert "\n" not in shown


@pytest.mark.parametrize("body", ["", "x" * (REQUEST_LIMIT + 1), "a\nb", "\x1b[2J"])
def test_without_a_row_that_can_be_shown_the_line_asks_what_the_model_takes(body: str) -> None:
    shown = curl_line(replace(line(DeploymentPhase.LIVE), request_body=body), LINKS)

    address = "https://bot.example.com/serve/production/breast-cancer/v2/models/breast-cancer"
    assert shown == f'curl -H "Authorization: Bearer $MLOPS_BOT_PREDICT_TOKEN" {address}'


@pytest.mark.parametrize(
    ("golden", "tensor"),
    [
        (b'{"inputs": [[1, 2.5], [3, 4]]}', {"shape": [1, 2], "datatype": "FP64", "data": [1.0, 2.5]}),
        (b'{"inputs": [["a"]]}', {"shape": [1, 1], "datatype": "BYTES", "data": ["a"]}),
    ],
)
def test_a_golden_row_becomes_a_request(golden: bytes, tensor: dict[str, object]) -> None:
    assert json.loads(request_body(golden)) == {"inputs": [{"name": "input-0", **tensor}]}


@pytest.mark.parametrize(
    "golden",
    [
        *(b"", b"no json", b"[]", b"{}", b'{"inputs": []}', b'{"inputs": [[]]}', b'{"inputs": [3]}'),
        *(b'{"inputs": [[NaN]]}', b'{"inputs": [[1e999]]}', b'{"inputs": [[true]]}', b'{"inputs": [["a", 1]]}'),
        *(b'{"inputs": [[' + b"9" * 400 + b"]]}", b"[" * 100_000, b"\xff\xfe"),
    ],
)
def test_what_is_no_row_becomes_no_request(golden: bytes) -> None:
    assert request_body(golden) == ""


def test_the_line_stays_whole_in_the_comment() -> None:
    row = json.dumps({"inputs": [[number + 0.125 for number in range(100)]]}).encode()
    live = replace(line(DeploymentPhase.LIVE), request_body=request_body(row), candidate=CANDIDATE, live=LIVE)

    comment = render_comment(report(live), limit=65_536)

    [fence] = [token for token in MarkdownIt().parse(comment) if token.type == "fence"]
    assert fence.content == f"{curl_line(live, LINKS)}\n"
