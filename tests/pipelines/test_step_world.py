"""A step's world (design, section 4): what training code sees of us, and what it does not."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.pipelines.kit import GOOD_TRAIN, DataRepository, Workshop, command

DUMP = 'import json, os\nprint("WORLD" + json.dumps(dict(os.environ, CWD=os.getcwd())))\n' + GOOD_TRAIN


def world_of(shop: Workshop, step: str = "train") -> dict[str, str]:
    (line,) = (line for line in shop.log(step).splitlines() if line.startswith("WORLD"))
    world: dict[str, str] = json.loads(line.removeprefix("WORLD"))
    return world


def test_a_command_sees_exactly_the_variables_of_the_design(
    shop: Workshop, data: DataRepository, monkeypatch: pytest.MonkeyPatch
):
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "PYTHONPATH",
        "MLOPS_BOT_CALLBACK_TOKEN",
        "UV_INDEX",
        "PIP_X",
    ):
        monkeypatch.setenv(name, "not-for-the-step")
    monkeypatch.setenv("MLOPS_BOT_SECRET_WANDB_API_KEY", "wandb-key-1")
    monkeypatch.setenv("MLOPS_BOT_SECRET_OTHER", "of-another-model")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    shop.write(train=DUMP.replace("json.dumps(", "json.dumps(dict(k=os.environ['WANDB_API_KEY'][::-1]) | ", 1))
    shop.use_data(data, "table.csv")

    shop.run(
        params={"n_estimators": 200, "rate": 0.5, "criterion": "gini", "deep-er": [1]},
        split={"test": 0.25, "seed": 7},
        env={"OMP_NUM_THREADS": "2", "MLOPS_DATA_DIR": "/mine"},
        secrets=["WANDB_API_KEY", "NOT_GRANTED"],
    )

    world = world_of(shop)
    scratch = shop.folder / "work" / "train"
    model = str(shop.folder / "artifacts" / "model")
    kept = {name: os.environ[name] for name in ("LANG", "SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ}
    kept |= {n: os.environ[n] for n in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "TZ", "LC_ALL") if n in os.environ}
    path = world.pop("PATH").split(os.pathsep)
    venv = Path(world.pop("VIRTUAL_ENV"))
    assert path[0] == str(venv / "bin")
    assert path[-1] == str(Path(sys.executable).parent)
    assert world.pop("k") == "wandb-key-1"[::-1]
    assert json.loads(Path(world["MLOPS_PARAMS"]).read_text()) == json.loads(world["SM_HPS"])
    assert world == {
        "LANG": "C.UTF-8",
        **kept,
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "https_proxy": "http://proxy:3128",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "2",
        "WANDB_API_KEY": "***",
        "MLOPS_DATA_DIR": str(scratch / "data"),
        "MLOPS_PARAMS": str(scratch / "params.json"),
        "MLOPS_MODEL_DIR": model,
        "MLOPS_OUTPUT_DIR": str(scratch / "output"),
        "MLOPS_SPLIT_TEST": "0.25",
        "MLOPS_SPLIT_SEED": "7",
        "SM_CHANNEL_TRAINING": str(scratch / "data"),
        "SM_MODEL_DIR": model,
        "SM_OUTPUT_DATA_DIR": str(scratch / "output"),
        "SM_HPS": '{"n_estimators": 200, "rate": 0.5, "criterion": "gini", "deep-er": [1]}',
        "SM_HP_N_ESTIMATORS": "200",
        "SM_HP_RATE": "0.5",
        "SM_HP_CRITERION": "gini",
        "SM_HP_DEEP_ER": "[1]",
        "CWD": str(scratch / "code" / "models" / "churn"),
    }


def test_each_step_starts_in_a_clean_checkout_with_its_git(shop: Workshop):
    look = 'import os, subprocess\nprint("found", sorted(os.listdir(".")))\n'
    dirt = 'open("dirt", "w").write("x")\n' + GOOD_TRAIN
    ask = 'print(subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip())\n'
    shop.write(train=look + dirt, evaluate="import json\n" + look + ask)

    shop.run()

    assert "found ['evaluate.py', 'train.py']" in shop.log("train")
    assert "found ['evaluate.py', 'train.py']" in shop.log("evaluate")
    assert shop.arguments["sha"] in shop.log("evaluate")


def test_executable_files_and_links_of_the_commit_are_kept(shop: Workshop):
    (shop.repository / "models" / "churn").mkdir(parents=True)
    script = shop.repository / "models" / "churn" / "train.sh"
    script.write_text("#!/bin/sh\nexec python linked.py\n")
    script.chmod(0o755)
    (shop.repository / "models" / "churn" / "linked.py").symlink_to("train.py")
    shop.write()

    assert shop.run(train=command("./train.sh")).state == "succeeded"


def test_secrets_are_masked_in_the_log_and_the_result(shop: Workshop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLOPS_BOT_SECRET_KEY", "first-line\nsecond-line")
    monkeypatch.setenv("MLOPS_BOT_CALLBACK_TOKEN", "callback-token")
    shop.write(
        train="import os\nkey = os.environ['KEY']\nprint(key)\n"
        "print('https://me:pa55word@example.com/x', 'ghp_' + 'x' * 36)\nraise ValueError(key)\n"
    )

    result = shop.run(secrets=["KEY"])

    everything = "".join(file.read_text() for file in shop.prefix.rglob("*") if file.is_file())
    for secret in ("first-line", "second-line", "callback-token", "pa55word"):
        assert secret not in everything
    assert result.failure is not None
    assert result.failure.message == "ValueError: ***"
    assert "https://***@example.com/x ***" in result.steps[1].log_tail
