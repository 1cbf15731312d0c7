"""An event that could not be carried out: its author is told, and what it said is taken as seen."""

from __future__ import annotations

from bot.comments.escape import prose
from bot.domain.change import ChangeSeen, ChangeState, CommentCreated, Event, PushReceived
from bot.domain.errors import UserError
from bot.domain.feedback import Notice, Reaction, Reply, Subject, reply_id
from bot.ports.store import Overtaken
from bot.usecases.changes import subject_of
from bot.usecases.world import World
from bot.usecases.writes import Writes, apply


def refuse_event(event: Event, error: UserError, world: World) -> None:
    """Nothing is written when somebody else has handled it after all."""
    try:
        with world.store.transaction() as tx:
            apply(_refusal(event, error, world), tx, now=world.clock())
    except Overtaken:
        return


def _refusal(event: Event, error: UserError, world: World) -> Writes:
    words = f"{error.problem} {error.fix}".strip()
    match event:
        case CommentCreated(comment=comment):
            reply = Reply(
                reply_id(comment.repository, comment.id),
                comment.repository,
                comment.number,
                comment.id,
                Reaction.REFUSED,
                prose(words),
            )
            return Writes(replies=[reply])
        case ChangeSeen(change=change):
            known = world.store.change(change.repository, change.number)
            writes = Writes(repositories=[event.repository], changes=[change])
            writes.expected_changes.append((change.repository, change.number, known))
            if change.state is ChangeState.OPEN and known != change:
                writes.show(subject_of(change), _notice(change.head_sha, words))
            return writes
        case PushReceived(repository=repository, branch=branch, after_sha=sha):
            handled = world.store.heads(repository.key).get(branch)
            writes = Writes(repositories=[repository], heads=[(repository.key, branch, sha)])
            writes.expected_heads.append((repository.key, branch, handled))
            if sha is not None and sha != handled and branch == repository.default_branch:
                writes.show(Subject(repository.key, None, branch, sha), _notice(sha, words))
            return writes
        case _:
            return Writes()


def _notice(sha: str, words: str) -> Notice:
    return Notice(sha, "failure", "This commit could not be looked at", words)
