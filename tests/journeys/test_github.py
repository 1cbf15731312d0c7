"""The loop on GitHub: the real service, engine and git, and a GitHub that is a fake at the level of HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.run import Phase
from bot.ports.store import Kind
from bot.service import Service
from tests.contracts.git_workshop import Worktree
from tests.fakes.github.records import Pull, now
from tests.journeys.github_place import GitHubPlace, GitHubTown, make_place
from tests.journeys.workplace import TRAIN, Running


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubTown]:
    made = GitHubTown(tmp_path_factory.mktemp("town"), repositories=20)
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(town: GitHubTown) -> Iterator[Service]:
    with town.service(town.folder / "home") as running:
        yield running


@pytest.fixture
def place(town: GitHubTown, tmp_path: Path) -> GitHubPlace:
    return make_place(town, tmp_path)


@pytest.fixture
def running(place: GitHubPlace, service: Service) -> Running:
    return place.running(service)


@pytest.fixture
def proposed(place: GitHubPlace, running: Running) -> tuple[Pull, str]:
    """A pull request whose head was trained, and told of."""
    main = place.push("main", "Start")
    running.ended(main)
    pull, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))
    place.living_comment(pull, running.ended(sha).id, running)
    for commit in (main, sha):
        place.check(commit, running)
    return pull, sha


def test_a_push_trains_and_a_change_gets_its_check_and_its_comment(place: GitHubPlace, running: Running) -> None:
    main = place.push("main", "Start")
    running.ended(main)
    pull, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))

    run = running.ended(sha)
    comment = place.living_comment(pull, run.id, running)
    check = place.check(sha, running)
    assert (run.phase, run.number) == (Phase.SUCCEEDED, pull.number)
    assert check.fields["conclusion"] == "success"
    assert run.id in check.fields["details_url"]
    assert "accuracy" in check.fields["output"]["summary"]
    assert "accuracy" in comment
    assert sha[:7] in comment
    assert place.check(main, running).fields["conclusion"] == "success"


def test_a_gate_that_is_missed_fails_the_check(place: GitHubPlace, running: Running) -> None:
    running.ended(place.push("main", "Start"))
    pull, sha = place.propose("worse", "Try 0.9", **place.threshold("0.9"))

    run = running.ended(sha)
    place.living_comment(pull, run.id, running)
    assert place.check(sha, running).fields["conclusion"] == "failure"


def test_one_pushed_head_costs_at_most_four_calls(
    place: GitHubPlace, running: Running, proposed: tuple[Pull, str]
) -> None:
    pull, _ = proposed
    before = place.counted()

    sha = place.push("better", "Try again", **{"churn/train.py": f"{TRAIN}\n# again\n"})
    run = running.ended(sha)
    place.living_comment(pull, run.id, running)
    place.check(sha, running)

    spent = place.spent(before)
    assert spent.total() <= 4, spent


def test_a_new_change_costs_at_most_four_calls(place: GitHubPlace, running: Running) -> None:
    main = place.push("main", "Start")
    running.ended(main)
    place.check(main, running)
    before = place.counted()

    pull, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))
    place.living_comment(pull, running.ended(sha).id, running)
    place.check(sha, running)

    spent = place.spent(before)
    assert spent.total() <= 4, spent


def test_a_push_without_a_project_file_costs_nothing(place: GitHubPlace, running: Running) -> None:
    place.work.git("rm", "--quiet", "mlops.yaml")
    before = place.counted()

    sha = place.push("main", "No models here")

    running.wait_for("the push", lambda: running.service.bot.store.heads(place.key).get("main") == sha)
    assert place.spent(before).total() == 0


def test_a_train_comment_is_acknowledged_carried_out_and_answered_within_six_calls(
    place: GitHubPlace, running: Running, proposed: tuple[Pull, str]
) -> None:
    pull, sha = proposed
    before = place.counted()

    answer, note = place.say(pull, "ada", "/train threshold=0.45", running)
    run = running.ended(sha, count=2)
    place.living_comment(pull, run.id, running)
    place.check(sha, running)
    running.wait_for("the reaction", lambda: note.reactions == [("mlops-bot[bot]", "THUMBS_UP")])

    spent = place.spent(before)
    assert sum(count for route, count in spent.items() if route != "POST /graphql") <= 6, spent
    assert spent["POST /graphql"] <= 2, spent
    assert run.params == {"threshold": 0.45}
    assert run.id in answer
    assert sha[:10] in answer


@pytest.mark.parametrize("kind", ["review", "diff"])
def test_commands_count_in_reviews_and_beside_lines(
    place: GitHubPlace, running: Running, proposed: tuple[Pull, str], kind: str
) -> None:
    answer, note = place.say(proposed[0], "ada", "/status", running, kind=kind)

    assert "churn" in answer
    running.wait_for("the reaction", lambda: note.reactions == [("mlops-bot[bot]", "THUMBS_UP")])


def test_a_command_by_somebody_without_write_permission_is_refused(
    place: GitHubPlace, running: Running, proposed: tuple[Pull, str]
) -> None:
    pull, sha = proposed

    answer, note = place.say(pull, "rob", "/train", running)

    assert "write permission" in answer
    assert note.reactions == [("mlops-bot[bot]", "THUMBS_DOWN")]
    assert len(running.runs(sha)) == 1


def test_of_a_fork_nothing_is_run_before_somebody_with_write_permission_allows_it(
    place: GitHubPlace, running: Running, tmp_path: Path
) -> None:
    world = place.town.world
    running.ended(place.push("main", "Start"))
    fork = world.fork(place.repo, "eve")
    theirs = Worktree(tmp_path / "eve", fork.bare)
    theirs.branch("kind", "origin/main")
    sha = theirs.commit("Help", **{"churn/train.py": f"{TRAIN}\n# help\n"})
    theirs.push("kind")
    world.refs_moved(fork, "eve")
    pull = world.open_pull(place.repo, "kind", by="eve", head_repo=fork)

    waiting = place.check(sha, running, "mlops")
    assert "/ok-to-test" in waiting.fields["output"]["summary"]
    answer, _ = place.say(pull, "eve", "/ok-to-test", running)
    assert "write permission" in answer
    assert running.runs(sha) == []

    seen_at = datetime.now(UTC)
    running.wait_for("a later second, which is how GitHub tells times", lambda: now() > seen_at)
    place.say(pull, "ada", "/ok-to-test", running)
    assert running.ended(sha).phase is Phase.SUCCEEDED
    assert place.check(sha, running).fields["conclusion"] == "success"


def test_an_invalid_file_is_told_at_its_line_and_the_words_go_when_it_is_fixed(
    place: GitHubPlace, running: Running
) -> None:
    running.ended(place.push("main", "Start"))
    good = place.threshold("0.5")
    bad_file = good["mlops.yaml"].replace("gates:", "gate:")
    pull, bad = place.propose("better", "Typo", **{"mlops.yaml": bad_file})

    place.living_comment(pull, "has 1 error", running)
    (note,) = place.check(bad, running, "mlops").annotations
    assert (note["path"], note["annotation_level"]) == ("mlops.yaml", "failure")
    assert bad_file.splitlines()[note["start_line"] - 1].strip() == "gate:"
    assert running.runs(bad) == []

    sha = place.push("better", "Fix", **good)
    assert "error" not in place.living_comment(pull, running.ended(sha).id, running)
    assert place.check(sha, running).fields["conclusion"] == "success"


def test_a_failing_training_is_told_beside_its_line(place: GitHubPlace, running: Running) -> None:
    running.ended(place.push("main", "Start"))
    code = f"{TRAIN}\nraise ValueError('the well is dry')\n"
    pull, sha = place.propose("broken", "Break it", **{"churn/train.py": code})

    assert running.ended(sha).phase is Phase.FAILED
    check = place.check(sha, running)
    assert "the well is dry" in place.living_comment(pull, "the well is dry", running)
    assert check.fields["conclusion"] == "failure"
    last = check.annotations[-1]
    assert (last["path"], last["start_line"]) == ("churn/train.py", len(code.splitlines()))
    assert "the well is dry" in last["message"]


def test_github_s_re_run_button_trains_again_for_those_who_may_write(
    place: GitHubPlace, running: Running, proposed: tuple[Pull, str]
) -> None:
    pull, sha = proposed
    check = place.check(sha, running)

    place.town.world.press_rerun(place.repo, check, "rob")
    place.town.world.press_rerun(place.repo, check, "ada")

    run = running.ended(sha, count=2)
    place.living_comment(pull, run.id, running)
    assert run.requested_by == "ada"
    assert len(running.runs(sha)) == 2
    running.wait_for("the check of it", lambda: run.id in place.check(sha, running).fields["details_url"])


def test_a_button_on_a_check_trains_again(place: GitHubPlace, running: Running, proposed: tuple[Pull, str]) -> None:
    pull, sha = proposed
    check = place.check(sha, running)

    assert "retrain" in [action["identifier"] for action in check.fields["actions"]]
    place.town.world.press_action(place.repo, check, "retrain", "ada")

    run = running.ended(sha, count=2)
    place.living_comment(pull, run.id, running)
    assert run.requested_by == "ada"


def test_of_two_heads_in_a_row_the_newer_one_is_shown(place: GitHubPlace, running: Running) -> None:
    running.ended(place.push("main", "Start"))
    slow = f"import time\ntime.sleep(600)\n{TRAIN}"
    pull, first = place.propose("better", "Train for ten minutes", **{"churn/train.py": slow})
    running.wait_for("the start", lambda: any(run.phase is Phase.RUNNING for run in running.runs(first)))

    second = place.push("better", "Train quickly", **{"churn/train.py": f"{TRAIN}\n# quick\n"})

    run = running.ended(second)
    assert run.phase is Phase.SUCCEEDED
    assert running.ended(first).phase is Phase.SUPERSEDED
    place.living_comment(pull, run.id, running)
    assert place.check(second, running).fields["conclusion"] == "success"
    assert place.check(first, running).fields["conclusion"] == "cancelled"


def test_what_was_posted_though_its_answer_was_lost_is_there_once(place: GitHubPlace, running: Running) -> None:
    running.ended(place.push("main", "Start"))
    for route in ("check-runs", r"issues/\d+/comments"):
        place.town.fake.fail(f"POST /repos/{place.repo.full_name}/{route}", status=502, is_done=True)
    pull, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))

    run = running.ended(sha)
    place.living_comment(pull, run.id, running)
    place.check(sha, running)
    assert len([check for check in place.repo.runs if check.head_sha == sha]) == 1
    assert len(place.bots(pull, "mlops-bot:change")) == 1


def test_what_happened_while_the_service_was_down_is_caught_up_with(tmp_path: Path) -> None:
    town = GitHubTown(tmp_path / "town", repositories=1)
    place = make_place(town, tmp_path / "ada")
    with town.service(tmp_path / "home") as service:
        running = place.running(service)
        running.ended(place.push("main", "Start"))
        pull, sha = place.propose("better", "Try 0.5", **place.threshold("0.5"))
        place.living_comment(pull, running.ended(sha).id, running)

    head = place.push("better", "Try 0.45", **{"churn/train.py": f"{TRAIN}\n# more\n"})
    comment = town.world.write(place.repo, pull, "/status", by="ada")
    other, other_head = place.propose("other", "Another", **{"churn/train.py": f"{TRAIN}\n# other\n"})
    town.world.hooks.settle()

    with town.service(tmp_path / "home") as service:
        running = place.running(service)
        with service.bot.store.transaction() as tx:  # as happens every few minutes
            tx.wake(Kind.REPOSITORY, place.key, now=service.bot.world.clock())
        place.living_comment(pull, running.ended(head).id, running)
        place.living_comment(other, running.ended(other_head).id, running)
        marker = f"mlops-bot:reply:github-comment:{comment.id} "
        running.wait_for("the answer", lambda: place.bots(pull, marker) or None)
    assert len(place.bots(pull, "mlops-bot:change")) == 1
    town.close()


def test_every_webhook_was_answered_with_success(place: GitHubPlace, running: Running) -> None:
    running.ended(place.push("main", "Start"))
    place.town.world.hooks.settle()

    answers = {sent.status_code for sent in place.town.world.hooks.deliveries if sent.event != "installation"}
    assert answers == {202}
