"""Webhook payloads, with the fields that GitLab documents ("Webhook events")."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.fakes.gitlab.records import MergeRequest, Note, Project, User

NO_SHA = "0" * 40


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def project(of: Project, base_url: str) -> dict[str, Any]:
    namespace, name = of.path.rsplit("/", 1)
    address = f"{base_url}/{of.path}"
    return {
        "id": of.id,
        "name": name,
        "description": None,
        "web_url": address,
        "avatar_url": None,
        "git_ssh_url": f"git@gitlab.example.com:{of.path}.git",
        "git_http_url": "https://elsewhere.example.com/never/cloned.git",  # whoever clones from here is caught
        "namespace": namespace,
        "visibility_level": 0,
        "path_with_namespace": of.path,
        "default_branch": of.default_branch,
        "ci_config_path": None,
        "homepage": address,
        "url": "https://elsewhere.example.com/never/cloned.git",
        "ssh_url": f"git@gitlab.example.com:{of.path}.git",
        "http_url": "https://elsewhere.example.com/never/cloned.git",
    }


def user(of: User) -> dict[str, Any]:
    return {"id": of.id, "name": of.name, "username": of.username, "avatar_url": None, "email": "[REDACTED]"}


def push(of: Project, by: User, branch: str, before: str | None, after: str | None, base_url: str) -> dict[str, Any]:
    return {
        "object_kind": "push",
        "event_name": "push",
        "before": before or NO_SHA,
        "after": after or NO_SHA,
        "ref": f"refs/heads/{branch}",
        "ref_protected": False,
        "checkout_sha": after,
        "message": None,
        "user_id": by.id,
        "user_name": by.name,
        "user_username": by.username,
        "user_email": "",
        "user_avatar": None,
        "project_id": of.id,
        "project": project(of, base_url),
        "commits": [],
        "total_commits_count": 0,
        "push_options": {},
        "repository": {"name": of.path, "url": "", "description": None, "homepage": ""},
    }


def merge_request(
    of: MergeRequest, by: User, action: str, base_url: str, *, oldrev: str | None = None, changes: Any = None
) -> dict[str, Any]:
    attributes = {**merge_request_attributes(of, base_url), "action": action}
    if oldrev is not None:
        attributes["oldrev"] = oldrev
    return {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": user(by),
        "project": project(of.target, base_url),
        "object_attributes": attributes,
        "labels": [],
        "changes": changes or {},
        "repository": {"name": of.target.path, "url": "", "description": None, "homepage": ""},
    }


def merge_request_attributes(of: MergeRequest, base_url: str) -> dict[str, Any]:
    return {
        "assignee_id": None,
        "author_id": of.author.id if of.author else None,
        "created_at": written(of.created_at),
        "description": "",
        "draft": False,
        "head_pipeline_id": None,
        "id": of.id,
        "iid": of.iid,
        "last_edited_at": None,
        "merge_commit_sha": None,
        "merge_status": "can_be_merged",
        "milestone_id": None,
        "source_branch": of.source_branch,
        "source_project_id": of.source.id if of.source else None,
        "state_id": 1,
        "state": of.state,
        "target_branch": of.target_branch,
        "target_project_id": of.target.id,
        "title": of.title,
        "updated_at": written(of.updated_at),
        "url": f"{base_url}/{of.target.path}/-/merge_requests/{of.iid}",
        "source": project(of.source, base_url) if of.source else None,
        "target": project(of.target, base_url),
        "last_commit": {"id": of.sha, "message": "", "title": "", "timestamp": "", "url": "", "author": {}},
        "work_in_progress": False,
        "assignee_ids": [],
        "reviewer_ids": [],
        "labels": [],
    }


def note(of: MergeRequest, what: Note, by: User, action: str, base_url: str) -> dict[str, Any]:
    return {
        "object_kind": "note",
        "event_type": "confidential_note" if what.is_internal else "note",
        "user": user(by),
        "project_id": of.target.id,
        "project": project(of.target, base_url),
        "object_attributes": {
            "attachment": None,
            "author_id": what.author.id if what.author else None,
            "commit_id": None,
            "created_at": written(what.created_at),
            "discussion_id": f"{what.id:040x}",
            "id": what.id,
            "internal": what.is_internal,
            "line_code": None,
            "note": what.body,
            "noteable_id": of.id,
            "noteable_type": "MergeRequest",
            "position": None,
            "project_id": of.target.id,
            "st_diff": None,
            "system": what.is_system,
            "type": None,
            "updated_at": written(what.updated_at),
            "description": what.body,
            "url": f"{base_url}/{of.target.path}/-/merge_requests/{of.iid}#note_{what.id}",
            "action": action,
        },
        "repository": {"name": of.target.path, "url": "", "description": None, "homepage": ""},
        "merge_request": merge_request_attributes(of, base_url),
    }
