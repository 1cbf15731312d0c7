"""A rule that project files and the server's policy share: an approval that is asked for must be possible."""

from __future__ import annotations

from bot.yaml_file.places import Path, where
from bot.yaml_file.problems import Findings
from bot.yaml_file.tree import Kind, Node


def report_impossible_approval(settings: Node, path: Path, findings: Findings) -> None:
    approvers, approvals = settings.children.get("approvers"), settings.children.get("approvals")
    if approvers is None or approvers.kind is not Kind.SEQUENCE or not approvers.children:
        return
    needed = approvals.value if approvals is not None else 0
    people = [node.raw for node in approvers.children.values()]
    if needed == 0:
        message = "`approvers` are named, and no approval is asked for."
        findings.add(settings.keys["approvers"], message, "Add `approvals: 1`.", where=where(path))
    elif isinstance(needed, int) and needed > len(people) and not any("/" in person for person in people):
        assert approvals is not None
        message = f"{needed} approvals are needed, and only {len(people)} may give one."
        findings.add(approvals.start, message, "Name more approvers, or ask for fewer approvals.", where=where(path))
