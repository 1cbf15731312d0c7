"""Rules for the parts of a policy's entry that only hold together, and for where a secret's value must not stand."""

from __future__ import annotations

from bot.domain.words import quoted
from bot.yaml_file import Findings, Kind, Node
from bot.yaml_file.approvals import report_impossible_approval
from bot.yaml_file.places import Path, where

RESERVED_PREFIXES = ("MLOPS_", "SM_")  # the steps' own variables


def report_entries(root: Node, findings: Findings) -> None:
    """The file's shape may be wrong here: what is not there, or of another type, is left to the schema."""
    entries = root.children.get("repositories")
    for index, entry in entries.children.items() if entries is not None and entries.kind is Kind.SEQUENCE else ():
        path: Path = ("repositories", index)
        environments, secrets = entry.children.get("environments"), entry.children.get("secrets")
        for name, settings in environments.children.items() if environments is not None else ():
            report_impossible_approval(settings, (*path, "environments", name), findings)
        if secrets is not None:
            _report_secrets(secrets, (*path, "secrets"), findings)


def _report_secrets(secrets: Node, path: Path, findings: Findings) -> None:
    if secrets.kind is not Kind.MAPPING and secrets.value is not None:
        _not_here(secrets, path, findings)
        return
    for name, source in secrets.children.items():
        prefix = next((prefix for prefix in RESERVED_PREFIXES if str(name).startswith(prefix)), None)
        if prefix:
            message = f"{quoted(str(name))} begins with `{prefix}`, as the variables do that every step is given."
            findings.add(secrets.keys[name], message, "Choose another name.", where=where(path))
        if source.kind is Kind.SCALAR and source.value is not None and not source.faulty:
            _not_here(source, (*path, name), findings)


def _not_here(node: Node, path: Path, findings: Findings) -> None:
    """Whatever it is, it may be a secret, and is not repeated."""
    message = "Expected where the server finds each value, not the value itself."
    fix = "Write `WANDB_API_KEY: {env: WANDB_API_KEY}` or `{file: /run/secrets/wandb}`; change a value that stood here."
    findings.add(node.start, message, fix, where=where(path))
    node.faulty = True
