"""`POST /api/v1/prune`: what could be removed, or was."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from bot.domain.errors import UserError
from bot.domain.retention import SHORTEST_AGE, Retention, everything_older_than
from bot.usecases.prune import Turn, prune
from bot.web.site import only_with_token, site_of

router = APIRouter()


class PruneIn(BaseModel):
    """Without `older_than_s`, the ages of the server's policy count. Nothing is removed unless `yes`. `after` goes on
    where the answer before ended."""

    older_than_s: int | None = Field(default=None, ge=int(SHORTEST_AGE.total_seconds()), le=10**10)
    yes: bool = False
    after: str = Field(default="", max_length=200)


class PruneLine(BaseModel):
    what: str
    count: int
    size_bytes: int


class PruneOut(BaseModel):
    """`stopped` are repositories that keep everything, and why; `unknown` counts runs that the database does not know.
    `after` is to be sent next, "" when that was all."""

    removed: bool
    lines: list[PruneLine]
    stopped: dict[str, str]
    unknown: int
    after: str

    @classmethod
    def of(cls, turn: Turn, *, removed: bool) -> PruneOut:
        lines = [PruneLine(what=line.what, count=line.count, size_bytes=line.size_bytes) for line in turn.lines]
        return cls(removed=removed, lines=lines, stopped=turn.stopped, unknown=turn.unknown, after=turn.after)


@router.post("/prune")
def prune_now(request: Request, given: PruneIn) -> PruneOut:
    """One turn: at most a hundred runs, and what lies about on this machine."""
    only_with_token(request)
    site = site_of(request)
    keep = _retention(given, site.world.retention())
    turn = prune(site.world, keep, by=site.user, dry=not given.yes, after=given.after)
    return PruneOut.of(turn, removed=given.yes)


def _retention(given: PruneIn, by_policy: Retention | None) -> Retention:
    if given.older_than_s is not None:
        return everything_older_than(timedelta(seconds=given.older_than_s))
    if by_policy is None:
        raise UserError(
            "The server's policy keeps everything for ever.",
            "Say `--older-than 90d`, or write `keep:` into the file of MLOPS_BOT_POLICY_FILE.",
        )
    return by_policy
