"""Whatever a webhook holds, it is refused in words or read as far as it goes: never a crash."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.errors import TransientError, UserError
from bot.forges.github.api import GitHubForge
from bot.forges.github.webhook import KINDS
from bot.ports.forge import BadPayload
from tests.forges.github.examples import EXAMPLES, NOW, app_settings, headers_of

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\ud800\0"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *[place for name, item in inner for place in paths_of(item, (*path, name))]]


INTERESTING = [name for name in EXAMPLES if name.partition(".")[0] in KINDS]
PATHS = {name: [path for path in paths_of(EXAMPLES[name]) if path] for name in INTERESTING}


@st.composite
def broken_payloads(draw: st.DrawFn) -> tuple[str, Any]:
    """One of the examples, in which some fields are missing or of another type."""
    name = draw(st.sampled_from(INTERESTING))
    payload = copy.deepcopy(EXAMPLES[name])
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from(PATHS[name]))
        place: Any = payload
        for parent in parents:
            place = place[parent] if isinstance(place, dict) and parent in place else None
        if isinstance(place, dict) and last in place:
            if draw(st.booleans()):
                del place[last]
            else:
                place[last] = draw(anything)
    return name.partition(".")[0], payload


class NoGit:
    def heads(self, _address: str) -> dict[str, str]:
        return {}


FORGE_PARTS = {"git": NoGit(), "clock": lambda: NOW}


def survives(event: str, payload: object) -> None:
    forge = GitHubForge(app_settings(), **FORGE_PARTS)  # type: ignore[arg-type]  # of git, heads is enough
    body = json.dumps(payload).encode()
    try:
        delivery = forge.open_envelope(headers_of(event, body), body)
        if delivery is not None:
            delivery.order_key.encode()
            list(forge.events(delivery))
    except (BadPayload, TransientError, UserError):
        pass  # refused in words, or GitHub was asked, and is not there


@settings(max_examples=150, deadline=None)
@given(broken_payloads())
def test_a_payload_may_lack_any_field_or_hold_anything_in_it(broken: tuple[str, Any]) -> None:
    survives(*broken)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(KINDS)), anything)
def test_a_payload_may_be_anything(event: str, payload: object) -> None:
    survives(event, payload)
