"""`mlops.lock` to `VersionLock` and back. Whoever may push a tag may write one, so it is hostile until checked.

It is JSON, which is YAML too: in git it is read by people, and five thousand of them are parsed in a second.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from bot.domain.errors import UserError
from bot.domain.project import JsonValue
from bot.domain.result import Metric
from bot.domain.version import VersionLock, VersionNumber, parse_number
from bot.json_values import finite, mapping, optional, shallow, text, whole

LOCK_FILE = "mlops.lock"
LOCK_LIMIT_BYTES = 256 * 1024
LOCK_FORMAT = 1


class BadLock(UserError):
    """The file is not a lock that this bot can read."""


def render_lock(lock: VersionLock) -> bytes:
    """The same bytes for equal locks. Raises UserError for one that could not be read again: too large, or with a
    number that JSON does not have."""
    document = {"format": LOCK_FORMAT, **asdict(lock), "number": str(lock.number)}
    try:
        text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    except ValueError as error:
        raise UserError(
            f"{LOCK_FILE} can not hold a number of the run: {error}.", "Params and metrics have to be finite numbers."
        ) from error
    content = f"{text}\n".encode("utf-8", "replace")  # a lone surrogate can be neither stored nor sent
    if len(content) > LOCK_LIMIT_BYTES:
        raise UserError(
            f"{LOCK_FILE} of {lock.tag} would be larger than {LOCK_LIMIT_BYTES} bytes.",
            "Report fewer metrics, or shorten the params.",
        )
    return content


def parse_lock(content: bytes) -> VersionLock:
    """Fields of later formats are ignored. Raises BadLock, which names the place."""
    if len(content) > LOCK_LIMIT_BYTES:
        raise BadLock(f"{LOCK_FILE} is larger than {LOCK_LIMIT_BYTES} bytes.")
    try:
        document = json.loads(content)
        if b"\\ud" in content.lower():  # written by another hand than ours
            document = json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise BadLock(f"{LOCK_FILE} is not JSON: {str(error)[:200]}.") from error
    try:
        return _lock(mapping(document))
    except KeyError as error:
        raise BadLock(f"{LOCK_FILE} lacks `{error.args[0]}`.") from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadLock(f"{LOCK_FILE} does not have the expected shape: {str(error)[:200]}.") from error


def _lock(raw: Mapping[str, Any]) -> VersionLock:
    return VersionLock(
        model=text(raw["model"]),
        number=_number(raw["number"]),
        sha=text(raw["sha"]),
        run_id=text(raw["run_id"]),
        run_key=text(raw["run_key"]),
        pipeline_version=text(raw["pipeline_version"]),
        artifacts=text(raw["artifacts"]),
        model_digest=text(raw["model_digest"]),
        model_size_bytes=_size(raw["model_size_bytes"]),
        code_digest=text(raw["code_digest"]),
        model_path=text(raw["model_path"]),
        serve=text(raw["serve"]),
        data_address=text(raw.get("data_address", "")),
        data_sha=text(raw.get("data_sha", "")),
        data_path=text(raw.get("data_path", "")),
        data_digest=text(raw.get("data_digest", "")),
        data_rows=optional(raw.get("data_rows"), _size),
        params=_json_object(raw.get("params", {})),
        split=_json_object(raw.get("split", {})),
        environment=_json_object(raw.get("environment", {})),
        metrics={text(name): _metric(mapping(metric)) for name, metric in mapping(raw.get("metrics", {})).items()},
        gates=_texts(raw.get("gates", [])),
        waived=_texts(raw.get("waived", [])),
    )


def _number(value: object) -> VersionNumber:
    number = parse_number(text(value))
    if number is None:
        raise ValueError(f"`number`: expected a version, found {value!r}")
    return number


def _metric(raw: Mapping[str, Any]) -> Metric:
    return Metric(value=finite(raw["value"]), std=optional(raw.get("std"), finite))


def _json_object(value: object) -> dict[str, JsonValue]:
    document = dict(shallow(mapping(value)))
    _check_finite(document)
    return document


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, found {type(value).__name__}")
    return tuple(text(item) for item in value)


def _check_finite(value: object) -> None:
    """NaN and infinity are not JSON, and would not be read by others."""
    if isinstance(value, float):
        finite(value)
    items: Iterable[Any] = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for item in items:
        _check_finite(item)


def _size(value: Any) -> int:
    if whole(value) < 0:
        raise ValueError(f"expected a whole number that is not negative, found {value}")
    return whole(value)
