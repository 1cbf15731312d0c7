"""What is desired, as files of an environment repository: one InferenceService each, and the words of a commit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from bot.domain.serving import DesiredService, ServedRevision
from bot.serving.kserve_manifest import desired_service

LIMIT_BYTES = 1 << 20
CARD_FILE = "MODEL_CARD.md"  # in a version's commit, beside `mlops.lock`
CARD_CHARACTERS = 20_000
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # as `mlops.yaml` allows
_HEAD = "# Written by mlops-bot when a model is deployed. Who changes it by hand is told so by the next deployment.\n"


def path_of(folder: str, environment: str, model: str) -> str:
    """Raises ValueError for names that would be paths of somebody's choice."""
    if not _NAME.fullmatch(environment) or not _NAME.fullmatch(model):
        raise ValueError(f"not the names of a service: {environment} {model}")
    return f"{folder}/{environment}/{model}.yaml"


def content_of(manifest: Mapping[str, Any]) -> bytes:
    return (_HEAD + yaml.safe_dump(dict(manifest), sort_keys=False, allow_unicode=True, width=1000)).encode()


def manifest_of(content: bytes | None) -> dict[str, Any] | None:
    """Raises ValueError for what the bot did not write."""
    if content is None:
        return None
    try:
        manifest = yaml.safe_load(content)
        desired_service(manifest)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a manifest of the bot: {error!r}") from error
    assert isinstance(manifest, dict)
    return manifest


def subject(desired: DesiredService) -> str:
    where = f"in {desired.environment}"
    if not desired.shares:
        return f"{desired.model} serves no more {where}"
    if len(desired.shares) == 1:
        return f"{desired.model} {desired.shares[0].revision.version} serves {where}"
    parts = [f"{share.revision.version} {share.percent} %" for share in desired.shares]
    return f"{desired.model} {where}: {', '.join(parts)}"


def message(desired: DesiredService, cards: Mapping[str, str]) -> str:
    """`cards` are model cards by version, of those that are new."""
    facts = [_facts(share.revision) for share in desired.shares]
    parts = [subject(desired), f"Repository: {desired.repository}", *facts]
    parts += [f"Model card of {version}:\n\n{card[:CARD_CHARACTERS]}" for version, card in cards.items()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _facts(revision: ServedRevision) -> str:
    lines = (
        f"{revision.version}:",
        f"  commit {revision.sha}",
        f"  data {revision.data_sha}",
        f"  model {revision.digest}",
        f"  at {revision.storage}",
    )
    return "\n".join(lines)
