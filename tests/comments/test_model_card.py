"""The model card of a version: Hugging Face's format, legible, and safe whatever stands in the lock."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given

from bot.comments.model_card import card_text, model_card
from bot.domain.gate import judge, parse_gate
from bot.domain.result import Metric
from bot.domain.version import VersionLock, VersionNumber
from tests.comments.test_hostile_text import HOSTILE, TEXT, Tags, as_lenient_html
from tests.domain.examples import PROPERTY
from tests.registry.samples import lock

GOLDEN = Path(__file__).parents[1] / "golden" / "model_card.md"
SERVED = lock(number=VersionNumber(1, 2, 0), metrics={"accuracy": Metric(0.96), "auc": Metric(0.9)})


def card(
    wanted: VersionLock,
    *,
    production: VersionLock | None = SERVED,
    who: str = "alice",
    repository: str = "github/acme/m",
) -> str:
    return model_card(wanted, production=production, approved_by=[who, "dave"], requested_by=who, repository=repository)


def metadata(text: str) -> dict[str, Any]:
    front = yaml.safe_load(text.removeprefix("---\n").partition("\n---\n")[0])
    assert isinstance(front, dict)
    return front


def test_a_card_reads_as_its_golden_example() -> None:
    assert card(lock()) == GOLDEN.read_text(encoding="utf-8")


def test_the_metadata_has_the_fields_that_the_hub_documents() -> None:
    read = metadata(card(lock()))

    assert (read["library_name"], read["tags"], read["metrics"]) == (
        "sklearn", ["mlops-bot", "sklearn", "breast-cancer"], ["accuracy", "log_loss"],
    )  # fmt: skip
    [model] = read["model-index"]
    [result] = model["results"]
    assert model["name"] == "breast-cancer"
    assert result["task"] == {"type": "other"}
    assert result["dataset"] == {"type": "breast_cancer.csv", "name": "breast_cancer.csv", "revision": "b" * 40}
    assert result["metrics"] == [
        {"type": "accuracy", "value": 0.9720279720279721, "name": "accuracy"},
        {"type": "log_loss", "value": 0.12, "name": "log_loss"},
    ]


def test_a_version_without_data_params_metrics_and_gates_says_so() -> None:
    bare = lock(
        serve="python", data_address="", data_sha="", data_path="", data_digest="", data_rows=None, params={}, split={},
        environment={}, metrics={}, gates=(), waived=(),
    )  # fmt: skip

    text = model_card(bare, requested_by="alice", repository="plain/m")

    assert metadata(text) == {
        "tags": ["mlops-bot", "python", "breast-cancer"],
        "model-index": [{"name": "breast-cancer", "results": []}],
        "version": "v1.3.0",
        "repository": "m",
    }
    for words in (
        "asked for by alice.\n",
        "The model declares no data.",
        "The model has no params.",
        "No metrics were reported.",
        "The model has no gates.",
    ):
        assert words in text


def test_a_first_version_has_nothing_to_be_compared_with() -> None:
    assert "Nothing served in production yet to compare with." in card(lock(), production=None)
    assert "no incumbent" in card(lock(), production=None)


def test_gates_are_shown_as_they_were_judged_then() -> None:
    gate = parse_gate("accuracy >= base")
    then = judge([gate], metrics={"accuracy": 0.97}, base={"accuracy": 0.98}, production=None)

    text = model_card(lock(gates=(gate.text,)), judgement=then, requested_by="alice", repository="plain/m")

    assert "| `accuracy` | 0.97 | `>= 0.98 (base 0.98)` | ✗ missed |" in text


def test_a_gate_of_another_bot_does_not_keep_the_card_from_being_made() -> None:
    assert "1 gate passed" in card(lock(gates=("auc ~ 0.9 within 2 sigma", "accuracy >= 0.9")))


def test_the_text_for_people_begins_after_the_metadata() -> None:
    assert card_text(card(lock())).startswith("# breast-cancer v1.3.0\n")
    assert card_text("# by hand\n\n---\n") == "# by hand\n\n---\n"


def poisoned(text: str) -> VersionLock:
    return lock(
        model=text, sha=text, run_id=text, run_key=text, pipeline_version=text, artifacts=text, model_digest=text,
        model_path=text, serve=text, data_address=text, data_sha=text, data_path=text, data_digest=text,
        params={text: text}, split={text: [text]}, environment={text: text}, metrics={text: Metric(1.0, 0.1)},
        gates=(text,), waived=(text,),
    )  # fmt: skip


@PROPERTY
@given(TEXT)
@example("---")
@example("\n---\n# x")
@example("&a !!python/object:os.system [*a]")
def test_no_text_changes_the_shape_of_a_card_or_of_its_metadata(text: str) -> None:
    shown = card(poisoned(text), production=poisoned(text), who=text, repository=f"plain/{text}")
    plain = card(poisoned("x"), production=poisoned("x"), who="x", repository="plain/x")

    shapes = {name: type(value) for name, value in metadata(plain).items()}
    assert {name: type(value) for name, value in metadata(shown).items()}.items() <= shapes.items()
    assert [tag for tag in Tags(as_lenient_html(card_text(shown))).seen if tag[0] != "strong"] == (
        Tags(as_lenient_html(card_text(plain))).seen
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_each_well_known_trick_stays_text(text: str) -> None:
    html = as_lenient_html(card_text(card(poisoned(text), who=text)))

    assert {tag[0].strip("/") for tag in Tags(html).seen} <= {
        "h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li",
    }  # fmt: skip
    assert "49" not in html or "49" in text


def test_numbers_of_any_size_are_shown() -> None:
    text = card(lock(metrics={"a": Metric(1e300), "b": Metric(-5e-324), "c": Metric(0.1 + 0.2)}, params={"s": 2**60}))

    [result] = metadata(text)["model-index"][0]["results"]
    assert [metric["value"] for metric in result["metrics"]] == [1e300, -5e-324, 0.1 + 0.2]
    assert all(math.isfinite(metric["value"]) for metric in result["metrics"])
    assert "| `s` | `1152921504606846976` |" in text
