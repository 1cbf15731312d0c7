"""What KServe's API knows: `kserve_fields.json` holds the fields of the Python models of kserve 0.21.0 and 0.19.0, and
of those of Kubernetes' that they use, with their types and whether they are required. Of a predictor only some."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

_PATH = Path(__file__).with_name("kserve_fields.json")


def problems(item: dict[str, Any], *, version: str) -> list[str]:
    """What a strict API server would refuse."""
    return _problems(item, "V1beta1InferenceService", "", _kinds(version))


@cache
def _kinds(version: str) -> dict[str, dict[str, tuple[str, bool]]]:
    content = json.loads(_PATH.read_text())
    return {**content["both"], **content[version]}


def _problems(value: Any, kind: str, place: str, kinds: dict[str, dict[str, tuple[str, bool]]]) -> list[str]:
    many = re.fullmatch(r"list\[(.*)\]", kind)
    if many:
        if not isinstance(value, list):
            return [f"{place}: not a list"]
        return [p for index, one in enumerate(value) for p in _problems(one, many[1], f"{place}[{index}]", kinds)]
    entries = re.fullmatch(r"dict\(str, (.*)\)", kind)
    if entries:
        if not isinstance(value, dict):
            return [f"{place}: not an object"]
        return [p for key, one in value.items() for p in _problems(one, entries[1], f"{place}.{key}", kinds)]
    if kind not in kinds:
        return _scalar(value, kind, place)
    if not isinstance(value, dict):
        return [f"{place}: not an object"]
    fields = kinds[kind]
    found = [f'unknown field "{place}.{name}"'.replace('".', '"') for name in value if name not in fields]
    found += [f"{place}.{name}: Required value" for name, (_, must) in fields.items() if must and name not in value]
    for name, one in value.items():
        if name in fields:
            found += _problems(one, fields[name][0], f"{place}.{name}", kinds)
    return found


def _scalar(value: Any, kind: str, place: str) -> list[str]:
    known: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}
    if kind not in known:  # dates, and what may be a number or text
        return []
    is_right = isinstance(value, known[kind]) and (kind == "bool" or not isinstance(value, bool))
    return [] if is_right else [f"{place}: not {kind}"]
