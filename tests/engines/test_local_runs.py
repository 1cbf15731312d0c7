"""A run of the local engine: its world, its log, its time limit, and how it is ended."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from bot.domain.errors import UserError
from bot.domain.run import EngineState
from bot.engines.local import LocalEngine
from bot.engines.local_folder import RunFolder
from tests.engines.kit import FAIL, WAIT, end_of, intend, local_engine, small_run, states, until


def folder_of(engine: LocalEngine, run_id: str) -> Path:
    return engine._runs / run_id


def test_a_step_inherits_only_what_is_listed(packages: Path, tmp_path: Path, artifacts: Path):
    environ = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_PUBLISH_TOKEN": "secret-1",
        "PIP_FIND_LINKS": "/wheels",
        "MLOPS_BOT_GITHUB_TOKEN": "secret-2",
        "AWS_SECRET_ACCESS_KEY": "secret-3",
        "PYTHONPATH": "/elsewhere",
        "HOME": "/home/service",
    }
    engine = local_engine(tmp_path / "home", packages, environ=environ)
    code = "import json; (folder / 'seen.json').write_text(json.dumps(dict(os.environ)))"
    run = small_run(artifacts, train=code)

    engine.submit(run.submission)
    assert end_of(engine, run.id).state is EngineState.SUCCEEDED
    engine.close()

    seen = json.loads((run.prefix / "seen.json").read_text())
    folder = folder_of(engine, run.id)
    shells_own = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE", "_KFP_RUNTIME"}
    assert {name: value for name, value in seen.items() if name not in shells_own} == {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "PIP_FIND_LINKS": "/wheels",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "MLOPS_BOT_CACHE": str(tmp_path / "home" / "engine" / "cache"),
        "MLOPS_BOT_WORKDIR": str(folder / "work"),
        "MLOPS_BOT_RUN_ID": run.id,
    }


def test_secrets_are_in_no_file_and_no_process_list(engine: LocalEngine, artifacts: Path):
    secret = "correct-horse-battery"
    run = small_run(artifacts, train=f"print(os.environ['MLOPS_BOT_SECRET_KEY'])\n{WAIT}", secrets_={"KEY": secret})
    engine.submit(run.submission)
    run.wait_until_step_begins("train")

    command_lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in command_lines if secret in " ".join(line)]
    run.let_go()
    end_of(engine, run.id)
    until(lambda: not RunFolder.of(engine._runs, run.id).is_alive, "its supervisor has gone")
    everything = [path.read_bytes() for path in folder_of(engine, run.id).rglob("*") if path.is_file()]
    assert everything
    assert not [content for content in everything if secret.encode() in content]
    assert "***" in (folder_of(engine, run.id) / "engine.log").read_text()


def test_what_a_run_leaves_is_readable_by_its_owner_alone(engine: LocalEngine, artifacts: Path):
    run = small_run(artifacts)
    engine.submit(run.submission)
    end_of(engine, run.id)

    folder = folder_of(engine, run.id)
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir() if path.is_file() and path.stat().st_mode & 0o077] == []


def test_the_working_folders_are_gone_when_a_run_has_ended(engine: LocalEngine, artifacts: Path):
    code = "import tempfile; Path(tempfile.mkdtemp(), 'big').write_text('x'); Path.home().joinpath('y').write_text('y')"
    run = small_run(artifacts, train=code)
    engine.submit(run.submission)
    end_of(engine, run.id)

    until(lambda: not [path for path in folder_of(engine, run.id).iterdir() if path.is_dir()])
    left = {path.name for path in folder_of(engine, run.id).iterdir()}
    assert left == {"intent.json", "started.json", "exit.json", "engine.log", "lock"}


def test_canceling_ends_every_process_of_the_step_whatever_session_it_is_in(engine: LocalEngine, artifacts: Path):
    stubborn = "import signal, time, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    code = f"""
