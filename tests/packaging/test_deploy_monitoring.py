"""Alerts and dashboard ask for metrics that the service has, in Prometheus's own language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from bot.domain.deployment import DeploymentPhase
from bot.domain.run import Phase
from bot.forges.github.api import GitHubForge
from bot.forges.github.settings import GitHubSettings
from bot.ports.store import Kind
from bot.web.app import create_app
from bot.web.serve_meters import PredictionMeters
from tests.packaging.kustomize import Document, the
from tests.web.kit import Workplace, client, open_workplace, push_body, push_headers
from tests.web.seed import seed_day

PROMETHEUS_OWN = {"up": {"job", "instance"}}
WEBHOOKS = "/webhooks/{forge}"
ROW_PHASES = {
    "run": {phase.value for phase in Phase},
    "deployment": {phase.value for phase in DeploymentPhase},
    "delivery": {"open", "given_up"},
}


@dataclass(frozen=True)
class Asked:
    """One metric that an expression names, with the labels that it chooses by, each with a value or a pattern."""

    metric: str
    labels: tuple[tuple[str, str], ...]

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.labels}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def alerts() -> list[Document]:
    return [rule for group in the("monitoring", "PrometheusRule")["spec"]["groups"] for rule in group["rules"]]


def dashboard() -> Document:
    board: Document = json.loads(the("monitoring", "ConfigMap")["data"]["dashboard.json"])
    return board


def expressions() -> list[str]:
    targets = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    return [*(rule["expr"] for rule in alerts()), *targets]


def parsed(expression: str) -> promql_parser.Expr:
    """Raises ValueError, with the place, for what Prometheus would not take."""
    return promql_parser.parse(expression.replace("$__rate_interval", "5m"))


def asked(node: Any) -> Iterator[Asked]:
    if isinstance(node, promql_parser.VectorSelector):
        yield Asked(str(node.name), tuple((matcher.name, matcher.value) for matcher in node.matchers.matchers))
        return
    for part in ("expr", "lhs", "rhs", "vector_selector", "param"):
        if (child := getattr(node, part, None)) is not None:
            yield from asked(child)
    for argument in getattr(node, "args", ()):
        yield from asked(argument)


async def samples_of(place: Workplace) -> list[Sample]:
    """Of a real answer, after something happened to each metric; and of predictions, which need a served model."""
    world = place.app.state.site.world
    settings = GitHubSettings(api_url="http://127.0.0.1:9", token="t", repositories=("acme/churn",))
    world.forges["github"] = GitHubForge(settings, git=world.git, clock=world.clock)
    world.forges["github"].calls.update({"check": 2})
    body, predictions = push_body(), CollectorRegistry()
    PredictionMeters(predictions).note("staging", "churn", 200, 0.004)
    async with client(place, headers=place.bearer) as http:
        await http.post("/webhooks/plain", content=body, headers=push_headers(body))
        text = (await http.get("/metrics")).text
    texts = (text, generate_latest(predictions).decode())
    return [sample for text in texts for family in text_string_to_metric_families(text) for sample in family.samples]


@pytest.mark.anyio
async def test_every_metric_and_label_that_is_asked_for_is_in_a_real_answer(tmp_path: Path):
    with open_workplace(tmp_path) as place:
        seed_day(place)
        place.app = create_app(
            place.app.state.site.world, place.settings, actions=place.app.state.site.actions, restarts={Kind.RUN: 1}
        )
        samples = await samples_of(place)
    known = {**{sample.name: set(sample.labels) for sample in samples}, **PROMETHEUS_OWN}
    questions = [question for expression in expressions() for question in asked(parsed(expression))]

    unknown = sorted({question.metric for question in questions} - set(known))
    assert unknown == []
    assert [question for question in questions if question.names - known[question.metric]] == []
    routes = {dict(question.labels).get("route", WEBHOOKS) for question in questions}
    assert routes == {WEBHOOKS}
    assert WEBHOOKS in {sample.labels.get("route") for sample in samples}


def test_every_metric_of_the_bot_is_asked_for_somewhere():
    metrics = {question.metric for expression in expressions() for question in asked(parsed(expression))}

    assert {re.sub(r"_(bucket|count)$", "", metric) for metric in metrics} == {
        "mlops_bot_forge_calls_total",
        "mlops_bot_http_request_seconds",
        "mlops_bot_overdue_seconds",
        "mlops_bot_prediction_seconds",
        "mlops_bot_rows",
        "mlops_bot_worker_restarts_total",
        "up",
    }


def test_phases_that_are_asked_for_are_those_that_rows_go_through():
    questions = [question for expression in expressions() for question in asked(parsed(expression))]
    about_rows = [dict(question.labels) for question in questions if question.metric == "mlops_bot_rows"]

    assert {row["kind"] for row in about_rows} <= {kind.value for kind in Kind}
    unknown = [row for row in about_rows if set(row.get("phase", "").split("|")) - {""} - ROW_PHASES[row["kind"]]]
    assert unknown == []


def test_every_alert_says_what_is_wrong_how_bad_it_is_and_what_to_do():
    assert [rule["alert"] for rule in alerts()] == [
        "MlopsBotDown",
        "MlopsBotOverdue",
        "MlopsBotWorkerRestarts",
        "MlopsBotDeploymentFailed",
        "MlopsBotDeliveriesGivenUp",
        "MlopsBotRefusesWebhooks",
        "MlopsBotSlowWebhooks",
    ]
    for rule in alerts():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert all(rule["annotations"][name] for name in ("summary", "description"))


def test_prometheus_is_led_to_the_port_with_the_token_and_finds_the_job_that_alerts_name():
    endpoint = {
        "port": "http",
        "path": "/metrics",
        "interval": "30s",
        "authorization": {"credentials": {"name": "mlops-bot-secrets", "key": "access-token"}},
    }
    service = the("overlays/ha", "Service")
    monitor = the("monitoring", "ServiceMonitor")

    assert monitor["spec"]["endpoints"] == [endpoint]
    assert service["metadata"]["labels"] == monitor["spec"]["selector"]["matchLabels"]
    assert monitor["metadata"]["namespace"] == service["metadata"]["namespace"]
    assert 'up{job="mlops-bot"}' in alerts()[0]["expr"]
    assert service["metadata"]["name"] == "mlops-bot"  # the operator calls the job so


def test_the_dashboard_is_found_by_grafana_and_its_panels_do_not_overlap():
    board, config = dashboard(), the("monitoring", "ConfigMap")["metadata"]

    assert config["labels"]["grafana_dashboard"] == "1"
    assert (board["uid"], board["schemaVersion"]) == ("mlops-bot", 39)
    places = [(x, y) for panel in board["panels"] for x, y in _cells(panel["gridPos"])]
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert {target["datasource"]["uid"] for panel in board["panels"] for target in panel["targets"]} == {
        "${datasource}"
    }


def _cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y
