"""Secrets with the real service and engine: who gets them, and that nobody gets to read them."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from bot.domain.errors import UserError
from bot.domain.run import Phase, Run
from bot.service import Service
from bot.settings import load_settings
from tests.journeys.test_push import push_change, push_main
from tests.journeys.workplace import TRAIN, Running, Workplace

TOKEN = "wandb-token-that-nobody-may-read"
KEY = "-----first line of a key-----\nsecond line of a key"
CARELESS = """
import base64, json, os, pathlib, sys
print("token:", os.environ["WANDB_API_KEY"])
print(os.environ["DEPLOY_KEY"], file=sys.stderr, flush=True)
print("not given:", os.environ.get("NOT_GRANTED"), flush=True)
"""
TALKATIVE = """
output = pathlib.Path(os.environ["MLOPS_OUTPUT_DIR"])
(output / "metrics.json").write_text(json.dumps({os.environ["WANDB_API_KEY"]: "much"}))
"""
FAILING = "raise RuntimeError('refused: ' + os.environ['WANDB_API_KEY'])\n"
DECLARED = "    secrets: [WANDB_API_KEY, DEPLOY_KEY, NOT_GRANTED]\n"


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy file that grants two secrets: one from a variable of the service, one from a file."""
    monkeypatch.setenv("TOKEN_OF_THE_SERVICE", TOKEN)
    (tmp_path / "key").write_text(f"{KEY}\n")
    file = tmp_path / "policy.yaml"
    file.write_text(
        "version: 1\n"
        "repositories:\n"
        '  - match: ["plain/*"]\n'
        "    secrets:\n"
        "      WANDB_API_KEY: {env: TOKEN_OF_THE_SERVICE}\n"
        f"      DEPLOY_KEY: {{file: {tmp_path / 'key'}}}\n"
    )
    return file


def declare(place: Workplace, train: str) -> None:
    text = (place.worktree / "mlops.yaml").read_text()
    place.write("mlops.yaml", text.replace("    path: churn\n", f"    path: churn\n{DECLARED}"))
    place.write("churn/train.py", train)
    place.commit("Use secrets")


def push_with(place: Workplace, running: Running, path: str, code: str) -> Run:
    place.write(path, CARELESS + code)
    sha = place.commit(f"Tell secrets in {path}")
    place.push("better")
    return running.ended(sha)


def test_invariant_9_a_step_gets_a_granted_secret_and_what_it_prints_of_it_is_masked_everywhere(
    lonely: Workplace, policy: Path, capfd: pytest.CaptureFixture[str]
):
    declare(lonely, CARELESS + TRAIN)
    with lonely.service(MLOPS_BOT_POLICY_FILE=str(policy)) as running:
        lonely.push("main")
        good = running.ended(lonely.git("rev-parse", "HEAD"))
        lonely.git("checkout", "--quiet", "-B", "better")
        failed = push_with(lonely, running, "churn/train.py", FAILING)
        comment = running.comment(1, failed.id)
        lonely.write("churn/train.py", TRAIN)
        talkative = push_with(lonely, running, "churn/evaluate.py", TALKATIVE)
        second_comment = running.comment(1, talkative.id)
        artifacts = running.service.bot.world.artifacts
        left = {
            (run.id, path): (artifacts.read(run.id, path, limit_bytes=1_000_000) or b"").decode()
            for run in (good, failed, talkative)
            for path, _size in artifacts.files(run.id)
        }
        page = httpx.get(
            f"{running.service.settings.local_url}/runs/{failed.id}",
            headers={"Authorization": f"Bearer {running.service.settings.access_token}"},
        ).text

    assert (good.phase, failed.phase) == (Phase.SUCCEEDED, Phase.FAILED)
    assert good.notes == (
        f"`NOT_GRANTED` is not given to this run: the server's policy does not let `{lonely.key}` have it.",
    )
    log = left[good.id, "logs/train.log"].splitlines()
    assert {"token: ***", "not given: None"} <= set(log)
    assert log.count("***") == 2, "the lines of the key"
    assert "RuntimeError: refused: ***" in comment
    assert "The metric `***` in metrics.json is the text" in second_comment
    assert "RuntimeError: refused: ***" in left[failed.id, "result.json"]
    logs_of_the_service = "".join(capfd.readouterr())
    on_disk = b"".join(
        file.read_bytes() for file in lonely.home.rglob("*") if file.is_file() and "cache" not in file.parts
    )
    for secret in (TOKEN, *KEY.splitlines()):
        for shown in (comment, second_comment, page, logs_of_the_service, repr((good, failed, talkative))):
            assert secret not in shown
        assert secret.encode() not in on_disk


def test_a_service_does_not_start_with_a_wrong_policy_file_and_says_all_that_is_wrong(lonely: Workplace, policy: Path):
    policy.write_text("version: 1\nrepositories: [{match: [acme/*], engine: []}]\n")

    with pytest.raises(UserError) as raised:
        Service(load_settings({**lonely.settings_environ(), "MLOPS_BOT_POLICY_FILE": str(policy)}))

    assert "MLOPS_BOT_POLICY_FILE" in raised.value.problem
    assert "`acme/*` does not begin with a forge" in raised.value.problem
    assert "The key `engine` is not known here" in raised.value.problem


def test_a_policy_that_becomes_wrong_keeps_counting_as_it_was_and_fails_readyz_and_the_doctor_until_it_is_mended(
    lonely: Workplace, policy: Path
):
    good = policy.read_text()
    declare(lonely, CARELESS + TRAIN)
    with lonely.service(MLOPS_BOT_POLICY_FILE=str(policy)) as running:
        url, token = running.service.settings.local_url, running.service.settings.access_token
        client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"})
        push_main(lonely, running)
        policy.write_text(good.replace("secrets:", "secret:"))

        sha = push_change(lonely, "0.5")
        assert running.ended(sha).arguments["secrets"] == ["WANDB_API_KEY", "DEPLOY_KEY"]
        ready = client.get("/readyz")
        findings = {one["part"]: one for one in client.get("/api/v1/doctor").json()["findings"]}
        policy.write_text(good)
        mended = client.get("/readyz")
        mended_findings = {one["part"]: one for one in client.get("/api/v1/doctor").json()["findings"]}

    assert ready.status_code == 503
    assert ready.json()["checks"]["policy"] == "failing"
    assert "The key `secret` is not known here" in ready.json()["reasons"]["policy"]
    assert findings["policy"]["works"] is False
    assert findings["policy"]["fix"] == f"`mlops-bot validate --policy {policy}` shows each with its line."
    assert mended.status_code == 200
    assert mended_findings["policy"] == {
        "part": "policy",
        "works": True,
        "words": f"1 entry in {policy}",
        "fix": "",
    }
    assert mended_findings["secrets"]["words"] == "2 with values"
