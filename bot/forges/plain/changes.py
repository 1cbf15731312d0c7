"""Changes on plain git: a branch with commits that the default branch lacks is an open change.

It ends as merged when its head is in the default branch, and as closed when its branch is deleted or emptied before
that. Ancestry alone counts: after a squashed or rebased merge, deleting the branch closes the change. A branch that
comes back is a new change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bot.domain.change import Change, ChangeState, Repository
from bot.domain.clock import Clock
from bot.domain.errors import UserError
from bot.ports.git import Git
from bot.ports.plain_records import PlainRecords

LONGEST_TITLE = 200  # characters


@dataclass(frozen=True, slots=True)
class Changes:
    """Converges what is recorded of a repository's changes towards its branches, which are `heads`."""

    repository: Repository
    heads: Mapping[str, str]
    records: PlainRecords
    git: Git
    clock: Clock

    def converge_branches(self, branches: Iterable[str]) -> list[Change]:
        """The changes of these branches, as they are now."""
        found = (self._converge(branch) for branch in branches)
        return [change for change in found if change is not None]

    def converge_open(self) -> list[Change]:
        """Those open changes that have ended, or aim at another branch now."""
        known = [change for change in self.records.changes(self._key) if change.state is ChangeState.OPEN]
        return [now for before in known if (now := self._converge(before.source_branch)) and now != before]

    @property
    def _key(self) -> str:
        return self.repository.key

    def _converge(self, branch: str) -> Change | None:
        known = self.records.change_of_branch(self._key, branch)
        head = None if branch == self.repository.default_branch else self.heads.get(branch)
        if known is None:
            return self._open(branch, head) if head is not None and not self._is_merged(head) else None
        now = self._now(known, head)
        if now != known:
            self.records.save_change(now)
        return now

    def _now(self, known: Change, head: str | None) -> Change:
        if head is None or self._is_merged(head):
            merged = self._is_merged(known.head_sha)
            return replace(
                known,
                head_sha=head if merged and head is not None else known.head_sha,
                state=ChangeState.MERGED if merged else ChangeState.CLOSED,
            )
        target = self.repository.default_branch
        if head == known.head_sha:
            return replace(known, target_branch=target)
        return replace(
            known, head_sha=head, target_branch=target, title=self._words(branch=known.source_branch, head=head)[0]
        )

    def _open(self, branch: str, head: str) -> Change:
        title, author = self._words(branch=branch, head=head)
        return self.records.add_change(
            Change(
                repository=self._key,
                number=0,
                title=title,
                author=author,
                source_branch=branch,
                target_branch=self.repository.default_branch,
                head_sha=head,
                from_fork=False,
                state=ChangeState.OPEN,
                opened_at=self.clock(),
            )
        )

    def _words(self, *, branch: str, head: str) -> tuple[str, str]:
        """Title and author, of the first commit that the default branch lacks."""
        target = self.heads.get(self.repository.default_branch)
        first = self.git.commits_between(self.repository.clone_address, target, head, limit=1)
        commit = first[0] if first else self.git.commit(self.repository.clone_address, head)
        subject = commit.message.strip().partition("\n")[0].strip()
        return subject[:LONGEST_TITLE] or branch[:LONGEST_TITLE], commit.author_name or commit.author_email or "unknown"

    def _is_merged(self, sha: str) -> bool:
        target = self.heads.get(self.repository.default_branch)
        if target is None:
            return False
        try:
            return self.git.merge_base(self.repository.clone_address, sha, target) == sha
        except UserError:  # git has collected the commit: nothing holds it, so neither does the default branch
            return False
