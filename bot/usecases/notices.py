"""What is said of a head besides its runs."""

from __future__ import annotations

from bot.domain.check import Annotation
from bot.domain.feedback import Notice
from bot.domain.plan import PROJECT_FILE, Plan
from bot.domain.words import quoted
from bot.project_file import ProjectFileError

SHOWN_ERRORS = 50  # GitHub takes 50 annotations at once; more would not be read


def invalid_project(sha: str, error: ProjectFileError) -> Notice:
    """Every error at its line."""
    problems = error.errors
    count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
    lines = [
        f"- line {problem.line}, column {problem.column}: {problem.sentence}" for problem in problems[:SHOWN_ERRORS]
    ]
    if len(problems) > SHOWN_ERRORS:
        lines.append(f"- … and {len(problems) - SHOWN_ERRORS} more")
    lines.append("\nNothing was run. Check it before you push: `mlops-bot validate`.")
    annotations = tuple(Annotation(PROJECT_FILE, problem.line, problem.sentence) for problem in problems[:SHOWN_ERRORS])
    return Notice(sha, "failure", f"`{PROJECT_FILE}` has {count}", "\n".join(lines), annotations)


def nothing_to_run(sha: str, plan: Plan) -> Notice:
    """Empty is not success: it is said, and why in the title, which may be all that is read."""
    title = plan.note.split(". ")[0].removesuffix(".") or "Nothing to run"
    reasons = [f"- {quoted(one.model.name)}: {one.reason}" for one in plan.models]
    return Notice(sha, "neutral", title, "\n".join([plan.note, "", *reasons]).strip())


def from_a_fork(sha: str) -> Notice:
    """Untrusted code gets nothing."""
    body = (
        "This change comes from a fork, so nothing of it is run yet. "
        "Somebody with write permission can allow this head with `/ok-to-test`."
    )
    return Notice(sha, "neutral", "Waits for `/ok-to-test`", body)
