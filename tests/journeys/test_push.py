"""Push a commit, get a trained and evaluated model back on the change."""

from __future__ import annotations

import re

import httpx

from bot.domain.check import CheckStatus, Conclusion
from bot.domain.run import Phase
from tests.journeys.workplace import Running, Workplace


def push_main(place: Workplace, running: Running) -> str:
    place.push("main")
    sha = place.git("rev-parse", "HEAD")
    assert running.ended(sha).phase is Phase.SUCCEEDED
    return sha


def push_change(place: Workplace, threshold: str, branch: str = "better") -> str:
    place.git("checkout", "--quiet", "-B", branch)
    text = (place.worktree / "mlops.yaml").read_text()
    place.write("mlops.yaml", text.replace("default: 0.4", f"default: {threshold}"))
    sha = place.commit(f"Try a threshold of {threshold}")
    place.push(branch, "--force")
    return sha


def test_a_push_to_the_default_branch_trains_and_its_result_becomes_the_base(place: Workplace, running: Running):
    sha = push_main(place, running)

    run = running.ended(sha)
    assert run.result is not None
    assert run.result.metrics["accuracy"].value == 0.9
    assert run.result.model_digest
    assert [step.name for step in run.result.steps if step.state == "succeeded"][:3] == ["fetch", "train", "evaluate"]
    (check,) = running.checks(sha, completed=True)
    assert (check.name, check.conclusion) == ("mlops/churn", Conclusion.SUCCESS)


def test_a_pushed_branch_opens_a_change_that_is_measured_against_the_base(place: Workplace, running: Running):
    push_main(place, running)
    sha = push_change(place, "0.5")

    run = running.ended(sha)
    comment = running.comment(1, run.id)
    assert run.phase is Phase.SUCCEEDED
    assert run.number == 1
    assert "accuracy" in comment
    assert sha[:7] in comment
    assert "0.9" in comment, "the base's accuracy is shown"


def test_a_gate_that_is_missed_fails_the_check_and_says_by_how_much(place: Workplace, running: Running):
    push_main(place, running)
    sha = push_change(place, "0.9")

    running.ended(sha)
    (check,) = running.checks(sha, completed=True)
    comment = running.comment(1, "accuracy >= 0.8")
    assert check.status is CheckStatus.COMPLETED
    assert check.conclusion is Conclusion.FAILURE
    assert "0.6 is not >= 0.8" in comment.replace("&gt;", ">").replace("\\", "")


def test_pushing_the_same_work_again_reuses_the_run(place: Workplace, running: Running):
    push_main(place, running)
    first = running.ended(push_change(place, "0.5"))
    place.write("README.md", "Nothing that a model depends on.\n")
    sha = place.commit("Explain")
    place.push("better")

    again = running.ended(sha)
    assert again.phase is Phase.REUSED
    assert again.reused_run == first.id
    assert again.result == first.result
    assert first.id in running.comment(1, sha[:7])
    assert "(reused)" in running.comment(1, sha[:7])
    assert again.base_run == first.base_run, "held against the same base as when it was trained"


def test_a_new_head_supersedes_the_older_heads_run(place: Workplace, running: Running):
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "slow")
    train = (place.worktree / "churn/train.py").read_text()
    place.write("churn/train.py", f"import time\ntime.sleep(600)\n{train}")
    slow = place.commit("Train for ten minutes")
    place.push("slow")
    running.wait_for(
        "the slow run's start", lambda: next((r for r in running.runs(slow) if r.phase is Phase.RUNNING), None)
    )
    place.write("churn/train.py", train + "\n# quick again\n")
    quick = place.commit("Train quickly")
    place.push("slow")

    assert running.ended(quick).phase is Phase.SUCCEEDED
    superseded = running.ended(slow)
    assert superseded.phase is Phase.SUPERSEDED
    assert superseded.superseded_by == quick


def test_merging_or_deleting_the_branch_closes_the_change(place: Workplace, running: Running):
    main = push_main(place, running)
    sha = push_change(place, "0.5")
    running.ended(sha)
    place.git("push", "--quiet", "origin", ":refs/heads/better")
    closed = running.wait_for(
        "the closed change", lambda: running.change(1) if running.change(1).state != "open" else None
    )
    assert closed.state == "closed"

    place.git("checkout", "--quiet", "main")
    merged_sha = push_change(place, "0.45", branch="merged")
    running.ended(merged_sha)
    place.git("checkout", "--quiet", "main")
    place.git("merge", "--quiet", "--ff-only", "merged")
    place.push("main")

    merged = running.wait_for(
        "the merged change", lambda: running.change(2) if running.change(2).state != "open" else None
    )
    assert merged.state == "merged"
    assert running.ended(merged_sha, count=2).phase is Phase.REUSED, "merged as it was trained: nothing runs again"
    assert main != merged_sha


def test_the_pictures_of_a_comment_are_fetched_without_a_login_by_their_signed_addresses_alone(
    place: Workplace, running: Running
):
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "curve")
    evaluate = (place.worktree / "churn/evaluate.py").read_text()
    place.write(
        "churn/evaluate.py", f'{evaluate}(output / "plots" / "roc.csv").write_text("fpr,tpr\\n0,0\\n0,1\\n1,1\\n")\n'
    )
    sha = place.commit("Draw a curve")
    place.push("curve")
    running.ended(sha)

    address = re.search(r"!\[[^\]]*\]\(([^)]+)\)", running.comment(1, "roc.csv"))[1]
    with httpx.Client(trust_env=False) as client:
        signed = client.get(address)
        unsigned = client.get(address.partition("?")[0])

    assert (signed.status_code, signed.headers["content-type"]) == (200, "image/svg+xml")
    assert "<svg" in signed.text
    assert unsigned.status_code in (303, 401, 403)
