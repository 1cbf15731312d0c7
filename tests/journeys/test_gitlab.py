"""The loop on GitLab: the real service, engine and git, and a GitLab that is a fake at the level of HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.run import Phase
from bot.ports.store import Kind
from bot.service import Service
from tests.contracts.git_workshop import Worktree
from tests.fakes.gitlab.records import MergeRequest
from tests.journeys.gitlab_place import GitLabPlace, GitLabTown, make_place
from tests.journeys.workplace import TRAIN, Running


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitLabTown]:
    made = GitLabTown(tmp_path_factory.mktemp("town"), projects=12)
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(town: GitLabTown) -> Iterator[Service]:
    with town.service(town.folder / "home") as running:
        yield running


@pytest.fixture
def place(town: GitLabTown, tmp_path: Path) -> GitLabPlace:
    return make_place(town, tmp_path)


@pytest.fixture
def running(place: GitLabPlace, service: Service) -> Running:
    return place.running(service)


@pytest.fixture
def proposed(place: GitLabPlace, running: Running) -> tuple[MergeRequest, str]:
    """A merge request whose head was trained, and told of."""
    main = place.push("main", "Start")
    running.ended(main)
    merge_request, sha = place.propose("better", "Try 0.5", **place.project_file("0.5"))
    run = running.ended(sha)
    place.living_note(merge_request, run.id, running)
    for commit in (main, sha):
        place.ended_statuses(commit, running)
    return merge_request, sha


def test_a_push_trains_and_is_answered_with_a_status_and_a_change_also_with_a_note(
    place: GitLabPlace, running: Running
) -> None:
    main = place.push("main", "Start")
    running.ended(main)
    merge_request, sha = place.propose("better", "Try 0.5", **place.project_file("0.5"))

    run = running.ended(sha)
    note = place.living_note(merge_request, run.id, running)
    status = place.ended_statuses(sha, running)["mlops/churn"]
    assert run.phase is Phase.SUCCEEDED
    assert run.number == merge_request.iid
    assert (status.state, status.ref) == ("success", "better")
    assert status.target_url is not None
    assert run.id in status.target_url
    assert "accuracy" in note
    assert sha[:7] in note
    assert place.ended_statuses(main, running)["mlops/churn"].state == "success"


def test_a_gate_that_is_missed_fails_the_status(place: GitLabPlace, running: Running) -> None:
    running.ended(place.push("main", "Start"))
    merge_request, sha = place.propose("worse", "Try 0.9", **place.project_file("0.9"))

    running.ended(sha)
    assert place.ended_statuses(sha, running)["mlops/churn"].state == "failed"
    assert "accuracy" in place.living_note(merge_request, "accuracy", running)


def test_one_pushed_head_costs_at_most_four_calls(
    place: GitLabPlace, running: Running, proposed: tuple[MergeRequest, str]
) -> None:
    merge_request, _ = proposed
    place.town.world.settled()
    place.town.fake.requests.clear()

    sha = place.push("better", "Try 0.45", **{"churn/train.py": f"{TRAIN}\n# again\n"})
    run = running.ended(sha)
    place.living_note(merge_request, run.id, running)
    place.ended_statuses(sha, running)

    spent = dict(place.town.fake.requests)
    assert sum(spent.values()) <= 4, spent


def test_a_train_comment_is_acknowledged_carried_out_and_answered(
    place: GitLabPlace, running: Running, proposed: tuple[MergeRequest, str]
) -> None:
    merge_request, sha = proposed
    place.town.fake.requests.clear()

    answer, _ = place.say(merge_request, place.town.ada, "/train threshold=0.45", running)
    comment = next(note for note in merge_request.notes if note.body.startswith("/train"))
    run = running.ended(sha, count=2)
    place.living_note(merge_request, run.id, running)

    spent = dict(place.town.fake.requests)
    of_the_run = {name: count for name, count in spent.items() if "statuses" in name or name.startswith("PUT")}
    assert sum(spent.values()) - sum(of_the_run.values()) <= 6, "to answer"
    assert sum(of_the_run.values()) <= 4, "to report"
    assert run.params == {"threshold": 0.45}
    assert run.id in answer
    assert sha[:10] in answer
    assert [(award.user.username, award.name) for award in comment.awards] == [(place.town.bot.username, "thumbsup")]


def test_a_command_by_somebody_without_write_permission_is_refused(
    place: GitLabPlace, running: Running, proposed: tuple[MergeRequest, str]
) -> None:
    merge_request, sha = proposed

    answer, reactions = place.say(merge_request, place.town.rob, "/train", running)

    assert "write permission" in answer
    assert reactions == ["thumbsdown"]
    assert len(running.runs(sha)) == 1


def test_of_a_fork_nothing_is_run_before_somebody_with_write_permission_allows_it(
    place: GitLabPlace, running: Running, tmp_path: Path
) -> None:
    world, town = place.town.world, place.town
    running.ended(place.push("main", "Start"))
    fork = world.fork(place.project, f"eve/models-{place.project.id}", town.eve)
    theirs = Worktree(tmp_path / "eve", fork.bare)
    theirs.branch("theirs", "origin/main")
    sha = theirs.commit("Change it", **{"churn/train.py": f"{TRAIN}\n# by a stranger\n"})
    theirs.push("theirs")
    world.pushed(fork, town.eve)
    merge_request = world.open_merge_request(place.project, "theirs", town.eve, source=fork)

    running.wait_for("the change", lambda: running.service.bot.store.change(place.key, merge_request.iid))
    answer, _ = place.say(merge_request, town.eve, "/train", running)

    assert "write permission" in answer
    refused, reactions = place.say(merge_request, town.ada, "/train", running)
    assert "nobody has allowed it yet" in refused
    assert reactions == ["thumbsdown"]
    assert running.runs(sha) == []

    world.ahead += timedelta(seconds=2)  # it is written clearly later than the head was seen
    allowed, _ = place.say(merge_request, town.ada, "/ok-to-test", running)

    run = running.ended(sha)
    assert f"`{sha[:10]}` may run, without secrets" in allowed
    assert run.requested_by == "ada"
    assert run.phase is Phase.SUCCEEDED
    assert run.id in place.living_note(merge_request, run.id, running)


def test_an_invalid_file_is_told_at_its_line_and_the_words_go_when_it_is_fixed(
    place: GitLabPlace, running: Running
) -> None:
    running.ended(place.push("main", "Start"))
    good = place.project_file("0.5")
    merge_request, bad = place.propose(
        "better", "Typo", **{"mlops.yaml": good["mlops.yaml"].replace("gates:", "gate:")}
    )

    note = place.living_note(merge_request, "has 1 error", running)
    assert "line 11" in note
    assert place.ended_statuses(bad, running, "mlops")["mlops"].state == "failed"
    assert running.runs(bad) == []

    sha = place.push("better", "Fix", **good)
    run = running.ended(sha)
    assert "error" not in place.living_note(merge_request, run.id, running)
    assert place.ended_statuses(sha, running)["mlops/churn"].state == "success"


def test_a_failing_training_is_told_with_its_last_words(place: GitLabPlace, running: Running) -> None:
    running.ended(place.push("main", "Start"))
    code = f"{TRAIN}\nraise ValueError('the well is dry')\n"
    merge_request, sha = place.propose("broken", "Break it", **{"churn/train.py": code})

    assert running.ended(sha).phase is Phase.FAILED
    assert "the well is dry" in place.living_note(merge_request, "the well is dry", running)
    status = place.ended_statuses(sha, running)["mlops/churn"]
    assert status.state == "failed"
    assert len(status.description or "") <= 255


def test_of_two_heads_in_a_row_the_newer_one_is_shown(place: GitLabPlace, running: Running) -> None:
    running.ended(place.push("main", "Start"))
    slow = f"import time\ntime.sleep(600)\n{TRAIN}"
    merge_request, first = place.propose("better", "Train for ten minutes", **{"churn/train.py": slow})
    running.wait_for("the start", lambda: any(run.phase is Phase.RUNNING for run in running.runs(first)))

    second = place.push("better", "Train quickly", **{"churn/train.py": f"{TRAIN}\n# quick\n"})

    run = running.ended(second)
    assert run.phase is Phase.SUCCEEDED
    assert running.ended(first).phase is Phase.SUPERSEDED
    place.living_note(merge_request, run.id, running)
    assert place.ended_statuses(second, running)["mlops/churn"].state == "success"
    assert place.ended_statuses(first, running)["mlops/churn"].state == "canceled"


def test_a_note_whose_answer_was_lost_is_made_once(place: GitLabPlace, running: Running) -> None:
    running.ended(place.push("main", "Start"))
    place.town.fake.fail("POST .*/notes$", status=502, is_done=True)
    merge_request, sha = place.propose("better", "Try 0.5", **place.project_file("0.5"))

    run = running.ended(sha)
    place.living_note(merge_request, run.id, running)
    assert len(place.notes(merge_request, "mlops-bot:change")) == 1


def test_every_hook_was_answered_with_success(place: GitLabPlace, running: Running) -> None:
    running.ended(place.push("main", "Start"))
    place.town.world.settled()

    assert {sent.answer for sent in place.town.world.sent} == {202}


def test_what_happened_while_the_service_was_down_is_caught_up_with(tmp_path: Path) -> None:
    town = GitLabTown(tmp_path / "town", projects=1)
    place = make_place(town, tmp_path / "ada")
    with town.service(tmp_path / "home") as service:
        running = place.running(service)
        running.ended(place.push("main", "Start"))
        merge_request, sha = place.propose("better", "Try 0.5", **place.project_file("0.5"))
        place.living_note(merge_request, running.ended(sha).id, running)

    head = place.push("better", "Try 0.45", **place.project_file("0.45"))
    comment = town.world.write(merge_request, town.ada, "/status")
    other, other_head = place.propose("other", "Another", **{"churn/train.py": f"{TRAIN}\n# other\n"})
    town.world.settled()

    with town.service(tmp_path / "home") as service:
        running = place.running(service)
        with service.bot.store.transaction() as tx:  # as happens every few minutes
            tx.wake(Kind.REPOSITORY, place.key, now=service.bot.world.clock())
        run = running.ended(head)
        place.living_note(merge_request, run.id, running)
        place.living_note(other, running.ended(other_head).id, running)
        marker = f"mlops-bot:reply:gitlab-{comment.id} "
        running.wait_for("the answer", lambda: place.notes(merge_request, marker) or None)
    assert len(place.notes(merge_request, "mlops-bot:change")) == 1
    town.close()
