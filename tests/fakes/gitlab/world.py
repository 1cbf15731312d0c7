"""What people do on the fake, and the webhooks that follow."""

from __future__ import annotations

import itertools
import json
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.fakes.gitlab import payloads, repositories
from tests.fakes.gitlab.records import (
    Hook,
    MergeRequest,
    Note,
    Project,
    SentHook,
    Token,
    User,
    now,
)

PUSHED_BRANCHES_LIMIT = 3  # GitLab sends no hooks for a push of more (`push_event_hooks_limit`)


class World:
    """`delivers` False keeps webhooks in `sent` alone. Everything is guarded by one lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base_url = ""
        self.lock = threading.RLock()
        self.delivers = True
        self.ahead = timedelta()  # of the real time
        self.users: dict[int, User] = {}
        self.tokens: dict[str, Token] = {}
        self.projects: dict[int, Project] = {}
        self.groups: dict[str, dict[int, int]] = {}
        self.sent: list[SentHook] = []
        self.violations: list[str] = []
        self._ids = itertools.count(1001)
        self._sender = ThreadPoolExecutor(1)

    def now(self) -> datetime:
        return now() + self.ahead

    def next_id(self) -> int:
        return next(self._ids)

    def close(self) -> None:
        self._sender.shutdown(wait=True, cancel_futures=True)

    def add_user(self, username: str, name: str = "") -> User:
        user = User(self.next_id(), username, name or username.title())
        self.users[user.id] = user
        return user

    def add_token(self, user: User, *scopes: str) -> str:
        token = Token(f"glpat-{uuid4().hex}", user, scopes or ("api",))
        self.tokens[token.value] = token
        return token.value

    def add_project(self, path: str, *members: tuple[User, int], bare: Path | None = None) -> Project:
        bare = bare or self.folder / f"{path}.git"
        if not bare.exists():
            repositories.create(bare)
        project = Project(self.next_id(), path, bare, {user.id: level for user, level in members})
        project.heads = repositories.heads(bare)
        self.projects[project.id] = project
        return project

    def fork(self, source: Project, path: str, owner: User) -> Project:
        bare = self.folder / f"{path}.git"
        repositories.fork(source.bare, bare)
        return self.add_project(path, (owner, 50), bare=bare)

    def add_hook(self, project: Project, url: str, token: str) -> Hook:
        fields = {"url": url, "token": token, "push_events": True, "merge_requests_events": True, "note_events": True}
        hook = Hook(self.next_id(), fields)
        project.hooks.append(hook)
        return hook

    def open_merge_request(
        self, target: Project, branch: str, by: User, *, title: str = "", into: str = "", source: Project | None = None
    ) -> MergeRequest:
        with self.lock:
            source = source or target
            sha, moment, iid = source.heads[branch], self.now(), len(target.merge_requests) + 1
            title = title or repositories.subject(source.bare, sha)
            into = into or target.default_branch
            made = MergeRequest(self.next_id(), iid, title, by, source, target, branch, into, sha, moment, moment)
            repositories.keep_head(target.bare, source.bare, iid, sha)
            target.merge_requests.append(made)
            self.tell_merge_request(made, by, "open")
            return made

    def update_merge_request(self, of: MergeRequest, by: User, action: str = "update", **fields: Any) -> None:
        """Its `state`, `title` or `target_branch`."""
        with self.lock:
            changes = {name: {"previous": getattr(of, name), "current": value} for name, value in fields.items()}
            for name, value in fields.items():
                setattr(of, name, value)
            of.updated_at = self.now()
            self.tell_merge_request(of, by, action, changes=changes)

    def write(self, of: MergeRequest, by: User | None, body: str, **flags: Any) -> Note:
        with self.lock:
            note = Note(self.next_id(), body, by, self.now(), self.now(), **flags)
            of.notes.append(note)
            of.updated_at = note.created_at
            self.tell_note(of, note, by or next(iter(self.users.values())), "create")
            return note

    def edit(self, of: MergeRequest, note: Note, by: User, body: str) -> None:
        with self.lock:
            note.body, note.updated_at = body, self.now()
            of.updated_at = note.updated_at
            self.tell_note(of, note, by, "update")

    def pushed(self, project: Project, by: User) -> None:
        """Look at what a push has changed, and let follow what follows."""
        with self.lock:
            before, after = project.heads, repositories.heads(project.bare)
            project.heads = after
            moved = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
            for branch in moved:
                if len(moved) <= PUSHED_BRANCHES_LIMIT:
                    told = payloads.push(project, by, branch, before.get(branch), after.get(branch), self.base_url)
                    self._tell(project, "push_events", "Push Hook", told)
                self._merge_requests_follow(project, by, branch, after.get(branch))

    def _merge_requests_follow(self, project: Project, by: User, branch: str, sha: str | None) -> None:
        opened = [one for other in self.projects.values() for one in other.merge_requests if one.state == "opened"]
        for one in opened:
            is_source = one.source is project and one.source_branch == branch
            if is_source and sha is None:
                self.update_merge_request(one, by, "close", state="closed")
            elif is_source and sha is not None and sha != one.sha:
                former, one.sha, one.updated_at = one.sha, sha, self.now()
                repositories.keep_head(one.target.bare, project.bare, one.iid, sha)
                self.tell_merge_request(one, by, "update", oldrev=former)
            elif one.target is project and one.target_branch == branch and _holds(project, sha, one.sha):
                self.update_merge_request(one, by, "merge", state="merged")

    def tell_merge_request(
        self, of: MergeRequest, by: User, action: str, *, oldrev: str | None = None, changes: Any = None
    ) -> None:
        told = payloads.merge_request(of, by, action, self.base_url, oldrev=oldrev, changes=changes)
        self._tell(of.target, "merge_requests_events", "Merge Request Hook", told)

    def tell_note(self, of: MergeRequest, note: Note, by: User, action: str) -> None:
        name, events = (
            ("Confidential Note Hook", "confidential_note_events") if note.is_internal else ("Note Hook", "note_events")
        )
        self._tell(of.target, events, name, payloads.note(of, note, by, action, self.base_url))

    def _tell(self, project: Project, events: str, name: str, payload: dict[str, Any]) -> None:
        for hook in project.hooks:
            if not hook.fields.get(events):
                continue
            headers = {
                "content-type": "application/json",
                "user-agent": "GitLab/18.1.0",
                "idempotency-key": str(uuid4()),
                "x-gitlab-event": name,
                "x-gitlab-event-uuid": str(uuid4()),
                "x-gitlab-webhook-uuid": str(uuid4()),
                "x-gitlab-instance": self.base_url,
                "x-gitlab-token": str(hook.fields.get("token") or "").encode().decode("latin-1"),  # UTF-8 on the wire
            }
            sent = SentHook(hook.url, headers, json.dumps(payload).encode())
            self.sent.append(sent)
            if self.delivers:
                self._sender.submit(deliver, sent)

    def settled(self) -> None:
        """Wait until every webhook was sent."""
        self._sender.submit(lambda: None).result(timeout=30)


def _holds(project: Project, branch_sha: str | None, sha: str) -> bool:
    return branch_sha is not None and repositories.is_ancestor(project.bare, sha, branch_sha)


def deliver(sent: SentHook) -> None:
    """One try, as GitLab makes it."""
    request = urllib.request.Request(sent.url, sent.body, sent.headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            sent.answer = answer.status
    except urllib.error.HTTPError as error:
        sent.answer = error.code
    except OSError:
        sent.answer = -1