import subprocess, sys
one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
two = subprocess.Popen([sys.executable, '-c', {stubborn!r}], start_new_session=True, env={{}}, cwd='/')
daemon = "import os, time\\nif os.fork() == 0:\\n os.setsid()\\n if os.fork() == 0:\\n  time.sleep(600)"
subprocess.run([sys.executable, '-c', daemon], env={{}}, cwd='/')
(folder / 'pids').write_text(f'{{one.pid}} {{two.pid}}')
{WAIT}
"""
    run = small_run(artifacts, train=code)
    engine.submit(run.submission)
    until((run.prefix / "pids").exists)
    before = psutil.Process(engine.runner_pid).children(recursive=True)

    engine.cancel(run.id)
    ended = end_of(engine, run.id)

    assert ended.state is EngineState.CANCELED
    assert states(ended) == {"fetch": "succeeded", "train": "canceled", "evaluate": "skipped", "report": "skipped"}
    assert run.result == {"status": "FAILED", "stop": {"state": "canceled", "kind": "canceled", "reason": ""}}
    assert len(before) >= 6
    _, alive = psutil.wait_procs(before, timeout=30)
    assert alive == []


def test_what_a_step_leaves_in_the_background_does_not_hold_the_run_up_and_ends_with_it(
    engine: LocalEngine, artifacts: Path
):
    leave = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"
    run = small_run(artifacts, train=leave)
    engine.submit(run.submission)

    assert end_of(engine, run.id).state is EngineState.SUCCEEDED
    assert run.left_processes() == []


def test_a_run_that_takes_too_long_is_ended_with_a_reason(packages: Path, tmp_path: Path, artifacts: Path):
    engine = local_engine(tmp_path / "home", packages, slack_s=0.5)
    run = small_run(artifacts, train=WAIT, timeout_s=0.25)

    engine.submit(run.submission)
    ended = end_of(engine, run.id)
    engine.close()

    words = "The run took longer than the 1 s that it may take."
    assert (ended.state, ended.reason) == (EngineState.FAILED, words)
    assert run.result == {"status": "FAILED", "stop": {"state": "failed", "kind": "timeout", "reason": words}}


def test_a_run_that_is_canceled_before_it_starts_never_starts(make_engine: Callable[..., LocalEngine], artifacts: Path):
    engine, run = make_engine(), small_run(artifacts)
    folder = intend(engine, run.submission)

    assert engine.observe([run.id])[run.id].state is EngineState.PENDING
    engine.cancel(run.id)
    engine.submit(run.submission)

    assert engine.observe([run.id])[run.id].state is EngineState.CANCELED
    assert not folder.has_started
    assert run.begun == []


def test_a_change_is_told_when_a_step_moves_and_when_the_run_ends(
    make_engine: Callable[..., LocalEngine], artifacts: Path
):
    told: list[str] = []
    moved = threading.Event()

    def tell(run_id: str) -> None:
        told.append(run_id)
        moved.set()
        raise RuntimeError("a listener's fault does not stop the engine")

    engine, run = make_engine(on_change=tell), small_run(artifacts, train=WAIT)
    engine.submit(run.submission)
    run.wait_until_step_begins("train")
    assert moved.wait(30)
    until(lambda: engine.observe([run.id])[run.id].steps[1].state == "running")
    seen_while_running = len(told)
    run.let_go()
    end_of(engine, run.id)

    until(lambda: len(told) > seen_while_running)
    assert set(told) == {run.id}


@pytest.mark.parametrize("run_id", ["../../etc", "run-123", "run-0123456789abcdeF", "run-0123456789abcdef/x", ""])
def test_an_id_is_never_used_as_a_path_unchecked(engine: LocalEngine, artifacts: Path, run_id: str):
    assert engine.observe([run_id])[run_id].state is EngineState.UNKNOWN
    with pytest.raises(ValueError, match="is not a run's id"):
        engine.submit(replace(small_run(artifacts).submission, run_id=run_id))
    with pytest.raises(ValueError, match="is not a run's id"):
        engine.cancel(run_id)


def test_arguments_that_kfp_can_not_carry_are_refused_in_words(engine: LocalEngine, artifacts: Path):
    run = small_run(artifacts, train="#" * 100_001)

    with pytest.raises(UserError, match=r"take 100,\d{3} bytes; a run can be given 100,000. Move long values"):
        engine.submit(run.submission)
    assert engine.observe([run.id])[run.id].state is EngineState.UNKNOWN


def test_a_pipeline_that_is_not_there_is_our_fault(engine: LocalEngine, artifacts: Path):
    with pytest.raises(ValueError, match="there is no compiled pipeline 'deploy'"):
        engine.submit(small_run(artifacts, pipeline="deploy").submission)


@pytest.mark.parametrize("secrets", [{"A=B": "x"}, {"": "x"}, {"KEY": "a\0b"}])
def test_a_secret_that_can_not_be_a_variable_is_our_fault(
    engine: LocalEngine, artifacts: Path, secrets: dict[str, str]
):
    with pytest.raises(ValueError, match="can not be an environment variable"):
        engine.submit(small_run(artifacts, secrets_=secrets).submission)


def test_a_step_file_that_is_no_step_file_is_pending(engine: LocalEngine, artifacts: Path):
    run = small_run(artifacts, train=WAIT)
    engine.submit(run.submission)
    run.wait_until_step_begins("train")
    steps = run.prefix / "steps"
    (steps / "fetch.json").write_text("[" * 100_000)
    (steps / "evaluate.json").write_text('{"state": "<b>", "started_at": 7, "ended_at": "0001-01-01T00:00:00+23:00"}')
    os.mkfifo(steps / "report.json")

    seen = engine.observe([run.id])[run.id]

    assert states(seen) == {"fetch": "pending", "train": "running", "evaluate": "pending", "report": "pending"}
    run.let_go()
    end_of(engine, run.id)


def test_old_runs_are_pruned_and_running_ones_are_not(packages: Path, tmp_path: Path, artifacts: Path):
    engine = local_engine(tmp_path / "home", packages)
    old, running = small_run(artifacts), small_run(artifacts, train=WAIT)
    for run in (old, running):
        engine.submit(run.submission)
    end_of(engine, old.id)
    until(lambda: not folder_of(engine, old.id).joinpath("tmp").exists())
    running.wait_until_step_begins("train")

    assert engine.prune(timedelta(hours=1)) == 0
    until(lambda: engine.prune(timedelta(0)) == 1, "the supervisor lets go of the folder")

    assert [path.name for path in engine._runs.iterdir()] == [running.id]
    running.let_go()
    assert end_of(engine, running.id).state is EngineState.SUCCEEDED
    engine.close()


def test_a_failed_run_says_in_its_log_and_reason_where_it_failed(engine: LocalEngine, artifacts: Path):
    run = small_run(artifacts, train=FAIL)
    engine.submit(run.submission)

    ended = end_of(engine, run.id)

    assert ended.reason.startswith("Pipeline 'train' finished with status FAILURE. Inner task failed: 'step-2'")
    assert "ValueError: no such column" in (folder_of(engine, run.id) / "engine.log").read_text()


def test_a_signal_from_outside_ends_a_run_as_failed_not_as_canceled(engine: LocalEngine, artifacts: Path):
    run = small_run(artifacts, train=WAIT)
    engine.submit(run.submission)
    run.wait_until_step_begins("train")

    supervisor = json.loads((folder_of(engine, run.id) / "started.json").read_text())["pid"]
    os.kill(supervisor, signal.SIGTERM)
    ended = end_of(engine, run.id)

    assert ended.state is EngineState.FAILED
    assert ended.reason == "The run was stopped from outside by SIGTERM, as at a shutdown."
    assert datetime.now(UTC) >= ended.steps[0].ended_at
