"""The pages in a real browser: Debian's chromium."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.web.kit import Workplace, served
from tests.web.seed import HEAD_SHA
from tests.web.test_live import append, end_run

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
CHANGE = "/repositories/plain/models/changes/1"
PAGES = (
    "/", "/repositories/plain/models", CHANGE, "/repositories/plain/models/changes/2", "/runs/run-good",
    "/runs/run-bad", "/runs/run-now", f"/repositories/plain/models/commits/{HEAD_SHA}", "/nowhere",
)  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs chromium: apt-get install chromium"),
]


@dataclass
class Visit:
    """A tab, and what it complained of or asked others for."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def visit(day: Workplace, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    options = getattr(request, "param", {})
    context = browser.new_context(**options)
    with served(day) as address:
        visit = Visit(context.new_page(), address)
        visit.page.on("request", lambda asked: asked.url.startswith(address) or visit.foreign.append(asked.url))
        visit.page.on("console", lambda said: said.type == "error" and visit.complaints.append(said.text))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.goto(f"{address}/?token={day.token}")
        yield visit
        context.close()


def test_the_printed_address_leads_in_and_the_token_leaves_the_address_bar(day: Workplace, visit: Visit) -> None:
    assert visit.page.url == f"{visit.address}/"
    expect(visit.page.get_by_role("link", name="Try four hundred trees")).to_be_visible()
    assert day.token not in json.dumps(visit.page.context.cookies())


def test_a_command_written_into_the_box_is_posted_and_shown(day: Workplace, visit: Visit) -> None:
    page = visit.open(CHANGE)
    box = page.get_by_label("Write a comment or a command")
    assert box.get_attribute("placeholder") == "/train n_estimators=400"
    box.fill("/train n_estimators=500")
    box.press("Control+Enter")

    expect(page.locator("article.post").last).to_contain_text("/train n_estimators=500")
    assert day.records.posts("plain/models", 1)[-1].body == "/train n_estimators=500"
    assert page.url == f"{visit.address}{CHANGE}#latest"


def test_a_runs_log_grows_while_one_looks_and_the_page_ends_with_the_run(day: Workplace, visit: Visit) -> None:
    page = visit.open("/runs/run-now")
    log = page.locator("#log-train pre")
    expect(log).to_contain_text("tree 2 of 400")
    expect(page.locator("#live")).to_have_text("Live")
    append(day, "run-now/logs/train.log", b"tree 3 of 400 <b>bold</b>\n")
    expect(log).to_contain_text("tree 3 of 400 <b>bold</b>")
    assert log.inner_text().count("tree 2 of 400") == 1
    end_run(day, "run-now")

    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    expect(page.locator("#live")).to_be_hidden()
    expect(page.get_by_role("heading", name="Metrics")).to_be_visible()
    assert visit.complaints == []


def test_a_page_that_is_open_shows_a_new_comment_by_itself(day: Workplace, visit: Visit) -> None:
    page = visit.open(CHANGE)
    expect(page.locator("#live")).to_have_text("Live")
    page.get_by_label("Write a comment or a command").fill("half a thought")
    delivery = day.forge.say("plain/models", 1, "bob", "Looks good to me")
    day.store.add_deliveries([delivery])

    expect(page.locator("article.post").last).to_contain_text("Looks good to me")
    expect(page.get_by_label("Write a comment or a command")).to_have_value("half a thought")


def test_a_tab_that_nobody_looks_at_lets_its_connection_go_and_catches_up_later(day: Workplace, visit: Visit) -> None:
    visit.page.clock.install()
    page = visit.open("/runs/run-now")
    expect(page.locator("#live")).to_have_text("Live")
    _look_away(page, hidden=True)
    page.clock.fast_forward(11_000)
    until(lambda: day.app.state.site.streams.open == 0)
    append(day, "run-now/logs/train.log", b"tree 3 of 400\n")
    _look_away(page, hidden=False)
    page.clock.fast_forward(1_000)

    expect(page.locator("#log-train pre")).to_contain_text("tree 3 of 400")
    append(day, "run-now/logs/train.log", b"tree 4 of 400\n")
    expect(page.locator("#log-train pre")).to_contain_text("tree 4 of 400")
    assert page.locator("#log-train pre").inner_text().count("tree 3 of 400") == 1


def _look_away(page: Page, *, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_is_canceled_by_its_button(day: Workplace, visit: Visit) -> None:
    page = visit.open("/runs/run-now")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_load_state()

    assert day.acted == [("cancel", "run-now", day.app.state.site.user)]


@pytest.mark.parametrize("visit", [{"java_script_enabled": False}], indirect=True)
def test_without_javascript_one_reads_and_comments_all_the_same(day: Workplace, visit: Visit) -> None:
    page = visit.open("/runs/run-now")
    expect(page.locator("#log-train pre")).to_contain_text("tree 2 of 400")
    page = visit.open(CHANGE)
    page.get_by_label("Write a comment or a command").fill("/status")
    page.get_by_role("button", name="Comment").click()

    expect(page.locator("article.post").last).to_contain_text("/status")


def test_the_keyboard_reaches_the_content_first(visit: Visit) -> None:
    page = visit.open(CHANGE)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize(
    "visit",
    [
        {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
        {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
    ],
    indirect=True,
    ids=["light", "dark and narrow"],
)
def test_every_page_fits_asks_nobody_else_and_breaks_no_rule(visit: Visit) -> None:
    for path in PAGES:
        page = visit.open(path)
        page.wait_for_load_state("load")
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        broken = page.evaluate(
            "[...document.images].filter(one => one.complete && !one.naturalWidth).map(one => one.src)"
        )

        assert (path, wider, broken) == (path, 0, [])
    assert visit.foreign == []
    assert [said for said in visit.complaints if "404" not in said] == []  # of the page that is not there
