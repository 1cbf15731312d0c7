"""What GitHub alone has. What all forges have is in `test_forges.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.forge_place import Place, Towns
from tests.journeys.github_place import GitHubSite


@pytest.fixture
def place(towns: Towns, tmp_path: Path) -> Place[GitHubSite]:
    return towns.place("github", tmp_path)


@pytest.fixture
def proposed(place: Place[GitHubSite]) -> tuple[int, str]:
    """A pull request whose head was trained, and told of; its number and its head."""
    place.check(place.start())
    number, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))
    place.shown(number, sha)
    return number, sha


def test_commands_count_in_reviews_and_beside_lines_and_their_reactions_cost_two_calls(
    place: Place[GitHubSite], proposed: tuple[int, str]
) -> None:
    number, _ = proposed
    for kind in ("review", "diff"):
        before = place.site.calls()
        comment_id = place.site.write(number, "ada", "/status", kind=kind)

        answer = place.running.wait_for("an answer", lambda written=comment_id: place.answer_to(number, written))
        assert "churn" in answer
        assert place.site.reactions_so_far(comment_id) == ["eyes", "+1"]
        assert (place.site.calls() - before)["POST /graphql"] <= 2


@pytest.mark.parametrize(
    "press",
    [
        pytest.param(lambda site, sha: site.press_action(sha, "retrain", "ada"), id="retrain"),
        pytest.param(lambda site, sha: site.press_rerun_all(sha, "ada"), id="re-run all checks"),
    ],
)
def test_a_button_trains_again(
    place: Place[GitHubSite], proposed: tuple[int, str], press: Callable[[GitHubSite, str], None]
) -> None:
    number, sha = proposed
    assert "retrain" in [action.id for action in place.check(sha).actions]

    press(place.site, sha)

    place.shown(number, sha, count=2)
    assert place.running.ended(sha, count=2).requested_by == "ada"
