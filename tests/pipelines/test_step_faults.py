"""The issue's table of faults: each gets its own clear words."""

from __future__ import annotations

import signal

import pytest

from bot.domain.result import Failure, FailureKind, Frame, Metric
from tests.pipelines.kit import DataRepository, Workshop, command, failure_of, git

WRITE_METRICS = 'import os; open(os.environ["MLOPS_OUTPUT_DIR"] + "/metrics.json", "w").write({content!r})\n'


def test_a_good_run_leaves_metrics_a_model_and_its_steps(shop: Workshop, data: DataRepository):
    shop.write()
    shop.use_data(data, "table.csv")

    result = shop.run(params={"n_estimators": 200, "rate": 1.0})

    assert (result.state, result.failure) == ("succeeded", None)
    assert result.metrics == {"accuracy": Metric(0.97), "f1": Metric(0.9, 0.01)}
    assert dict(result.params) == {"n_estimators": 200, "rate": 1.0}
    assert (result.run_key, result.pipeline_version, result.sha) == ("key-1", "v1", shop.arguments["sha"])
    assert [(step.name, step.state, step.exit_code) for step in result.steps] == [
        ("fetch", "succeeded", None),
        ("train", "succeeded", 0),
        ("evaluate", "succeeded", 0),
        ("report", "succeeded", None),
    ]
    assert result.model_size_bytes == len("weights")
    assert (shop.prefix / "model" / "model.txt").read_text() == "weights"
    train = result.steps[1]
    assert (train.peak_memory_bytes or 0) > 1_000_000
    assert (train.cpu_s or 0) > 0
    assert train.log_tail[-1] == "$ python train.py"


def test_training_that_raises_is_shown_with_the_frames_of_the_models_own_files(shop: Workshop):
    shop.write(
        {"libs/shared.py": "import json\n\ndef load():\n    return json.loads('nonsense')\n"},
        train="import sys\nsys.path.append('../../libs')\nimport shared\n\ndef main():\n    shared.load()\n\nmain()\n",
    )

    result = shop.run()

    assert result.state == "failed"
    assert result.failure == Failure(
        step="train",
        kind=FailureKind.EXCEPTION,
        message="json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        frames=(
            Frame("models/churn/train.py", 8, "<module>"),
            Frame("models/churn/train.py", 6, "main"),
            Frame("libs/shared.py", 4, "load"),
        ),
    )
    assert [(step.name, step.state) for step in result.steps] == [
        ("fetch", "succeeded"),
        ("train", "failed"),
        ("evaluate", "skipped"),
        ("report", "succeeded"),
    ]
    assert result.steps[1].exit_code == 1


def test_a_syntax_error_has_its_place(shop: Workshop):
    shop.write(train="x = 1\ny = (\n")

    failure = failure_of(shop.run())

    assert failure.message == "SyntaxError: '(' was never closed"
    assert failure.frames == (Frame("models/churn/train.py", 2),)


def test_an_exit_code_is_told(shop: Workshop):
    shop.write(train="import sys; print('bad day'); sys.exit(7)\n")

    result = shop.run()

    assert result.failure == Failure(
        "train",
        FailureKind.EXIT,
        "`python train.py` ended with exit code 7.",
        "Its log says more, as a rule at the end.",
    )
    assert result.steps[1].log_tail[-2:] == ("bad day", "`python train.py` ended with exit code 7.")


def test_a_crash_of_native_code_is_told_as_its_signal(shop: Workshop):
    shop.write(train="import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n")

    result = shop.run()

    assert result.failure == Failure(
        "train",
        FailureKind.SIGNAL,
        "`python train.py` was ended by SIGSEGV.",
        "Native code crashed: check that the packages in the requirements fit together.",
    )
    assert result.steps[1].exit_code == -signal.SIGSEGV


def test_training_that_exceeds_its_memory_is_ended_with_both_numbers(shop: Workshop):
    shop.write(train="held = bytearray(300 * 1024**2)\nimport time\ntime.sleep(60)\n")

    result = shop.run(train=command("python train.py", memory_bytes=100 * 1024**2))

    failure = failure_of(result)
    assert failure.kind is FailureKind.MEMORY
    assert failure.message.startswith("`python train.py` was ended because it used ")
    assert failure.message.endswith(" MiB of memory; its limit is 100.0 MiB.")
    assert failure.fix == "Raise `resources.memory` in mlops.yaml, or let the code hold less at once."
    assert result.steps[1].peak_memory_bytes > 100 * 1024**2


def test_training_that_exceeds_its_timeout_is_ended(shop: Workshop):
    shop.write(train="import time; print('at work', flush=True); time.sleep(60)\n")

    result = shop.run(train=command("python train.py", timeout_s=1))

    assert result.failure == Failure(
        "train",
        FailureKind.TIMEOUT,
        "`python train.py` was ended because it took longer than its timeout of 1 s.",
        "Raise `train.timeout` in mlops.yaml, or make the work smaller.",
    )
    assert "at work" in result.steps[1].log_tail


