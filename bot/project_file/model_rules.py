"""Rules for the parts of a model that only hold together: each adds its problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from bot.domain.words import quoted
from bot.project_file.paths import path_inside
from bot.yaml_file import Findings, Kind, Node, Unfit, broken_rules, explain
from bot.yaml_file.approvals import report_impossible_approval
from bot.yaml_file.places import Path, where
from schemas import schema

RESERVED_PREFIXES = ("MLOPS_", "SM_")  # the step's own variables, design section 4


def report_models(root: Node, findings: Findings) -> None:
    """The file's shape may be wrong here: what is not there, or of another type, is left to the schema."""
    models = root.children.get("models")
    for name, model in models.children.items() if models else ():
        path: Path = ("models", name)
        _requirements_stay_inside(model, path, findings)
        _one_source_of_packages(model, path, findings)
        _variables_are_free(model, path, findings)
        for param, fragment in _children(model, "params"):
            _default_fits(fragment, (*path, "params", param), findings)
        for environment, settings in _children(model, "deploy", "environments"):
            place: Path = (*path, "deploy", "environments", environment)
            report_impossible_approval(settings, place, findings)
            _canary_ends_whole(settings, place, findings)


def _child(node: Node, *names: str) -> Node | None:
    found: Node | None = node
    for name in names:
        found = found.children.get(name) if found is not None and found.kind is Kind.MAPPING else None
    return found


def _children(node: Node, *names: str) -> Iterator[tuple[str, Node]]:
    parent = _child(node, *names)
    for name, child in parent.children.items() if parent is not None and parent.kind is Kind.MAPPING else ():
        if child.kind is Kind.MAPPING and not child.faulty:
            yield str(name), child


def _requirements_stay_inside(model: Node, path: Path, findings: Findings) -> None:
    requirements, folder = _child(model, "environment", "requirements"), _child(model, "path")
    if requirements is None or not isinstance(requirements.value, str) or not requirements.value:
        return
    below = folder.value if folder is not None and isinstance(folder.value, str) else "."
    try:
        path_inside(requirements.value, below=below)
    except Unfit as error:
        findings.add(requirements.start, error.message, error.fix, where=where((*path, "environment", "requirements")))


def _one_source_of_packages(model: Node, path: Path, findings: Findings) -> None:
    environment = _child(model, "environment")
    if environment is None or not {"image", "requirements"} <= environment.children.keys():
        return
    message = "`image` and `requirements` are both given; the packages come from one of them."
    findings.add(environment.keys["image"], message, "Remove one of them.", where=where((*path, "environment")))


def _variables_are_free(model: Node, path: Path, findings: Findings) -> None:
    """Names of variables are not ours, and none is both a value and a secret."""
    env, secrets = _child(model, "env"), _child(model, "secrets")
    declared = {str(name): index for name, index in env.keys.items()} if env is not None else {}
    for name, index in declared.items():
        _is_not_ours(name, index, where((*path, "env")), findings)
    for secret in secrets.children.values() if secrets is not None else ():
        if not isinstance(secret.value, str):
            continue
        _is_not_ours(secret.value, secret.start, where((*path, "secrets")), findings)
        if secret.value in declared:
            message = f"{quoted(secret.value)} is a secret, and `env` gives it a value."
            findings.add(secret.start, message, "Remove one of them.", where=where((*path, "secrets")))


def _is_not_ours(name: str, index: int, place: str, findings: Findings) -> None:
    prefix = next((prefix for prefix in RESERVED_PREFIXES if name.startswith(prefix)), None)
    if prefix:
        message = f"{quoted(name)} begins with `{prefix}`, as the variables do that every step is given."
        findings.add(index, message, "Choose another name.", where=place)


def _default_fits(fragment: Node, path: Path, findings: Findings) -> None:
    default = fragment.children.get("default")
    if not fragment.keys.keys() & {"type", "enum", "const"} and default is not None:
        message = f"What a comment may set is open: {quoted(str(path[-1]))} has neither `type` nor `enum`."
        findings.add(fragment.start, message, f"Add `type: {_type_of(default)}`.", where=where(path))
    if default is None or default.faulty:
        return
    if any(broken_rules(_fragment_schema(), fragment.value)):
        return  # reported by the file's own schema
    for rule in broken_rules(fragment.value, default.value):
        node = default
        for name in rule.path:
            node = node.children[name]
        for index, message, _ in explain(rule, node, named_at=node.start):
            told = f"The default does not keep to its own rules: {message[0].lower()}{message[1:]}"
            findings.add(index, told, "Change the default or the rule.", where=where((*path, "default")))


@cache
def _fragment_schema() -> Mapping[str, Any]:
    document = schema("mlops.schema.json")
    return {**document["$defs"]["param"], "$defs": document["$defs"]}


def _type_of(node: Node) -> str:
    if node.kind is Kind.SEQUENCE:
        return "array"
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"))
    return next((name for kind, name in kinds if isinstance(node.value, kind)), "string")


def _canary_ends_whole(settings: Node, path: Path, findings: Findings) -> None:
    canary = settings.children.get("canary")
    shares = list(canary.children.values()) if canary is not None and canary.kind is Kind.SEQUENCE else []
    if not all(isinstance(share.value, int) and 1 <= share.value <= 100 for share in shares):
        return
    place = where((*path, "canary"))
    for before, share in pairwise(shares):
        if share.value <= before.value:
            message = f"Each share is larger than the one before, and {share.value} follows {before.value}."
            findings.add(share.start, message, "Let the shares rise: `[10, 50, 100]`.", where=place)
            return
    if shares and shares[-1].value != 100:
        message = f"The last share is {shares[-1].value}, expected 100: all requests."
        written = ", ".join(str(share.value) for share in shares)
        findings.add(shares[-1].start, message, f"Write `[{written}, 100]`.", where=place)
