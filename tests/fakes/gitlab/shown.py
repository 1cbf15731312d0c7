"""What people see of the bot on the fake GitLab, in the domain's words."""

from __future__ import annotations

from bot.domain.check import Check, CheckStatus, Conclusion
from tests.fakes.gitlab.records import Note, Project

_CONCLUSIONS = {"success": Conclusion.SUCCESS, "failed": Conclusion.FAILURE, "canceled": Conclusion.CANCELED}
_REACTIONS = {"eyes": "eyes", "thumbsup": "+1", "thumbsdown": "-1"}


def shown_checks(project: Project, sha: str) -> list[Check]:
    """A status that ended and was set again is there twice."""
    return [
        Check(
            name=status.name,
            sha=sha,
            status=CheckStatus.COMPLETED if status.state in _CONCLUSIONS else CheckStatus.IN_PROGRESS,
            conclusion=_CONCLUSIONS.get(status.state),
            title=status.description or "",
            summary="",
            details_url=status.target_url or "",
        )
        for status in project.statuses
        if status.sha == sha
    ]


def shown_reactions(project: Project, comment_id: str) -> list[str]:
    return [_REACTIONS[award.name] for award in _note(project, comment_id).awards]


def reactions_so_far(project: Project, comment_id: str) -> list[str]:
    """Also those that another took the place of."""
    return [_REACTIONS[name] for name in _note(project, comment_id).awarded]


def _note(project: Project, comment_id: str) -> Note:
    return next(note for one in project.merge_requests for note in one.notes if str(note.id) == comment_id)
