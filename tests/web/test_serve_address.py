"""Which paths lead to a model server, and which of its revisions is chosen."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from bot.ports.serving import Backend
from bot.web.serve_address import Address, choose, read_address


@pytest.mark.parametrize(
    "target",
    [
        "/v2/models/churn/infer",
        "/v2/models/churn/versions/1.2/ready",
        "/v1/models/churn:predict",
        "/v2/health/live",
        "/v2",
        "/v1/models/a..b/",
    ],
)
def test_what_lies_below_v1_and_v2_passes_as_it_is(target: str) -> None:
    address = read_address(f"/serve/staging/churn{target}", b"verbose=1&x=%2e")

    assert address == Address("staging", "churn", f"{target}?verbose=1&x=%2e")
    assert address.prefix == "/serve/staging/churn"


@pytest.mark.parametrize(
    "path",
    [
        "/serve/staging/churn",
        "/serve/staging/churn/metrics",
        "/serve/staging/churn/v3/models",
        "/serve/staging/churn/v22",
        "/serve/staging/v2/models",
        "/serve//churn/v2/models",
        "/serve/../churn/v2/models",
        "/serve/Staging/churn/v2/models",
        "/serve/staging/churn-/v2/models",
        "/serve/staging/" + "c" * 64 + "/v2/models",
        "/serve/staging/churn/v2/../metrics",
        "/serve/staging/churn/v2/..",
        "/serve/staging/churn/v2/./models",
        "/serve/staging/churn/v2//models",
        "/serve/staging/churn/v2/models/%2e%2e/x",
        "/serve/staging/churn/v2/models\\..\\x",
        "/serve/staging/churn/v2/models/a b",
        "/serve/staging/churn/v2/models/ü",
        "/serve/staging/churn/v2/models\n",
        "/serve/staging/churn/v2/models?x",
        "/serve/staging/churn/v2/repository/models/churn/unload",
        "/serve/staging/churn/v2/repository",
    ],
)
def test_no_other_path_passes_nor_one_that_a_server_might_read_otherwise(path: str) -> None:
    assert read_address(path, b"") is None


@pytest.mark.parametrize("query", [b"a b", b"\xff", b"a\r\nHost: x", b"\x00"])
def test_a_query_that_is_not_plain_text_does_not_pass(query: bytes) -> None:
    assert read_address("/serve/staging/churn/v2/models", query) is None


OLD, NEW, WARM = Backend("old", "http://127.0.0.1:1", 90), Backend("new", "http://127.0.0.1:2", 10), Backend("w", "", 0)


def test_requests_are_shared_out_by_percent() -> None:
    random = Random(4)
    chosen = Counter(choose([OLD, NEW, WARM], at=random.random()) for _ in range(2000))

    assert chosen[OLD] + chosen[NEW] == 2000
    assert 160 <= chosen[NEW] <= 240


def test_the_whole_range_is_covered_and_nothing_beyond() -> None:
    assert [choose([OLD, NEW], at=at) for at in (0.0, 0.899, 0.901, 0.999999)] == [OLD, OLD, NEW, NEW]
    assert choose([NEW, WARM], at=1.0) == NEW


def test_what_is_ready_takes_the_share_of_what_is_not() -> None:
    assert choose([NEW], at=0.99) == NEW


def test_what_is_kept_warm_is_never_asked() -> None:
    assert choose([WARM], at=0.5) is None
    assert choose([], at=0.5) is None
    assert choose([OLD, WARM], at=0.5, avoiding="old") == OLD


def test_a_revision_that_refused_is_asked_again_only_where_no_other_takes_requests() -> None:
    assert choose([OLD, NEW], at=0.0, avoiding="old") == NEW
    assert choose([OLD], at=0.0, avoiding="old") == OLD
