"""What every engine promises (`bot/ports/engine.py`). A new engine adds a kit to KITS and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from bot.domain.run import EngineState
from bot.ports.engine import Engine
from tests.engines.kit import FAIL, WAIT, SmallRun, compile_packages, end_of, local_engine, small_run, states, until
from tests.engines.kubeflow_kit import Cluster


@dataclass(frozen=True)
class Kit:
    """`again` gives a second engine on the same runs, as a restarted service has. Runs are of the small pipeline."""

    engine: Engine
    again: Callable[[], Engine]
    run: Callable[..., SmallRun]


@pytest.fixture(scope="module")
def local_kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    packages = compile_packages(tmp_path_factory.mktemp("packages"))
    home = tmp_path_factory.mktemp("home")
    artifacts = tmp_path_factory.mktemp("artifacts")
    made: list[Engine] = []

    def make() -> Engine:
        made.append(local_engine(home, packages))
        return made[-1]

    yield Kit(make(), make, lambda **settings: small_run(artifacts, **settings))
    for engine in made:
        engine.close()


@pytest.fixture(scope="module")
def kubeflow_kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    packages = compile_packages(tmp_path_factory.mktemp("packages"))
    artifacts = tmp_path_factory.mktemp("artifacts")
    with Cluster.executing(tmp_path_factory.mktemp("cluster")) as cluster:
        yield Kit(
            cluster.engine(packages),
            lambda: cluster.engine(packages),
            lambda **settings: small_run(artifacts, **settings),
        )


KITS = ["local_kit", "kubeflow_kit"]


@pytest.fixture(params=KITS)
def kit(request: pytest.FixtureRequest) -> Kit:
    return request.getfixturevalue(request.param)


def test_a_run_goes_through_its_steps_in_order_and_succeeds(kit: Kit):
    run = kit.run()

    kit.engine.submit(run.submission)
    ended = end_of(kit.engine, run.id)

    assert (ended.state, ended.reason) == (EngineState.SUCCEEDED, "")
    assert run.begun == ["fetch", "train", "evaluate"]
    assert [step.name for step in ended.steps] == ["fetch", "train", "evaluate", "report"]
    times = [time for step in ended.steps[:3] for time in (step.started_at, step.ended_at)]
    assert times == sorted(times)


def test_a_running_run_tells_which_step_it_is_at(kit: Kit):
    run = kit.run(train=WAIT)
    kit.engine.submit(run.submission)
    run.wait_until_step_begins("train")

    seen = kit.engine.observe([run.id])[run.id]

    assert seen.state is EngineState.RUNNING
    assert states(seen) == {"fetch": "succeeded", "train": "running", "evaluate": "pending", "report": "pending"}
    run.let_go()
    end_of(kit.engine, run.id)


def test_a_run_whose_step_fails_is_failed_and_its_report_still_runs(kit: Kit):
    run = kit.run(train=FAIL)

    kit.engine.submit(run.submission)
    ended = end_of(kit.engine, run.id)

    assert ended.state is EngineState.FAILED
    assert states(ended) == {"fetch": "succeeded", "train": "failed", "evaluate": "skipped", "report": "skipped"}
    assert run.begun == ["fetch", "train"]
    assert run.result == {"status": "FAILED", "stop": None}


def test_a_run_that_was_never_submitted_is_unknown(kit: Kit):
    assert kit.engine.observe(["run-0123456789abcdef"])["run-0123456789abcdef"].state is EngineState.UNKNOWN


def test_many_runs_are_observed_in_one_go(kit: Kit):
    good, bad = kit.run(), kit.run(train=FAIL)
    for run in (good, bad):
        kit.engine.submit(run.submission)
    for run in (good, bad):
        end_of(kit.engine, run.id)

    seen = kit.engine.observe([good.id, bad.id, "run-ffffffffffffffff"])

    assert {run_id: run.state for run_id, run in seen.items()} == {
        good.id: EngineState.SUCCEEDED,
        bad.id: EngineState.FAILED,
        "run-ffffffffffffffff": EngineState.UNKNOWN,
    }


def test_a_run_that_is_submitted_again_runs_once(kit: Kit):
    run = kit.run(train=WAIT)

    kit.engine.submit(run.submission)
    kit.engine.submit(run.submission)
    run.wait_until_step_begins("train")
    kit.engine.submit(run.submission)
    run.let_go()
    end_of(kit.engine, run.id)
    kit.engine.submit(run.submission)

    assert kit.engine.observe([run.id])[run.id].state is EngineState.SUCCEEDED
    assert run.begun == ["fetch", "train", "evaluate"]


def test_a_canceled_run_ends_and_its_report_still_runs(kit: Kit):
    run = kit.run(train=WAIT)
    kit.engine.submit(run.submission)
    run.wait_until_step_begins("train")

    kit.engine.cancel(run.id)
    ended = end_of(kit.engine, run.id)

    assert ended.state is EngineState.CANCELED
    assert run.begun == ["fetch", "train"]
    assert run.result["status"] == "FAILED"


def test_canceling_again_or_too_late_or_what_nobody_knows_does_no_harm(kit: Kit):
    run = kit.run()
    kit.engine.submit(run.submission)
    ended = end_of(kit.engine, run.id)

    kit.engine.cancel(run.id)
    kit.engine.cancel(run.id)
    kit.engine.cancel("run-0123456789abcdef")

    assert kit.engine.observe([run.id])[run.id] == ended
    assert kit.engine.observe(["run-0123456789abcdef"])["run-0123456789abcdef"].state is EngineState.UNKNOWN


def test_secrets_reach_the_steps_and_the_callback_token_keeps_its_name(kit: Kit):
    names = "('MLOPS_BOT_CALLBACK_TOKEN', 'MLOPS_BOT_SECRET_WANDB_API_KEY', 'WANDB_API_KEY')"
    run = kit.run(
        train=f"(folder / 'seen').write_text(repr([os.environ.get(name) for name in {names}]))",
        secrets_={"MLOPS_BOT_CALLBACK_TOKEN": "token-1", "WANDB_API_KEY": "key-2"},
    )

    kit.engine.submit(run.submission)
    end_of(kit.engine, run.id)

    assert (run.prefix / "seen").read_text() == "['token-1', 'key-2', None]"


def test_a_closed_engine_leaves_its_runs_going_and_the_next_one_finds_them(kit: Kit):
    run = kit.run(train=WAIT)
    first, second = kit.again(), kit.again()
    first.submit(run.submission)
    run.wait_until_step_begins("train")

    first.close()

    assert second.observe([run.id])[run.id].state is EngineState.RUNNING
    run.let_go()
    assert end_of(second, run.id).state is EngineState.SUCCEEDED
    assert run.begun == ["fetch", "train", "evaluate"]


def test_a_healthy_engine_says_nothing(kit: Kit):
    kit.engine.check_health()

    assert kit.engine.name
    assert kit.engine.places is None or kit.engine.places > 0


def test_two_runs_at_once_do_not_see_one_another(kit: Kit):
    look = f"(folder / 'seen').write_text(os.environ['HOME'] + ' ' + os.environ['TMPDIR'])\n{WAIT}"
    runs = [kit.run(train=look), kit.run(train=look)]
    for run in runs:
        kit.engine.submit(run.submission)
    for run in runs:
        until((run.prefix / "seen").exists, "both are in the same step at once")
    for run in runs:
        run.let_go()

    assert [end_of(kit.engine, run.id).state for run in runs] == [EngineState.SUCCEEDED] * 2
    seen = [(run.prefix / "seen").read_text().split() for run in runs]
    assert not set(seen[0]) & set(seen[1])