def test_evaluation_without_metrics_is_a_failure(shop: Workshop):
    shop.write(evaluate="print('done')\n")

    failure = failure_of(shop.run())

    assert failure == Failure(
        "evaluate",
        FailureKind.NO_METRICS,
        "Evaluation ended well, but wrote no metrics.json.",
        "Write metrics.json into the folder that the variable MLOPS_OUTPUT_DIR names.",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"accuracy": NaN}', "The metric `accuracy` in metrics.json is NaN (not a number)."),
        ("accuracy: 0.9", "metrics.json is not JSON: Expecting value: line 1 column 1 (char 0)."),
    ],
)
def test_bad_metrics_get_words_of_their_own(shop: Workshop, content: str, message: str):
    shop.write(evaluate=WRITE_METRICS.format(content=content))

    failure = failure_of(shop.run())

    assert (failure.step, failure.kind, failure.message) == ("evaluate", FailureKind.BAD_METRICS, message)


def test_where_nothing_is_declared_for_evaluate_the_metrics_of_training_count(shop: Workshop):
    shop.write(
        train=WRITE_METRICS.format(content='{"mae": 3}')
        + 'open(os.environ["MLOPS_MODEL_DIR"] + "/m", "w").write("m")\n'
    )

    result = shop.run(evaluate={})

    assert (result.state, dict(result.metrics)) == ("succeeded", {"mae": Metric(3.0)})
    assert [(step.name, step.state) for step in result.steps][2] == ("evaluate", "skipped")
    assert shop.log("evaluate") == "Nothing is declared for `evaluate`; the metrics of training count.\n"


def test_training_that_leaves_no_model_fails(shop: Workshop):
    shop.write(train="pass\n")

    failure = failure_of(shop.run())

    assert failure == Failure(
        "train",
        FailureKind.NO_MODEL,
        "The command ended well, but left no model.",
        "Write the model into the folder that the variable MLOPS_MODEL_DIR names.",
    )


def test_a_command_that_does_not_exist_is_named(shop: Workshop):
    shop.write()

    failure = failure_of(shop.run(train=command("pyhton train.py")))

    assert failure == Failure(
        "train",
        FailureKind.COMMAND,
        "`pyhton train.py` could not be started: there is no `pyhton` here.",
        "Check the spelling; a package's command must come with the model's requirements.",
    )


def test_a_script_that_is_not_executable_is_named(shop: Workshop):
    shop.write({"models/churn/train.sh": "#!/bin/sh\n"})

    failure = failure_of(shop.run(train=command("./train.sh")))

    assert failure.kind is FailureKind.COMMAND
    assert failure.message == "`./train.sh` could not be started: `./train.sh` is not executable."


def test_a_commit_that_is_gone_fails_at_fetch_and_leaves_a_result(shop: Workshop):
    shop.write()

    result = shop.run(sha="0" * 40)

    assert result.failure == Failure(
        "fetch",
        FailureKind.CODE,
        f"The commit 000000000000 is not in {shop.repository} any more.",
        "It may have been removed by a force push; push again.",
    )
    assert [step.state for step in result.steps] == ["failed", "skipped", "skipped", "succeeded"]


def test_a_repository_that_can_not_be_reached_is_named_with_gits_words(shop: Workshop):
    shop.write()

    failure = failure_of(shop.run(clone_address=f"{shop.folder}/nowhere.git"))

    assert failure.kind is FailureKind.CODE
    assert failure.message.startswith(f"The code could not be fetched from {shop.folder}/nowhere.git: fatal: ")
    assert "does not appear to be a git repository" in failure.message


@pytest.mark.parametrize("address", ["--upload-pack=touch /tmp/owned", "ext::sh -c true", "http://127.0.0.1:1/x.git"])
def test_an_address_is_data_and_never_an_option_or_a_command(shop: Workshop, address: str):
    shop.write()

    failure = failure_of(shop.run(clone_address=address))

    assert failure.kind is FailureKind.CODE


@pytest.mark.parametrize("path", ["../..", "/", "leads-out", ".git"])
def test_a_model_path_that_leaves_the_checkout_is_refused(shop: Workshop, path: str):
    shop.write()
    (shop.repository / "leads-out").symlink_to("/tmp")
    shop.write()

    failure = failure_of(shop.run(model_path=path))

    assert (failure.kind, failure.message) == (
        FailureKind.CODE,
        f"The model's path `{path}` leads out of the repository.",
    )


def test_hooks_of_a_repository_are_not_run(shop: Workshop):
    shop.write()
    hook = shop.repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {shop.folder}/hook-ran\n")
    hook.chmod(0o755)
    git(shop.repository, "config", "core.hooksPath", str(hook.parent))

    assert shop.run().state == "succeeded"
    assert not (shop.folder / "hook-ran").exists()
