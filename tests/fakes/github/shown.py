"""What people see of the bot on the fake GitHub, in the domain's words."""

from __future__ import annotations

from typing import Any

from bot.domain.check import Annotation, Check, CheckAction, CheckStatus, Conclusion
from bot.forges.github.people import parse_comment_id
from tests.fakes.github.records import CheckRun, Note, Repo

_STATES = {"success": Conclusion.SUCCESS, "failure": Conclusion.FAILURE, "error": Conclusion.CANCELED}
_REACTIONS = {"EYES": "eyes", "THUMBS_UP": "+1", "THUMBS_DOWN": "-1"}


def shown_checks(repo: Repo, sha: str) -> list[Check]:
    """Check runs in the order in which they were made, then the newest status of each name."""
    statuses = {status["context"]: status for status in repo.statuses if status["sha"] == sha}
    runs = [_check(run) for run in repo.runs if run.head_sha == sha]
    return runs + [_check_of_status(name, sha, status) for name, status in statuses.items()]


def shown_reactions(repo: Repo, comment_id: str) -> list[str]:
    return [_REACTIONS[content] for _, content in _note(repo, comment_id).reactions]


def reactions_so_far(repo: Repo, comment_id: str) -> list[str]:
    """Also those that another took the place of."""
    return [_REACTIONS[content] for content in _note(repo, comment_id).reacted]


def _check(run: CheckRun) -> Check:
    conclusion, output = run.fields.get("conclusion"), run.fields["output"]
    return Check(
        name=run.name,
        sha=run.head_sha,
        status=CheckStatus(run.fields["status"]),
        conclusion=Conclusion(conclusion.replace("cancelled", "canceled")) if conclusion else None,
        title=output["title"],
        summary="" if output["summary"] == output["title"] else output["summary"],  # GitHub wants one in any case
        details_url=run.fields["details_url"],
        annotations=tuple(
            Annotation(one["path"], one["start_line"], one["message"], one["annotation_level"])
            for one in run.annotations
        ),
        actions=tuple(
            CheckAction(one["identifier"], one["label"], one["description"]) for one in run.fields.get("actions", ())
        ),
    )


def _check_of_status(name: str, sha: str, status: dict[str, Any]) -> Check:
    conclusion = _STATES.get(status["state"])
    completed = CheckStatus.COMPLETED if conclusion else CheckStatus.IN_PROGRESS
    return Check(name, sha, completed, conclusion, status["description"], "", status["target_url"])


def _note(repo: Repo, comment_id: str) -> Note:
    parsed = parse_comment_id(comment_id)
    assert parsed is not None
    return next(note for pull in repo.pulls.values() for note in pull.notes if note.id == parsed[1])
