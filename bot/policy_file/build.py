"""A policy file in which nothing is wrong to the policy that it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain.retention import Retention, parse_age
from bot.domain.server_policy import (
    Ceiling,
    EnvironmentPolicy,
    PolicyEntry,
    RepositoryPolicy,
    SecretSource,
    ServerPolicy,
)
from bot.yaml_file.quantities import cores, duration_s, memory_bytes

Raw = Mapping[str, Any]


def build_policy(raw: Raw) -> ServerPolicy:
    entries = tuple(PolicyEntry(tuple(entry["match"]), _policy(entry)) for entry in raw["repositories"])
    return ServerPolicy(entries, _retention(raw["keep"]) if "keep" in raw else None)


def _retention(raw: Raw) -> Retention:
    return Retention(**{name: parse_age(text) for name, text in raw.items()})


def _policy(raw: Raw) -> RepositoryPolicy:
    resources, override = raw.get("resources", {}), raw.get("override", {})
    return RepositoryPolicy(
        secrets={name: SecretSource(**source) for name, source in raw.get("secrets", {}).items()},
        environments={name: _environment(settings) for name, settings in raw.get("environments", {}).items()},
        allowed_environments=_names(raw, "allowed_environments"),
        engines=_names(raw, "engines"),
        images=(tuple(raw["images"]),) if "images" in raw else (),
        ceiling=Ceiling(
            cpu=cores(resources["cpu"]) if "cpu" in resources else None,
            memory_bytes=memory_bytes(resources["memory"]) if "memory" in resources else None,
            gpu=int(resources["gpu"]) if "gpu" in resources else None,
        ),
        override_by=_names(override, "by"),
        override_for_s=duration_s(override["for"]) if "for" in override else None,
    )


def _environment(raw: Raw) -> EnvironmentPolicy:
    return EnvironmentPolicy(int(raw.get("approvals", 0)), _names(raw, "approvers"), "from" in raw)


def _names(raw: Raw, key: str) -> tuple[str, ...] | None:
    return tuple(raw[key]) if key in raw else None
