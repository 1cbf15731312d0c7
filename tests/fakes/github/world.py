"""What people do on the fake GitHub. Each act sends the webhooks that GitHub sends."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.contracts.git_workshop import git
from tests.fakes.github import shapes
from tests.fakes.github.hooks import Hooks
from tests.fakes.github.records import App, CheckRun, Grant, Installation, Note, Pull, Repo, User, now

SECRET = "a-secret-of-the-webhook"
NO_SHA = "0" * 40
PERMISSIONS = {"checks": "write", "contents": "write", "deployments": "write", "issues": "write", "members": "read",
               "metadata": "read", "pull_requests": "write"}  # fmt: skip
EVENTS = ["check_run", "check_suite", "issue_comment", "pull_request", "pull_request_review",
          "pull_request_review_comment", "push", "repository"]  # fmt: skip


@cache
def key_pair() -> tuple[str, str]:
    """Made once for each process: it takes a moment."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self.ids = itertools.count(101)
        self.hooks = Hooks(SECRET)
        self.users: dict[str, User] = {}
        self.repos: dict[str, Repo] = {}
        self.grants: dict[str, Grant] = {}
        self.installations: dict[int, Installation] = {}
        self.teams: dict[
            str, dict[str, str]
        ] = {}  # `acme/ml-leads` to logins in lower case, with the membership's state
        private, public = key_pair()
        self.app = App(4711, "mlops-bot", private, public, dict(PERMISSIONS), list(EVENTS))
        self.bot = User(next(self.ids), "mlops-bot[bot]", "Bot", self.app.id)

    def user(self, login: str) -> User:
        known = self.users.get(login.lower())
        if known is None:
            known = self.users[login.lower()] = User(next(self.ids), login)
        return known

    def with_email(self, address: str) -> User | None:
        """Whoever has confirmed an address; those of people here are `<login>@example.com`."""
        if address == "noreply@github.com":
            return self.user("web-flow")
        login = address.removesuffix("@example.com")
        return self.users.get(login) if login != address else None

    def create(self, full_name: str, **collaborators: str) -> Repo:
        owner, _, name = full_name.partition("/")
        bare = self.folder / "hosted" / owner / f"{name}.git"
        if not bare.exists():
            bare.parent.mkdir(parents=True, exist_ok=True)
            git(bare.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
        repo = Repo(next(self.ids), owner, name, bare, collaborators=dict(collaborators))
        for login in collaborators:
            self.user(login)
        self.repos[full_name.lower()] = repo
        return repo

    def install(self, *repos: Repo, permissions: dict[str, str] | None = None) -> Installation:
        one = Installation(
            next(self.ids), repos[0].owner, {repo.full_name for repo in repos}, dict(permissions or PERMISSIONS)
        )
        self.installations[one.id] = one
        shape = shapes.installation(one, self.app)
        self.hooks.emit(
            "installation",
            {"action": "created", "installation": shape, "repositories": [_brief(repo) for repo in repos],
             "sender": shapes.user(self.user("owner"))},
        )  # fmt: skip
        return one

    def give_token(self, login: str, token: str) -> Grant:
        """A person's classic token, of the scope `repo`."""
        user = self.user(login)
        repos = {repo.full_name for repo in self.repos.values() if login.lower() in repo.collaborators}
        everything = {**dict.fromkeys(PERMISSIONS, "write"), "statuses": "write"}
        del everything["checks"]  # these need an App
        grant = Grant(token, f"user:{login}", user, repos, everything, now() + timedelta(days=30))
        self.grants[token] = grant
        return grant

    def refs_moved(self, repo: Repo, by: str = "Ada") -> None:
        """Tell of all that was pushed to the bare repository meanwhile."""
        listed = git(repo.bare, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads/")
        heads = {name: sha for sha, _, name in (line.partition(" ") for line in listed.splitlines())}
        before, repo.heads = repo.heads, heads
        for branch in sorted(before.keys() | heads.keys()):
            old, new = before.get(branch), heads.get(branch)
            if old != new:
                self._tell_of_push(repo, branch, old, new, by)
        for base in list(self.repos.values()):
            for pull in base.pulls.values():
                if pull.state == "open":
                    self._follow(base, pull, repo, by)

    def open_pull(
        self, base: Repo, branch: str, *, by: str, title: str = "", head_repo: Repo | None = None, into: str = ""
    ) -> Pull:
        head_repo = head_repo or base
        sha = git(head_repo.bare, "rev-parse", f"refs/heads/{branch}")
        title = title or git(head_repo.bare, "log", "-1", "--format=%s", sha)
        pull = Pull(
            len(base.pulls) + 1, title, self.user(by), head_repo, branch, sha, into or base.default_branch, now(), now()
        )
        base.pulls[pull.number] = pull
        self._hold(base, pull)
        self.tell_of_pull(base, pull, "opened", by)
        return pull

    def fork(self, repo: Repo, owner: str) -> Repo:
        fork = self.create(f"{owner}/{repo.name}", **{owner: "admin"})
        git(fork.bare, "fetch", "--quiet", str(repo.bare), "+refs/heads/*:refs/heads/*")
        return fork

    def retarget(self, base: Repo, pull: Pull, into: str, by: str = "Ada") -> None:
        former, pull.base_ref = pull.base_ref, into
        self.tell_of_pull(base, pull, "edited", by, changes={"base": {"ref": {"from": former}, "sha": {"from": ""}}})

    def close_pull(self, base: Repo, pull: Pull, by: str = "Ada", *, merged: bool = False) -> None:
        pull.state = "closed"
        pull.merged_at = now() if merged else None
        self.tell_of_pull(base, pull, "closed", by)

    def write(self, base: Repo, pull: Pull, body: str, *, by: str, kind: str = "issue") -> Note:
        note = Note(next(self.ids), kind, self.user(by), body, now(), now())
        return self.add_note(base, pull, note)

    def add_note(self, base: Repo, pull: Pull, note: Note) -> Note:
        pull.notes.append(note)
        pull.updated_at = now()
        shape, sender = shapes.note(note), shapes.user(note.user)
        pull_shape = shapes.pull(pull, base)
        match note.kind:
            case "issue":
                issue = {"id": base.id * 1000 + pull.number, "number": pull.number, "state": pull.state,
                         "title": pull.title, "user": shapes.user(pull.user), "comments": pull_shape["comments"],
                         "pull_request": {"url": "https://evil.example/"}}  # fmt: skip
                self._emit(base, "issue_comment", {"action": "created", "issue": issue, "comment": shape}, sender)
            case "review":
                payload = {"action": "submitted", "review": shape, "pull_request": pull_shape}
                self._emit(base, "pull_request_review", payload, sender)
            case "diff":
                payload = {"action": "created", "comment": shape, "pull_request": pull_shape}
                self._emit(base, "pull_request_review_comment", payload, sender)
        return note

    def press_rerun(self, repo: Repo, run: CheckRun, by: str) -> None:
        payload = {"action": "rerequested", "check_run": shapes.check_run(run)}
        self._emit(repo, "check_run", payload, shapes.user(self.user(by)))

    def press_action(self, repo: Repo, run: CheckRun, identifier: str, by: str) -> None:
        payload = {
            "action": "requested_action",
            "requested_action": {"identifier": identifier},
            "check_run": shapes.check_run(run),
        }
        self._emit(repo, "check_run", payload, shapes.user(self.user(by)))

    def press_rerun_all(self, repo: Repo, sha: str, by: str) -> None:
        suite: dict[str, Any] = {
            "id": 1,
            "head_branch": None,
            "head_sha": sha,
            "app": {"id": self.app.id},
            "pull_requests": [],
        }
        self._emit(repo, "check_suite", {"action": "rerequested", "check_suite": suite}, shapes.user(self.user(by)))

    def tell_of_pull(self, base: Repo, pull: Pull, action: str, by: str, **more: Any) -> None:
        pull.updated_at = now()
        payload = {"action": action, "number": pull.number, "pull_request": shapes.pull(pull, base), **more}
        self._emit(base, "pull_request", payload, shapes.user(self.user(by)))

    def installation_of(self, repo: Repo) -> Installation | None:
        return next((one for one in self.installations.values() if repo.full_name in one.repos), None)

    def _follow(self, base: Repo, pull: Pull, moved: Repo, by: str) -> None:
        """GitHub sees by itself that a pull request was pushed to, merged, or lost its branch."""
        if moved is pull.head_repo and pull.head_ref not in moved.heads:
            self.close_pull(base, pull, by)
            return
        if moved is pull.head_repo and moved.heads[pull.head_ref] != pull.head_sha:
            before, pull.head_sha = pull.head_sha, moved.heads[pull.head_ref]
            self._hold(base, pull)
            self.tell_of_pull(base, pull, "synchronize", by, before=before, after=pull.head_sha)
        target = base.heads.get(pull.base_ref)
        if moved is base and target is not None:
            merged = git(base.bare, "merge-base", target, pull.head_sha, check=False)
            if merged == pull.head_sha:
                self.close_pull(base, pull, by, merged=True)

    def _hold(self, base: Repo, pull: Pull) -> None:
        assert pull.head_repo is not None
        reference = f"refs/pull/{pull.number}/head"
        git(base.bare, "fetch", "--quiet", str(pull.head_repo.bare), f"+{pull.head_sha}:{reference}")

    def _tell_of_push(self, repo: Repo, branch: str, old: str | None, new: str | None, by: str) -> None:
        payload = {
            "ref": f"refs/heads/{branch}",
            "before": old or NO_SHA,
            "after": new or NO_SHA,
            "created": old is None,
            "deleted": new is None,
            "forced": False,
            "pusher": {"name": by, "email": "ada@example.com"},
            "commits": [],
            "head_commit": None,
        }
        self._emit(repo, "push", payload, shapes.user(self.user(by)))

    def _emit(self, repo: Repo, event: str, payload: dict[str, Any], sender: dict[str, Any] | None) -> None:
        payload = {**payload, "repository": shapes.repo(repo), "sender": sender}
        installation = self.installation_of(repo)
        if installation is None and self.installations:
            return  # an App is told of what it is installed on
        if installation is not None:
            payload["installation"] = {"id": installation.id, "node_id": "I_1"}
        self.hooks.emit(event, payload)


def _brief(repo: Repo) -> dict[str, Any]:
    whole = shapes.repo(repo)
    return {name: whole[name] for name in ("id", "node_id", "name", "full_name", "private")}
