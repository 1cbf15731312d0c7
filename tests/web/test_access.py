"""Who gets in: the token of the printed address, and nobody by way of another site."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bot.domain.signature import is_plot_signed, plot_query
from bot.web.session import SESSION_LASTS, Sessions
from tests.web.kit import Workplace, client, open_workplace
from tests.web.seed import HEAD_SHA

pytestmark = pytest.mark.anyio

CHANGE = "/repositories/plain/models/changes/1"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


async def signed_in(http: httpx.AsyncClient, place: Workplace) -> httpx.AsyncClient:
    await http.get("/", params={"token": place.token})
    return http


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
    assert found is not None
    return found[1]


async def test_the_printed_address_signs_in_and_the_token_leaves_the_address_bar(place: Workplace) -> None:
    async with client(place) as http:
        entering = await http.get(f"{CHANGE}?token={place.token}&page=2")

    cookie = entering.headers["set-cookie"]
    assert (entering.status_code, entering.headers["location"]) == (303, f"{CHANGE}?page=2")
    assert cookie.startswith("mlops_bot_8321=")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert place.token not in cookie


async def test_an_entrance_never_leads_to_another_site(place: Workplace) -> None:
    async with client(place) as http:
        entering = await http.get(f"http://127.0.0.1:8321//evil.example/?token={place.token}")

    assert entering.headers["location"] == "/evil.example/"


@pytest.mark.parametrize(
    "path", ["/", CHANGE, "/runs/run-good", "/runs/run-good/files/metrics.json", "/runs/run-good/plots/plots/roc.csv"]
)
async def test_without_a_session_a_page_explains_how_to_get_in(day: Workplace, path: str) -> None:
    async with client(day) as http:
        answer = await http.get(path)

    assert answer.status_code == 401
    assert "Open the address that <code>mlops-bot serve</code>" in answer.text
    assert f"<code>{day.home}/access-token</code>" in answer.text
    assert "trees" not in answer.text


async def test_on_a_public_address_the_home_folder_is_not_told(tmp_path: Path) -> None:
    with open_workplace(tmp_path, host="0.0.0.0", public_url="https://bot.example.com") as place:
        async with client(place) as http:
            answer = await http.get("/", headers={"Host": "bot.example.com"})

    assert answer.status_code == 401
    assert str(tmp_path) not in answer.text
    assert "in the bot&#39;s home folder" in answer.text or "in the bot's home folder" in answer.text


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/openapi.json", "/metrics"])
async def test_programs_are_told_to_send_the_token(place: Workplace, path: str) -> None:
    async with client(place) as http:
        refused = await http.get(path)
        welcome = await http.get(path, headers=place.bearer)

    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "Authorization: Bearer" in refused.json()["error"]
    assert welcome.status_code == 200


async def test_a_wrong_token_is_refused_in_the_address_and_in_the_form(place: Workplace) -> None:
    async with client(place) as http:
        by_address = await http.get("/?token=guess")
        by_form = await http.post("/login", data={"token": "guess"})
        right = await http.post("/login", data={"token": f" {place.token}\n"})
        page = await http.get("/")

    assert (by_address.status_code, by_form.status_code) == (403, 403)
    assert "This token does not open these pages." in by_form.text
    assert (right.status_code, right.headers["location"]) == (303, "/")
    assert page.status_code == 200


async def test_the_token_can_be_pasted_as_well_and_a_link_from_another_site_finds_the_session(place: Workplace) -> None:
    cross_site = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with client(place) as http:
        answer = await http.get("/", headers=cross_site)

    assert answer.status_code == 401
    assert '<meta http-equiv="refresh" content="0">' in answer.text


async def test_a_form_of_another_site_is_refused(day: Workplace) -> None:
    fields = {"body": "/train"}
    async with client(day) as http:
        await signed_in(http, day)
        page = await http.get(CHANGE)
        token = {"form_token": form_token(page.text)}
        without_token = await http.post(f"{CHANGE}/comments", data=fields)
        wrong_token = await http.post(f"{CHANGE}/comments", data=fields | {"form_token": "0" * 64})
        by_site = await http.post(f"{CHANGE}/comments", data=fields | token, headers={"Sec-Fetch-Site": "cross-site"})
        by_origin = await http.post(
            f"{CHANGE}/comments", data=fields | token, headers={"Origin": "https://evil.example"}
        )
        null_origin = await http.post(f"{CHANGE}/comments", data=fields | token, headers={"Origin": "null"})
        same_site = await http.post(f"{CHANGE}/comments", data=fields | token, headers={"Sec-Fetch-Site": "same-site"})
        own = await http.post(
            f"{CHANGE}/comments",
            data=fields | token,
            headers={"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8321"},
        )

    refused = [without_token, wrong_token, by_site, by_origin, null_origin, same_site]
    assert [answer.status_code for answer in refused] == [403] * 6
    assert own.status_code == 303
    assert [post.body for post in day.records.posts("plain/models", 1)].count("/train") == 1


async def test_a_form_token_of_another_session_is_refused(day: Workplace) -> None:
    async with client(day) as mine, client(day) as theirs:
        await signed_in(mine, day)
        await signed_in(theirs, day)
        token = form_token((await theirs.get(CHANGE)).text)
        answer = await mine.post("/runs/run-now/cancel", data={"form_token": token})

    assert answer.status_code == 403
    assert day.acted == []


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "", "[::1", "localhost@x"]
)
async def test_a_host_name_that_is_not_ours_is_refused(place: Workplace, host: str) -> None:
    async with client(place) as http:
        answer = await http.get("/", headers={"Host": host, **place.bearer})

    assert answer.status_code == 400
    assert "MLOPS_BOT_PUBLIC_URL" in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8321", "localhost:1", "[::1]:8321", "LOCALHOST", "192.168.1.7"])
async def test_a_host_name_of_ours_or_a_bare_address_is_served(place: Workplace, host: str) -> None:
    async with client(place) as http:
        answer = await http.get("/", headers={"Host": host, **place.bearer})

    assert answer.status_code == 200


async def test_every_page_forbids_scripts_frames_and_requests_of_others(day: Workplace) -> None:
    async with client(day, headers=day.bearer) as http:
        answers = [await http.get(path) for path in ("/", CHANGE, "/runs/run-good", "/nowhere")]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", answer.text)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', answer.text)


async def test_a_signed_address_opens_one_picture_until_it_expires(day: Workplace) -> None:
    secret, soon = day.settings.callback_secret, datetime.now(UTC) + timedelta(hours=1)
    query = plot_query(secret, run_id="run-good", path="plots/roc.csv", expires_at=soon)
    late = plot_query(
        secret, run_id="run-good", path="plots/roc.csv", expires_at=datetime.now(UTC) - timedelta(seconds=1)
    )
    base = "/runs/run-good"
    async with client(day) as http:
        picture = await http.get(f"{base}/plots/plots/roc.csv?{query}")
        others = [
            await http.get(f"{base}/plots/plots/roc.csv?{late}"),
            await http.get(f"{base}/plots/plots/importance.png?{query}"),
            await http.get(f"/runs/run-base/plots/plots/roc.csv?{query}"),
            await http.get(f"{base}/plots/plots/roc.csv?{query.replace('expires=1', 'expires=9')}"),
            await http.get(f"{base}/files/plots/roc.csv?{query}"),
            await http.get(f"{base}?{query}"),
            await http.get(f"{base}/plots/plots/roc.csv?expires=x&signature=é"),
        ]

    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/svg+xml")
    assert [answer.status_code for answer in others] == [401] * 7


def test_a_signature_is_for_this_run_this_path_and_this_time_only() -> None:
    query = plot_query("secret", run_id="a", path="b/c", expires_at=NOW + timedelta(days=1))
    expires, _, signature = query.removeprefix("expires=").partition("&signature=")

    def holds(run_id: str = "a", path: str = "b/c", expires: str = expires, now: datetime = NOW) -> bool:
        return is_plot_signed("secret", run_id=run_id, path=path, expires=expires, signature=signature, now=now)

    assert holds()
    assert not holds(run_id="a\nb", path="c")
    assert not holds(path="b%2Fc")
    assert not holds(expires=f"0{expires}x")
    assert not holds(now=NOW + timedelta(days=1))


def test_a_session_ends_after_30_days_and_with_a_new_token() -> None:
    sessions = Sessions("token")
    cookie = sessions.new_cookie(now=NOW)

    name = sessions.session(cookie, now=NOW + SESSION_LASTS - timedelta(seconds=1))
    assert len(name) == 32
    assert sessions.session(cookie, now=NOW + SESSION_LASTS) == ""
    assert Sessions("new token").session(cookie, now=NOW) == ""
    assert [sessions.session(forged, now=NOW) for forged in ("", ".", "a.b.c", cookie[:-1], f"x{cookie}")] == [""] * 5


async def test_a_commit_page_needs_a_session_like_all_others(day: Workplace) -> None:
    async with client(day) as http:
        assert (await http.get(f"/repositories/plain/models/commits/{HEAD_SHA}")).status_code == 401
        assert (await http.get("/events")).status_code == 401
        assert (await http.get("/healthz")).status_code == 200
