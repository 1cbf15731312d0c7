"""What the fake's API answers with, as documented."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.fakes.gitlab.records import Deployment, Environment, Hook, MergeRequest, Note, Project, Status, User


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """An answer that ends the request."""

    def __init__(self, status: int, message: Any, *, key: str = "message", **more: Any) -> None:
        super().__init__(message)
        self.answer = Answer(status, {key: message, **more})


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def user(of: User | None) -> dict[str, Any] | None:
    if of is None:
        return None
    return {"id": of.id, "username": of.username, "name": of.name, "state": of.state, "locked": False}


def project(of: Project, base_url: str) -> dict[str, Any]:
    return {
        "id": of.id,
        "path_with_namespace": of.path,
        "default_branch": of.default_branch if of.heads else None,
        "http_url_to_repo": "https://elsewhere.example.com/never/cloned.git",
        "web_url": f"{base_url}/{of.path}",
        "archived": of.is_archived,
    }


def member(of: User, level: int) -> dict[str, Any]:
    return {**(user(of) or {}), "access_level": level, "expires_at": None, "membership_state": "active"}


def merge_request(of: MergeRequest) -> dict[str, Any]:
    return {
        "id": of.id,
        "iid": of.iid,
        "project_id": of.target.id,
        "title": of.title,
        "description": "",
        "state": of.state,
        "created_at": written(of.created_at),
        "updated_at": written(of.updated_at),
        "author": user(of.author),
        "source_branch": of.source_branch,
        "target_branch": of.target_branch,
        "source_project_id": of.source.id if of.source else None,
        "target_project_id": of.target.id,
        "sha": of.sha,
        "draft": False,
    }


def note(of: Note) -> dict[str, Any]:
    return {
        "id": of.id,
        "type": None,
        "body": of.body,
        "author": user(of.author),
        "created_at": written(of.created_at),
        "updated_at": written(of.updated_at),
        "system": of.is_system,
        "noteable_type": "MergeRequest",
        "resolvable": False,
        "confidential": of.is_internal,
        "internal": of.is_internal,
    }


def status(of: Status) -> dict[str, Any]:
    return {
        "id": of.id,
        "sha": of.sha,
        "ref": of.ref,
        "status": of.state,
        "name": of.name,
        "target_url": of.target_url,
        "description": of.description,
        "allow_failure": False,
    }


def hook(of: Hook) -> dict[str, Any]:
    """GitLab never tells the secret token."""
    return {"id": of.id, **{name: value for name, value in of.fields.items() if name != "token"}}


def environment(of: Environment) -> dict[str, Any]:
    return {"id": of.id, "name": of.name, "external_url": of.external_url, "tier": of.tier, "state": "available"}


def deployment(of: Deployment) -> dict[str, Any]:
    return {
        "id": of.id,
        "iid": of.id,
        "ref": of.ref,
        "sha": of.sha,
        "status": of.status,
        "user": user(of.user),
        "environment": {name: environment(of.environment)[name] for name in ("id", "name", "external_url")},
        "deployable": of.deployable,
    }
