"""Making a GitHub App from the bot's own page: only for who holds the access token, each answer taken once."""

from __future__ import annotations

import html
import json
import re
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bot.wiring.github_setup import GitHubSetup
from tests.fakes.github import FakeGitHub
from tests.web.kit import Workplace, client, open_workplace

pytestmark = pytest.mark.anyio

PUBLIC_URL = "https://mlops.example.com"


@pytest.fixture
def github(tmp_path: Path) -> Iterator[FakeGitHub]:
    fake = FakeGitHub(tmp_path / "github")
    yield fake
    fake.close()


def let_set_up(place: Workplace) -> None:
    site, setup = place.app.state.site, GitHubSetup(place.settings)
    actions = replace(site.actions, begin_github=setup.begin, finish_github=setup.finish)
    object.__setattr__(site, "actions", actions)  # the pages hold the very site that was built


@pytest.fixture
def owned(tmp_path: Path, github: FakeGitHub) -> Iterator[Workplace]:
    with open_workplace(tmp_path / "home", public_url=PUBLIC_URL, github_api_url=github.api_url) as place:
        let_set_up(place)
        yield place


def at_public_url(place: Workplace) -> httpx.AsyncClient:
    """As a browser reaches it through a proxy with TLS: its cookie is for that address alone."""
    http = client(place)
    http.base_url = httpx.URL(PUBLIC_URL)
    return http


@pytest.fixture
async def http(owned: Workplace) -> AsyncIterator[httpx.AsyncClient]:
    async with at_public_url(owned) as http:
        await http.get("/", params={"token": owned.token})
        yield http


def form(page: str) -> tuple[str, dict[str, object]]:
    action, manifest = re.search(r'action="([^"]+)"', page), re.search(r'name="manifest" value="([^"]+)"', page)
    assert action is not None
    assert manifest is not None
    return html.unescape(action[1]), json.loads(html.unescape(manifest[1]))


def state_of(page: str) -> str:
    return parse_qs(urlsplit(form(page)[0]).query)["state"][0]


async def test_the_form_leads_to_github_with_the_manifest_and_back_to_this_browser(
    http: httpx.AsyncClient, github: FakeGitHub
) -> None:
    answer = await http.get("/setup/github")
    organized = await http.get("/setup/github", params={"organization": "acme"})

    action, manifest = form(answer.text)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(action))
    assert (answer.status_code, urlsplit(action).path) == (200, "/settings/apps/new")
    assert urlsplit(form(organized.text)[0]).path == "/organizations/acme/settings/apps/new"
    assert manifest["hook_attributes"] == {"url": f"{PUBLIC_URL}/webhooks/github", "active": True}
    assert manifest["redirect_url"] == f"{PUBLIC_URL}/setup/github"
    assert f"form-action 'self' {origin};" in answer.headers["content-security-policy"]
    assert origin not in (await http.get("/")).headers["content-security-policy"]
    assert state_of(answer.text) != state_of(organized.text)
    assert github.api_url.startswith(origin)


async def test_githubs_answer_is_taken_once_and_the_key_is_kept_for_its_owner_alone(
    http: httpx.AsyncClient, owned: Workplace, github: FakeGitHub
) -> None:
    given = {"code": "a-code", "state": state_of((await http.get("/setup/github")).text)}

    made = await http.get("/setup/github", params=given)
    again = await http.get("/setup/github", params=given)

    key = owned.home / "github" / "github-app.pem"
    assert made.status_code == 200
    assert f"MLOPS_BOT_GITHUB_APP_ID={github.world.app.id}" in made.text
    assert f"MLOPS_BOT_GITHUB_PRIVATE_KEY_FILE={key}" in made.text
    assert "mlops-bot doctor" in made.text
    assert "PRIVATE KEY---" not in made.text
    assert (key.read_text(), stat.S_IMODE(key.stat().st_mode)) == (github.world.app.private_key, 0o600)
    assert again.status_code == 409
    assert "does not belong to a form of this session, or was used already" in again.text


async def test_a_state_of_another_session_or_none_is_refused_and_nothing_is_asked(
    http: httpx.AsyncClient, owned: Workplace
) -> None:
    state = state_of((await http.get("/setup/github")).text)
    async with at_public_url(owned) as other:
        await other.get("/", params={"token": owned.token})
        stolen = await other.get("/setup/github", params={"code": "a-code", "state": state})
    made_up = await http.get("/setup/github", params={"code": "a-code", "state": "made-up"})
    missing = await http.get("/setup/github", params={"code": "a-code"})

    assert [stolen.status_code, made_up.status_code, missing.status_code] == [409, 409, 409]
    assert not (owned.home / "github").exists()


async def test_a_code_that_github_does_not_know_is_said_in_words(http: httpx.AsyncClient) -> None:
    given = {"code": "used", "state": state_of((await http.get("/setup/github")).text)}
    answer = await http.get("/setup/github", params=given)

    assert answer.status_code == 409
    assert "GitHub does not know this code: it was used, or is older than an hour." in answer.text


async def test_nobody_gets_the_form_but_a_browser_that_is_signed_in(owned: Workplace) -> None:
    async with client(owned) as http:
        stranger = await http.get("/setup/github")
        program = await http.get("/setup/github", headers=owned.bearer)

    assert [stranger.status_code, program.status_code] == [401, 403]
    assert "manifest" not in stranger.text + program.text


async def test_without_a_public_address_it_says_what_to_set(tmp_path: Path) -> None:
    with open_workplace(tmp_path) as place:
        let_set_up(place)
        async with client(place) as http:
            await http.get("/", params={"token": place.token})
            answer = await http.get("/setup/github")

    assert answer.status_code == 409
    assert "Set MLOPS_BOT_PUBLIC_URL" in answer.text


async def test_a_name_that_is_no_organization_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.get("/setup/github", params={"organization": '../x"><script>'})

    assert answer.status_code == 409
    assert "<script>" not in answer.text
