"""What is GitLab's own. What all forges have is in `test_forges.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.forge_place import Place, Towns
from tests.journeys.gitlab_place import GitLabSite


@pytest.fixture
def place(towns: Towns, tmp_path: Path) -> Place[GitLabSite]:
    return towns.place("gitlab", tmp_path)


def test_a_status_names_its_branch_and_its_words_fit(place: Place[GitLabSite]) -> None:
    place.start()
    number, sha = place.propose("broken", "Break it", **place.training("raise ValueError('dry ' * 200)"))
    place.living_comment(number, "dry dry")
    place.check(sha)

    (status,) = [one for one in place.site.project.statuses if one.sha == sha]
    assert (status.state, status.ref) == ("failed", "broken")
    assert len(status.description or "") <= 255


def test_a_note_that_is_edited_into_a_command_is_not_carried_out(place: Place[GitLabSite]) -> None:
    number, sha = place.propose("main-too", "Start", **place.threshold("0.5"))
    place.shown(number, sha)
    note = place.site.write(number, "ada", "Shall we?")
    place.site.edit(number, note, "/train")

    before = place.site.calls()
    _, reactions = place.say(number, "ada", "/status")

    assert reactions == ["eyes", "+1"]
    assert (place.site.calls() - before)["POST /graphql"] <= 2
    assert (place.answer_to(number, note), place.site.reactions_so_far(note)) == (None, [])
    assert len(place.running.runs(sha)) == 1
