"""Bytes to a ServerPolicy, or a PolicyFileError with every problem."""

from __future__ import annotations

from bot.domain.server_policy import ServerPolicy
from bot.policy_file.build import build_policy
from bot.policy_file.hidden import secrets_in
from bot.policy_file.readers import READERS
from bot.policy_file.rules import report_entries
from bot.yaml_file import FILE_LIMIT_BYTES, FileError, findings_for, read_tree, report_shape, report_values

POLICY_FILE_LIMIT_BYTES = FILE_LIMIT_BYTES
SCHEMA_NAME = "policy.schema.json"

EMPTY_FIX = "Write `version: 1` and `repositories: []`."


class PolicyFileError(FileError):
    """All that is wrong with a policy file."""

    file_name = "The policy file"


def load_policy(content: bytes) -> ServerPolicy:
    """Raises PolicyFileError with all problems at once, sorted by their place. What may be a secret's value, for it
    was written here by mistake, is in none of them."""
    findings = findings_for(content, PolicyFileError, too_large_fix="Write fewer entries.", hidden_in=secrets_in)
    root = read_tree(findings)
    if root is not None and root.value is None and not root.faulty:
        findings.add(root.start, "The file is empty.", EMPTY_FIX)
    elif root is not None:
        handled = report_values(root, findings, READERS)
        report_entries(root, findings)
        report_shape(root, findings, SCHEMA_NAME, handled=handled)
    findings.raise_if_any()
    assert root is not None
    return build_policy(root.value)
