"""What GTO's tag names mean (gto/constants.py, `tag_re`), as far as they can be ours."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.domain.version import VersionNumber, parse_number

_NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"  # `schemas/mlops.schema.json`, "name"
_TAG = re.compile(
    rf"(?P<model>{_NAME})(?:@(?P<number>v[0-9.]{{5,29}})|#(?P<environment>{_NAME}))(?P<back>!?)"
    r"(?:#(?P<serial>[1-9][0-9]{0,8}))?"
)


@dataclass(frozen=True, slots=True)
class TagName:
    """`churn@v1.2.0` registers a version, `churn#production#4` assigns one; with `!` either is taken back.

    One of `number` and `environment` is set. `serial` is 0 for a tag without.
    """

    model: str
    number: VersionNumber | None
    environment: str
    is_back: bool
    serial: int


def parse_tag_name(text: str) -> TagName | None:
    """None for what is not GTO's, and for what no model here can have: pre-releases (`v1.0.0-rc.1`), artifacts of
    folders (`models=churn@v1.0.0`), names that `mlops.yaml` does not allow, serials with zeros in front, and
    `churn@deprecated`, which says nothing of a version."""
    match = _TAG.fullmatch(text)
    if match is None:
        return None
    number = parse_number(match["number"]) if match["number"] else None
    if match["number"] and number is None:
        return None
    return TagName(match["model"], number, match["environment"] or "", bool(match["back"]), int(match["serial"] or 0))


def is_ours(text: str) -> bool:
    return parse_tag_name(text) is not None
