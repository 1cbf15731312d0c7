"""Domain values to JSON text and back, field by field; each text carries the version of its schema.

A new version reads the old ones too: add a branch where `open_document` gives the version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bot.domain.check import Annotation
from bot.domain.feedback import Notice, Reaction, Reply, Shown, Subject, SubjectFeedback
from bot.domain.result import Result
from bot.domain.run import Run
from bot.result_file import result_from_json, result_to_json

SCHEMA_VERSION = 1


class UnknownSchema(Exception):
    """The text was written by a newer version of the bot."""


def close_document(document: Mapping[str, Any]) -> str:
    # ASCII only, so that NUL and lone surrogates from outside are escapes that every database keeps
    return json.dumps({"v": SCHEMA_VERSION, **document}, separators=(",", ":"))


def open_document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    if document["v"] != SCHEMA_VERSION:
        raise UnknownSchema(f"stored by another version of mlops-bot (schema {document['v']})")
    return document


def encode_result(result: Result | None) -> str | None:
    """Raises BadResult for one that could not be read again, such as one with a metric that is not finite."""
    if result is None:
        return None
    document = result_to_json(result)
    result_from_json(document)
    return close_document({"result": document})


def decode_result(text: str | None) -> Result | None:
    return None if text is None else result_from_json(open_document(text)["result"])


def encode_run_inputs(run: Run) -> str:
    return close_document(
        {
            "params": dict(run.params),
            "arguments": dict(run.arguments),
            "gates": list(run.gates),
            "notes": list(run.notes),
            "serve": run.serve,
        }
    )


def decode_run_inputs(text: str) -> dict[str, Any]:
    """The fields of a Run of the same names."""
    document = open_document(text)
    return {
        "params": document["params"],
        "arguments": document["arguments"],
        "gates": tuple(document["gates"]),
        "notes": tuple(document["notes"]),
        "serve": document.get("serve", ""),
    }


def encode_wanted(feedback: SubjectFeedback) -> str:
    subject, notice = feedback.subject, feedback.notice
    return close_document(
        {
            "branch": subject.branch,
            "sha": subject.sha,
            "notice": notice
            and {
                "sha": notice.sha,
                "conclusion": notice.conclusion,
                "title": notice.title,
                "body": notice.body,
                "annotations": _annotations(notice.annotations),
            },
        }
    )


def encode_shown(shown: Shown) -> str:
    return close_document(
        {
            "comment_id": shown.comment_id,
            "comment_digest": shown.comment_digest,
            "checks": {name: list(known) for name, known in shown.checks.items()},
            "sent_at": shown.sent_at and shown.sent_at.isoformat(),
        }
    )


def decode_feedback(repository: str, number: int | None, *, wanted: str, shown: str) -> SubjectFeedback:
    want, show = open_document(wanted), open_document(shown)
    notice = want["notice"]
    return SubjectFeedback(
        subject=Subject(repository, number, branch=want["branch"], sha=want["sha"]),
        notice=notice
        and Notice(
            sha=notice["sha"],
            conclusion=notice["conclusion"],
            title=notice["title"],
            body=notice["body"],
            annotations=_annotations_back(notice["annotations"]),
        ),
        shown=Shown(
            comment_id=show["comment_id"],
            comment_digest=show["comment_digest"],
            checks={name: (known[0], known[1]) for name, known in show["checks"].items()},
            sent_at=datetime.fromisoformat(show["sent_at"]) if show.get("sent_at") else None,
        ),
    )


def encode_reply_wanted(reply: Reply) -> str:
    return close_document({"comment_id": reply.comment_id, "reaction": reply.reaction.value, "body": reply.body})


def encode_reply_shown(reply: Reply) -> str:
    reaction = reply.shown_reaction
    return close_document({"shown_reaction": reaction and reaction.value, "posted_id": reply.posted_id})


def decode_reply(reply_id: str, repository: str, number: int, *, wanted: str, shown: str) -> Reply:
    want, show = open_document(wanted), open_document(shown)
    reaction = show["shown_reaction"]
    return Reply(
        id=reply_id,
        repository=repository,
        number=number,
        comment_id=want["comment_id"],
        reaction=Reaction(want["reaction"]),
        body=want["body"],
        shown_reaction=None if reaction is None else Reaction(reaction),
        posted_id=show["posted_id"],
    )


def encode_details(details: Mapping[str, str]) -> str:
    return close_document({"details": dict(details)})


def decode_details(text: str) -> dict[str, str]:
    details: dict[str, str] = open_document(text)["details"]
    return details


def encode_annotations(annotations: Iterable[Annotation]) -> str:
    return close_document({"annotations": _annotations(annotations)})


def decode_annotations(text: str) -> tuple[Annotation, ...]:
    return _annotations_back(open_document(text)["annotations"])


def encode_names(names: Iterable[str]) -> str:
    return close_document({"names": list(names)})


def decode_names(text: str) -> tuple[str, ...]:
    return tuple(open_document(text)["names"])


def _annotations(annotations: Iterable[Annotation]) -> list[list[Any]]:
    return [[item.path, item.line, item.message, item.level] for item in annotations]


def _annotations_back(raw: Iterable[list[Any]]) -> tuple[Annotation, ...]:
    return tuple(Annotation(path, line, message, level) for path, line, message, level in raw)
