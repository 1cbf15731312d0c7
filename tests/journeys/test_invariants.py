"""The invariants of the design, each by its name."""

from __future__ import annotations

import html
import random
import re
from pathlib import Path

import pytest

from bot.domain.check import Conclusion
from bot.domain.run import Phase
from bot.markdown import to_html
from bot.ports.store import Kind
from tests.journeys.served import killed_service
from tests.journeys.test_push import push_change, push_main
from tests.journeys.workplace import TRAIN, Running, Workplace

HOSTILE = [
    "$(touch {marker})",
    "`touch {marker}`",
    "{{{{7*7}}}}",
    "<script>alert(1)</script>",
    "'; DROP TABLE runs; --",
]


def test_invariant_1_kill_9_at_any_instant_loses_nothing_and_runs_nothing_twice(lonely: Workplace, tmp_path: Path):
    trained = tmp_path / "trained"
    heads = {}
    dice = random.Random(20261124)
    lonely.push("main")
    for round_number in range(20):
        with killed_service(lonely, after_s=dice.uniform(0.0, 0.6)):
            branch = f"work-{round_number % 4}"
            lonely.git("checkout", "--quiet", "-B", branch, "main")
            mark = f"open({str(trained)!r}, 'a').write('{round_number}\\n')\n"
            lonely.write("churn/train.py", f"{mark}{TRAIN}")
            heads[branch] = lonely.commit(f"Round {round_number}")
            lonely.push(branch, "--force")

    with lonely.service() as running:
        for sha in heads.values():
            assert running.ended(sha).phase is Phase.SUCCEEDED
        running.wait_for("the end of every run", lambda: not running.service.bot.store.runs(active=True))
        runs = running.service.bot.store.runs(limit=500)
        changes = running.service.bot.store.changes("plain/models")
        for change in changes:
            running.comment(change.number, change.head_sha[:7])
            assert len([post for post in running.posts(change.number) if post.is_bot]) == 1
    started = trained.read_text().split()
    assert len(started) == len(set(started)), "no commit was trained twice"
    assert len({run.id for run in runs}) == len(runs)
    assert {change.source_branch for change in changes} == set(heads)


def test_invariant_2_what_was_pushed_while_the_service_was_down_is_found(lonely: Workplace):
    with lonely.service() as running:
        push_main(lonely, running)
    sha = push_change(lonely, "0.5")

    with lonely.service() as running:
        assert running.ended(sha).phase is Phase.SUCCEEDED
        running.comment(1, sha[:7])


def test_invariant_2_a_webhook_that_never_came_is_made_up_for(place: Workplace, running: Running):
    push_main(place, running)
    (place.bare / "hooks" / "post-receive").unlink()
    sha = push_change(place, "0.5")

    with running.service.bot.store.transaction() as tx:
        tx.wake(Kind.REPOSITORY, place.key, now=running.service.bot.world.clock())
    assert running.ended(sha).phase is Phase.SUCCEEDED


def test_invariant_2_a_run_goes_on_while_the_service_restarts_and_is_found_again(lonely: Workplace):
    lonely.write("churn/train.py", f"import time\ntime.sleep(2)\n{TRAIN}")
    sha = lonely.commit("Take two seconds")
    with lonely.service() as running:
        lonely.push("main")
        running.wait_for("the start", lambda: any(run.phase is Phase.RUNNING for run in running.runs(sha)))

    with lonely.service() as running:
        assert running.ended(sha).phase is Phase.SUCCEEDED
        assert len(running.runs(sha)) == 1


def test_invariant_3_a_run_stays_with_the_data_that_its_revision_named_when_it_was_accepted(
    place: Workplace, running: Running
):
    push_main(place, running)
    first = place.git("rev-parse", "HEAD")
    place.git("tag", "v1")
    place.git("push", "--quiet", "origin", "v1")
    place.git("checkout", "--quiet", "-B", "pinned")
    text = (place.worktree / "mlops.yaml").read_text()
    place.write("mlops.yaml", text.replace("{path: data/table.csv}", "{rev: v1, path: data/table.csv}"))
    sha = place.commit("Take the data from the tag `v1`")
    place.push("pinned")
    assert running.ended(sha).arguments["data_sha"] == first

    place.write("data/table.csv", "age,churned\n1,1\n")
    moved = place.commit("Fewer rows")
    place.git("push", "--quiet", "--force", "origin", f"{moved}:refs/tags/v1")
    answer = running.say(1, "/train --force")
    assert moved[:10] in answer, "a new order is pinned to where the revision is now"
    assert running.ended(sha, count=2).arguments["data_sha"] == moved
    assert running.runs(sha)[-1].arguments["data_sha"] == first, "what was accepted before stays as it was"


