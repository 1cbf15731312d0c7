"""What is on the fake GitHub, as GitHub writes it in JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.fakes.github.records import App, CheckRun, Deployment, HookDelivery, Installation, Note, Pull, Repo, User


def when(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def user(one: User | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"login": one.login, "id": one.id, "node_id": one.node, "type": one.type, "site_admin": False}


def repo(one: Repo) -> dict[str, Any]:
    return {
        "id": one.id,
        "node_id": f"R_{one.id}",
        "name": one.name,
        "full_name": one.full_name,
        "private": one.is_private,
        "owner": {"login": one.owner, "id": one.id + 1000, "type": "Organization"},
        "html_url": f"https://evil.example/{one.full_name}",  # addresses of payloads are not to be used
        "clone_url": f"https://evil.example/{one.full_name}.git",
        "default_branch": one.default_branch,
        "archived": one.is_archived,
        "disabled": False,
    }


def pull(one: Pull, base: Repo, *, is_listed: bool = False) -> dict[str, Any]:
    shape = {
        "id": base.id * 1000 + one.number,
        "node_id": f"PR_{base.id}_{one.number}",
        "number": one.number,
        "state": one.state,
        "locked": False,
        "title": one.title,
        "user": user(one.user),
        "body": None,
        "created_at": when(one.created_at),
        "updated_at": when(one.updated_at),
        "closed_at": None if one.state == "open" else when(one.updated_at),
        "merged_at": when(one.merged_at),
        "draft": False,
        "head": {
            "label": f"{one.head_repo.owner if one.head_repo else 'unknown'}:{one.head_ref}",
            "ref": one.head_ref,
            "sha": one.head_sha,
            "repo": repo(one.head_repo) if one.head_repo else None,
        },
        "base": {"label": f"{base.owner}:{one.base_ref}", "ref": one.base_ref, "sha": "", "repo": repo(base)},
        "author_association": "CONTRIBUTOR",
    }
    if not is_listed:
        shape["merged"] = one.merged_at is not None
        shape["comments"] = sum(note.kind == "issue" for note in one.notes)
        shape["review_comments"] = sum(note.kind == "diff" for note in one.notes)
    return shape


def note(one: Note) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "id": one.id,
        "node_id": one.node,
        "user": user(one.user),
        "body": one.body,
        "author_association": "CONTRIBUTOR",
    }
    if one.kind == "review":
        return {**shape, "state": "COMMENTED", "submitted_at": when(one.created_at)}
    shape |= {"created_at": when(one.created_at), "updated_at": when(one.updated_at)}
    if one.kind == "diff":
        return {**shape, "pull_request_review_id": one.review, "path": "train.py", "line": 1}
    app_id = one.user.app_id if one.user else 0
    return {**shape, "performed_via_github_app": {"id": app_id, "slug": "mlops-bot"} if app_id else None}


def check_run(one: CheckRun) -> dict[str, Any]:
    output = one.fields.get("output", {})
    return {
        "id": one.id,
        "node_id": f"CR_{one.id}",
        "head_sha": one.head_sha,
        "name": one.name,
        "external_id": one.fields.get("external_id", ""),
        "details_url": one.fields.get("details_url"),
        "status": one.fields["status"],
        "conclusion": one.fields.get("conclusion"),
        "output": {
            "title": output.get("title"),
            "summary": output.get("summary"),
            "text": None,
            "annotations_count": len(one.annotations),
        },
        "check_suite": {"id": one.id + 500, "head_branch": None},
        "app": {"id": one.app_id, "slug": "mlops-bot"},
        "pull_requests": [],
    }


def commit(sha: str, author: User | None, committer: User | None) -> dict[str, Any]:
    """The users are those to whom the e-mail addresses belong."""
    return {"sha": sha, "node_id": f"C_{sha}", "author": user(author), "committer": user(committer), "parents": []}


def deployment(one: Deployment) -> dict[str, Any]:
    fields = one.fields
    return {
        "id": one.id,
        "node_id": f"DE_{one.id}",
        "sha": one.sha,
        "ref": fields["ref"],
        "task": fields.get("task", "deploy"),
        "payload": fields.get("payload", ""),
        "original_environment": fields.get("environment", "production"),
        "environment": fields.get("environment", "production"),
        "description": fields.get("description"),
        "transient_environment": fields.get("transient_environment", False),
        "production_environment": fields.get("production_environment", False),
    }


def installation(one: Installation, app: App) -> dict[str, Any]:
    return {
        "id": one.id,
        "account": {"login": one.account, "id": one.id + 1, "type": one.account_type},
        "repository_selection": "selected",
        "app_id": app.id,
        "permissions": dict(one.permissions),
        "events": list(app.events),
        "suspended_at": when(datetime.fromisoformat("2026-01-01T00:00:00+00:00")) if one.is_suspended else None,
    }


def delivery(one: HookDelivery) -> dict[str, Any]:
    return {
        "id": one.id,
        "guid": one.guid,
        "delivered_at": when(one.delivered_at),
        "redelivery": one.is_redelivery,
        "duration": 0.1,
        "status": "OK" if 200 <= one.status_code < 300 else "Invalid HTTP Response",
        "status_code": one.status_code,
        "event": one.event,
        "action": one.action,
        "installation_id": None,
        "repository_id": None,
    }
