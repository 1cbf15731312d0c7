"""A deployment's page in a real browser: it is live, fits, and is where one approves."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from bot.domain.approval import Approval, Decision
from tests.web.kit import Workplace
from tests.web.seed import REPOSITORY, ago, seed_day
from tests.web.seed_deployments import IDS, MODEL, THING, seed_deployments
from tests.web.test_browser import Visit, browser, visit  # noqa: F401 - fixtures
from tests.web.test_browser import pytestmark as of_browsers

pytestmark = of_browsers
PAGES = (
    "/", f"/deployments/{IDS.waiting}", f"/deployments/{IDS.live}", f"/deployments/{IDS.failed}", "/environments",
    "/environments/staging", f"/repositories/{REPOSITORY.key}/models/{MODEL}", "/ledger", "/runs/run-failed-deploy",
)  # fmt: skip


@pytest.fixture
def day(place: Workplace) -> Workplace:
    seed_day(place)
    seed_deployments(place)
    return place


def test_an_open_page_shows_an_approval_by_itself_and_has_the_box_for_ones_own(
    day: Workplace,
    visit: Visit,  # noqa: F811 - the fixture
) -> None:
    page = visit.open(f"/deployments/{IDS.waiting}")
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator(".step.warned")).to_contain_text("approved 1 of 2")
    with day.store.transaction() as tx:
        tx.add_approval(Approval(IDS.waiting, "erin", ago(seconds=1), Decision.APPROVED, THING, "comment:99:1"))

    expect(page.locator(".step.warned")).to_contain_text("approved 2 of 2")
    expect(page.get_by_role("heading", name="Approvals").locator("..")).to_contain_text("2 of 2")
    expect(page.get_by_label("Comment on #1")).to_have_value("/approve production")
    page.get_by_role("button", name="Comment").click()
    page.wait_for_url("**/changes/1#latest")
    assert [post.body for post in day.records.posts(REPOSITORY.key, 1)][-1] == "/approve production"
    assert visit.complaints == []


@pytest.mark.parametrize(
    "visit",
    [{"color_scheme": "dark", "viewport": {"width": 390, "height": 844}}],
    indirect=True,
    ids=["dark and narrow"],
)
def test_the_pages_of_deployments_fit_and_ask_nobody_else(visit: Visit) -> None:  # noqa: F811 - the fixture
    for path in PAGES:
        page = visit.open(path)
        page.wait_for_load_state("load")
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        broken = page.evaluate(
            "[...document.images].filter(one => one.complete && !one.naturalWidth).map(one => one.src)"
        )

        assert (path, wider, broken) == (path, 0, [])
    assert (visit.foreign, visit.complaints) == ([], [])
