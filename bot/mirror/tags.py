"""Annotated tags: the text of their objects, read and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from bot.mirror.objects import Objects
from bot.ports.git import Signature, Tag

TAG_LIMIT_BYTES = 64 * 1024
_TAGGER = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>]*)> (?P<seconds>\d{1,12}) [+-]\d{4}")
_FAR_S = 32_503_680_000  # the year 3000: what is made later has to be dated later, and still fit into a date
_EPOCH = datetime.fromtimestamp(0, UTC)
_UNSIGNABLE = re.compile(r"[\x00-\x1f\x7f<>]+")


def read_tags(objects: Objects, ids: Mapping[str, str]) -> list[Tag] | None:
    """None when one of them is not here. Tags of anything but commits that are here, too, are left out."""
    tags = []
    with objects.batch():
        for name, tag_id in sorted(ids.items()):
            found = objects.read(tag_id, limit_bytes=TAG_LIMIT_BYTES)
            if found is None:
                return None
            tag = parse_tag(name, found[1])
            if tag is not None and objects.find(f"{tag.commit_sha}^{{commit}}") is not None:
                tags.append(tag)
    return tags


def parse_tag(name: str, content: bytes) -> Tag | None:
    """From the object (gitformat, "tag objects"). Text is decoded leniently."""
    head, _, message = content.decode("utf-8", "replace").partition("\n\n")
    headers = dict(reversed([line.partition(" ")[::2] for line in head.split("\n")]))
    if headers.get("type") != "commit":
        return None
    tagger = _TAGGER.fullmatch(headers.get("tagger", ""))
    by = Signature(tagger["name"].strip(), tagger["email"], _moment(tagger["seconds"])) if tagger else None
    return Tag(name, headers.get("object", ""), message.replace("\0", "\ufffd"), by or Signature("", "", _EPOCH))


def tag_text(tag: Tag) -> bytes:
    lines = (f"object {tag.commit_sha}", "type commit", f"tag {tag.name}", f"tagger {signature_text(tag.by)}")
    return "\n".join((*lines, "", tag.message)).encode("utf-8", "replace")


def signature_text(by: Signature) -> str:
    """In UTC, to the second."""
    name, email = (_UNSIGNABLE.sub(" ", text).strip() for text in (by.name, by.email))
    return f"{name} <{email}> {int(by.at.timestamp())} +0000"


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC) if int(seconds) < _FAR_S else _EPOCH
