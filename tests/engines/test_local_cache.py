"""What runs share on this machine is removed by last use, and never under somebody who uses it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.engines.local_cache import clear_data, clear_environments
from pipelines.steps.data_cache import DataCache

NOW = datetime.now(UTC)
MONTH_AGO = NOW - timedelta(days=30)


def entry(cache: Path, key: str, *, used_days_ago: float) -> Path:
    def fill(folder: Path) -> dict[str, object]:
        (folder / "table.csv").write_bytes(b"x" * 1000)
        return {}

    DataCache(cache).build(key, fill)
    return _used(cache / "data" / key, used_days_ago)


def environment(cache: Path, name: str, *, used_days_ago: float) -> Path:
    folder = cache / "environments" / name
    (folder / "bin").mkdir(parents=True)
    (folder / ".complete").touch()
    (folder / ".last-used").touch()
    return _used(folder, used_days_ago)


def _used(folder: Path, days_ago: float) -> Path:
    then = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(folder / ".last-used", (then, then))
    return folder


def test_data_that_no_run_has_used_for_long_goes_and_can_be_built_again(tmp_path: Path) -> None:
    old, new = entry(tmp_path, "old", used_days_ago=31), entry(tmp_path, "new", used_days_ago=29)
    DataCache(tmp_path).remember_key("address", "sha", "path", "old")

    looked = clear_data(tmp_path, MONTH_AGO, True)
    assert old.exists()
    done = clear_data(tmp_path, MONTH_AGO, False)

    assert looked == done
    assert (done[0], done[1] > 1000) == (1, True)
    assert (old.exists(), new.exists()) == (False, True)
    assert DataCache(tmp_path).remembered_key("address", "sha", "path") is None
    assert entry(tmp_path, "old", used_days_ago=0).exists()


def test_a_use_of_data_is_remembered(tmp_path: Path) -> None:
    entry(tmp_path, "old", used_days_ago=31)

    assert DataCache(tmp_path).entry("old") is not None

    assert clear_data(tmp_path, MONTH_AGO, False) == (0, 0)


def test_what_is_being_built_is_left_to_whoever_builds_it(tmp_path: Path) -> None:
    folder = environment(tmp_path, "e1", used_days_ago=31)
    with folder.with_name("e1.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert clear_environments(tmp_path, MONTH_AGO, False) == (0, 0)

    assert clear_environments(tmp_path, MONTH_AGO, False)[0] == 1
    assert not folder.exists()


def test_an_environment_in_which_a_model_server_runs_stays_however_long_ago_it_was_started(tmp_path: Path) -> None:
    folder, unused = (environment(tmp_path, name, used_days_ago=300) for name in ("serving", "unused"))
    process = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={**os.environ, "VIRTUAL_ENV": str(folder)}
    )
    try:
        count, _ = clear_environments(tmp_path, MONTH_AGO, False)
    finally:
        process.kill()
        process.communicate()

    assert (count, folder.exists(), unused.exists()) == (1, True, False)


@pytest.mark.parametrize("clear", [clear_data, clear_environments])
def test_a_cache_that_does_not_exist_holds_nothing(tmp_path: Path, clear: object) -> None:
    assert callable(clear)
    assert clear(tmp_path / "none", MONTH_AGO, False) == (0, 0)
