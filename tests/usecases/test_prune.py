"""What may be removed, and what never: with real runs, tags, database and artifacts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.result import Failure, FailureKind
from bot.domain.retention import Retention, everything_older_than, parse_age
from bot.domain.run import Run
from bot.domain.version import VersionPhase
from bot.usecases.prune import IN_THE_STORE, Turn, prune, prune_by_policy
from tests.usecases.kit import KEY, Place
from tests.usecases.test_deployments import Deployments

DAY_S = 24 * 3600.0
KEEP = Retention(runs=timedelta(days=90), failed=timedelta(days=14))


def test_files_of_old_runs_go_and_those_of_the_incumbent_stay(place: Place) -> None:
    old = place.run(place.start())
    place.end(old)
    newer = _trained(place)

    place.later(91 * DAY_S)
    said = _prune(place, dry=True)
    done = _prune(place)

    assert [(line.what, line.count) for line in said.lines] == [(IN_THE_STORE, 1)]
    assert said.lines == done.lines
    assert done.lines[0].size_bytes > 0
    assert _left(place) == {newer.id}
    assert place.store.run(old.id) is not None  # what it gave is still told
    (entry,) = [entry for entry in place.store.ledger(limit=20) if entry.action == "pruned"]
    assert (entry.actor, entry.repository, entry.subject) == ("ada", KEY, "files of 1 run")


def test_looking_removes_nothing_and_says_nothing_in_the_ledger(place: Place) -> None:
    old = place.run(place.start())
    place.end(old)
    newer = _trained(place)
    place.later(91 * DAY_S)

    _prune(place, dry=True)

    assert _left(place) == {old.id, newer.id}
    assert not [entry for entry in place.store.ledger(limit=20) if entry.action == "pruned"]


def test_a_run_that_failed_is_kept_for_as_long_as_failed_ones_are(place: Place) -> None:
    failed = place.run(place.start())
    place.end(failed, failure=Failure("train", FailureKind.EXIT, "It ended with code 1."))
    good = _trained(place)

    place.later(13 * DAY_S)
    assert _prune(place).lines[0].count == 0
    place.later(2 * DAY_S)
    assert _prune(place).lines[0].count == 1
    assert _left(place) == {good.id}


def test_a_run_is_as_young_as_the_newest_that_shows_its_files_or_was_compared_with_it(place: Place) -> None:
    first = place.run(place.start())
    place.end(first)
    compared_with = _trained(place)
    place.later(91 * DAY_S)
    place.commit(churn__train_py="print('churn')")  # as it was
    place.look()
    showing = place.runs()[-1]
    assert (showing.reused_run, showing.base_run) == (first.id, compared_with.id)
    incumbent = _trained(place)

    assert _prune(place).lines[0].count == 0
    place.later(91 * DAY_S)
    assert _prune(place).lines[0].count == 2
    assert _left(place) == {incumbent.id}


def test_a_run_that_goes_on_is_never_touched(place: Place) -> None:
    run = place.run(place.start())
    place.write_result(run)
    place.later(400 * DAY_S)

    assert _prune(place).lines[0].count == 0
    assert _left(place) == {run.id}


def test_a_pruned_run_is_not_reused_and_an_equal_one_runs_again(place: Place) -> None:
    first = place.run(place.start())
    place.end(first)
    _trained(place)
    place.later(91 * DAY_S)
    _prune(place)

    place.commit(churn__train_py="print('churn')")
    place.look()

    assert place.runs()[-1].reused_run is None


def test_versions_keep_their_files_by_the_index_and_by_the_tags(place: Place) -> None:
    deployed = Deployments(place)
    version = deployed.deploy()
    for _ in range(2):
        _trained(place)
    place.later(400 * DAY_S)

    _prune(place)

    by_version = {one.lock.run_id for one in place.store.versions()}
    assert version.run_id in by_version
    assert by_version <= _left(place)

    with place.store.transaction() as tx:  # as after a database was lost: the tags alone say it
        for one in place.store.versions():
            tx.save_version(replace(one, phase=VersionPhase.MISSING))
    _prune(place)
    assert by_version <= _left(place)


def test_a_repository_whose_tags_can_not_be_read_keeps_everything(place: Place) -> None:
    old = place.run(place.start())
    place.end(old)
    newer = _trained(place)
    place.later(91 * DAY_S)
    shutil.rmtree(place.repository.clone_address)

    turn = _prune(place)

    assert list(turn.stopped) == [KEY]
    assert turn.stopped[KEY]
    assert _left(place) == {old.id, newer.id}


def test_what_waits_for_an_approval_keeps_its_run(place: Place) -> None:
    deployed = Deployments(place)
    deployed.say("/deploy production")
    waiting = deployed.newest("production")
    assert waiting.run_id

    turn = prune(place.world, everything_older_than(timedelta(0)), by="ada", dry=False)

    assert waiting.run_id in _left(place)
    assert turn.stopped == {}


def test_what_the_database_does_not_know_is_left_alone(place: Place) -> None:
    place.start()
    place.artifacts.write("run-of-another-bot", "model/model.bin", b"1")
    place.later(400 * DAY_S)

    turn = _prune(place)

    assert turn.unknown == 1
    assert "run-of-another-bot" in _left(place)


def test_a_turn_is_bounded_and_says_where_the_next_goes_on(place: Place) -> None:
    place.end(place.run(place.start()))
    for _ in range(4):
        _trained(place)
    place.later(91 * DAY_S)

    counts, after = [], ""
    for _ in range(9):
        turn = prune(place.world, KEEP, by="ada", dry=True, after=after, limit=2)
        counts.append(turn.lines[0].count)
        after = turn.after
        if not after:
            break

    assert sum(counts) == 4
    assert max(counts) == 2


def test_the_service_prunes_by_itself_only_when_its_policy_says_so(place: Place) -> None:
    old = place.run(place.start())
    place.end(old)
    newer = _trained(place)
    place.later(91 * DAY_S)

    assert prune_by_policy(place.world) is None
    assert _left(place) == {old.id, newer.id}
    asked: list[tuple[datetime, bool]] = []

    def clear(before: datetime, dry: bool) -> tuple[int, int]:
        asked.append((before, dry))
        return 2, 300

    keep = Retention(runs=timedelta(days=90), cache=timedelta(days=30))
    turn = prune_by_policy(replace(place.world, retention=lambda: keep, leftovers={"data": clear}))
    assert turn is not None
    assert [(line.what, line.count) for line in turn.lines] == [(IN_THE_STORE, 1), ("data", 2)]
    assert asked == [(place.now - timedelta(days=30), False)]
    assert _left(place) == {newer.id}


@pytest.mark.parametrize("text", ["", "90", "0d", "d", "90w", "-1d", "1.5d", "123456d"])
def test_what_is_no_age_is_told_from_one(text: str) -> None:
    assert parse_age(text) is None
    assert (parse_age("90d"), parse_age(" 12h ")) == (timedelta(days=90), timedelta(hours=12))


def _prune(place: Place, *, dry: bool = False) -> Turn:
    return prune(place.world, KEEP, by="ada", dry=dry)


def _trained(place: Place) -> Run:
    """One more commit on the default branch, and its run."""
    place.now += timedelta(seconds=60)
    sha = place.commit(churn__train_py=f"print('{len(place.runs())}')")
    place.look()
    place.end(place.run(sha))
    return place.run(sha)


def _left(place: Place) -> set[str]:
    return set(place.artifacts.run_ids())
