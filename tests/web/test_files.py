"""A run's files and plots: somebody's training code wrote them, so they are never a page of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import httpx
import pytest

from bot.domain.result import Plot, PlotKind
from bot.domain.run import Phase
from tests.web.kit import Workplace, client
from tests.web.seed import REPOSITORY, a_picture, a_result, a_run

pytestmark = pytest.mark.anyio

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture
async def http(day: Workplace) -> AsyncIterator[httpx.AsyncClient]:
    async with client(day, headers=day.bearer) as http:
        yield http


async def test_text_is_shown_as_text_and_the_rest_is_a_download(day: Workplace, http: httpx.AsyncClient) -> None:
    day.write("run-good", "plots/page.html", b"<script>alert(1)</script>")
    day.write("run-good", 'model/odd "näme".bin', b"x")
    text = await http.get("/runs/run-good/files/metrics.json")
    page = await http.get("/runs/run-good/files/plots/page.html")
    model = await http.get("/runs/run-good/files/model/model.joblib")
    odd = await http.get("/runs/run-good/files/model/odd%20%22n%C3%A4me%22.bin")
    picture = await http.get("/runs/run-good/files/plots/importance.png")

    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.text == '{"accuracy": {"value": 0.951, "std": 0.008}}'
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"] == "attachment; filename*=utf-8''page.html"
    assert (len(model.content), model.status_code) == (40_002, 200)
    assert odd.headers["content-disposition"] == "attachment; filename*=utf-8''odd%20%22n%C3%A4me%22.bin"
    assert (picture.headers["content-type"], picture.content) == ("image/png", a_picture())
    for answer in (text, page, model, odd, picture):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].endswith("sandbox")


async def test_a_picture_with_a_script_is_served_without_any_right(day: Workplace, http: httpx.AsyncClient) -> None:
    run = a_run("run-svg", phase=Phase.SUCCEEDED,
                result=a_result("run-svg", plots=(Plot("plots/x.svg", PlotKind.IMAGE, "x"),)))  # fmt: skip
    with day.store.transaction() as tx:
        tx.add_run(run, now=run.requested_at)
    day.write("run-svg", "plots/x.svg", SVG)
    answer = await http.get("/runs/run-svg/plots/plots/x.svg")

    assert (answer.headers["content-type"], answer.content) == ("image/svg+xml", SVG)
    assert answer.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@pytest.mark.parametrize(
    "path",
    [
        "../run-base/metrics.json",
        "..%2Frun-base%2Fmetrics.json",
        "%2E%2E/run-base/metrics.json",
        "plots/../../run-base/metrics.json",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "plots%5C..%5Cmetrics.json",
        "metrics.json%00.png",
        "plots",
        "",
    ],
)
@pytest.mark.parametrize("kind", ["files", "plots"])
async def test_no_path_leads_out_of_the_run(http: httpx.AsyncClient, kind: str, path: str) -> None:
    # written out, for a client would tidy the path up before it sends it
    url = httpx.URL("http://127.0.0.1:8321", raw_path=f"/runs/run-good/{kind}/{path}".encode())
    answer = await http.get(url)

    assert answer.status_code == 404


async def test_a_link_in_a_runs_folder_is_not_followed(day: Workplace, http: httpx.AsyncClient) -> None:
    (day.home / "secret.txt").write_text("secret")
    (day.home / "artifacts/runs/run-good/link.txt").symlink_to(day.home / "secret.txt")
    answer = await http.get("/runs/run-good/files/link.txt")

    assert answer.status_code == 404
    assert "link.txt" not in (await http.get("/runs/run-good")).text


async def test_a_log_file_hides_secrets_too(day: Workplace, http: httpx.AsyncClient) -> None:
    padding = b"x" * (1024 * 1024 - 20)  # so that the secret lies across two slices
    day.write("run-good", "logs/train.log", padding + b"\n" + day.token.encode() + b"\nend")
    answer = await http.get("/runs/run-good/files/logs/train.log")

    assert answer.content == padding + b"\n***\nend"


async def test_a_reused_run_shows_the_files_of_the_run_that_made_the_result(
    day: Workplace, http: httpx.AsyncClient
) -> None:
    day.write("run-base2", "plots/importance.png", a_picture())
    with day.store.transaction() as tx:
        reused = a_run("run-again", phase=Phase.REUSED, reused_run="run-good", result=a_result("run-good"))
        tx.add_run(reused, now=reused.requested_at)
    answers = [
        await http.get("/runs/run-again/files/metrics.json"),
        await http.get("/runs/run-again/plots/plots/importance.png"),
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert REPOSITORY.key in (await http.get("/runs/run-again")).text


async def test_a_curve_is_drawn_as_a_picture(http: httpx.AsyncClient) -> None:
    answer = await http.get("/runs/run-good/plots/plots/roc.csv")
    texts = [element.text for element in ET.fromstring(answer.text).iter() if element.text]

    assert answer.headers["content-type"] == "image/svg+xml"
    assert {"ROC curve", "this run (area 0.982)", "main (area 0.982)"} <= set(texts), "drawn over the base's"
    assert {"false positive rate", "true positive rate"} <= set(texts)