def test_invariant_4_a_change_can_not_weaken_its_own_gates(place: Workplace, running: Running):
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "weaker")
    text = (place.worktree / "mlops.yaml").read_text()
    place.write(
        "mlops.yaml", text.replace("accuracy >= 0.8", "accuracy >= 0.1").replace("default: 0.4", "default: 0.9")
    )
    sha = place.commit("Ask for less")
    place.push("weaker")

    running.ended(sha)
    (check,) = running.checks(sha, completed=True)
    assert check.conclusion is Conclusion.FAILURE
    assert "Gates come from `main`" in running.comment(1, "Gates come from")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("README.md", "Only words.\n"), "No model is touched"),
        (
            ("mlops.yaml", "version: 1\non: {change: false}\nmodels:\n  churn:\n    train: {run: python train.py}\n"),
            "`on.change` is false",
        ),
    ],
)
def test_invariant_6_nothing_to_run_is_said_in_a_neutral_check(
    edit: tuple[str, str], words: str, place: Workplace, running: Running
):
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "quiet")
    place.write(*edit)
    sha = place.commit("Touch no model")
    place.push("quiet")

    (check,) = running.checks(sha, completed=True)
    assert check.conclusion is Conclusion.NEUTRAL
    assert words in check.summary
    assert running.runs(sha) == []


def test_invariant_6_a_skipped_commit_says_so(place: Workplace, running: Running):
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "skipped")
    place.write("churn/train.py", f"# more\n{TRAIN}")
    sha = place.commit("Tidy [skip mlops]")
    place.push("skipped")

    (check,) = running.checks(sha, completed=True)
    assert check.conclusion is Conclusion.NEUTRAL
    assert "[skip mlops]" in check.summary


def test_invariant_6_a_model_without_gates_is_neutral_never_a_success(place: Workplace, running: Running):
    text = (place.worktree / "mlops.yaml").read_text()
    place.write("mlops.yaml", text[: text.index("      gates:")])
    sha = place.commit("Ask for nothing")
    place.push("main")

    running.ended(sha)
    (check,) = running.checks(sha, completed=True)
    assert check.conclusion is Conclusion.NEUTRAL


@pytest.mark.parametrize("words", HOSTILE)
def test_invariant_7_text_from_outside_is_data(words: str, place: Workplace, running: Running, tmp_path: Path):
    marker = tmp_path / "executed"
    text = words.format(marker=marker)
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "hostile")
    place.write("churn/train.py", f"print({text!r})\nraise ValueError({text!r})\n")
    place.write("mlops.yaml", (place.worktree / "mlops.yaml").read_text())
    sha = place.commit(text)
    place.push("hostile")

    run = running.ended(sha)
    assert run.phase is Phase.FAILED
    answer = running.say(1, f"/train {text}\n/train threshold={text}\n/override x {text}")
    comment = running.comment(1, run.id)
    assert not marker.exists()
    for shown in (answer, comment):
        assert "<script" not in to_html(shown)
    assert text in html.unescape(re.sub("<[^>]*>", "", to_html(comment))), "shown as it was written"


def test_invariant_7_a_branch_that_looks_like_an_option_is_a_branch(place: Workplace, running: Running):
    push_main(place, running)
    place.git("checkout", "--quiet", "-b", "x")
    place.write("churn/train.py", f"# changed\n{TRAIN}")
    sha = place.commit("Change the code")
    place.git("push", "--quiet", "origin", "HEAD:refs/heads/--upload-pack=touch")

    run = running.ended(sha)
    assert run.phase is Phase.SUCCEEDED
    assert run.branch == "--upload-pack=touch"


def test_invariant_9_steps_do_not_inherit_the_services_environment(lonely: Workplace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CANARY_TOKEN", "canary-in-the-environment")
    lonely.write("churn/train.py", f"import os\nprint(sorted(os.environ.items()))\n{TRAIN}")
    sha = lonely.commit("Look around")
    with lonely.service() as running:
        lonely.push("main")
        run = running.ended(sha)
        log = running.service.bot.world.artifacts.read(run.id, "logs/train.log", limit_bytes=100_000)

    assert log is not None
    assert b"MLOPS_PARAMS" in log
    for secret in (
        b"canary-in-the-environment",
        b"MLOPS_BOT_",
        *(s.encode() for s in running.service.settings.secret_values),
    ):
        assert secret not in log


def test_invariant_10_one_living_comment_whatever_happens(place: Workplace, running: Running):
    push_main(place, running)
    for threshold in ("0.5", "0.45", "0.55"):
        sha = push_change(place, threshold)
        running.ended(sha)
        running.comment(1, sha[:7])
    running.say(1, "/train threshold=0.6")
    run = running.ended(sha, count=2)
    running.comment(1, run.id)

    living = [post for post in running.posts(1) if "mlops-bot:change" in post.body]
    assert len(living) == 1
