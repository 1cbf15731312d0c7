"""Where models serve: on this machine, on a cluster, or by commits that are brought to one."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from bot.engines import local_environment
from bot.mirror import GitMirror
from bot.ports.forge import GitCredential
from bot.ports.serving import Routes, Serving
from bot.serving.local import LocalServing
from bot.settings import Settings
from bot.wiring.shared import lent_to_steps, utc_now


class ServiceServing(Serving, Protocol):
    """Serving as the service keeps it: started once, and tidied now and then."""

    def start(self) -> None: ...

    def prune(self, older_than: timedelta, /) -> int: ...

    def end(self, *, within_s: float) -> None: ...


def make_serving(
    settings: Settings, git: GitMirror, *, credential_of: Callable[[str], GitCredential | None]
) -> ServiceServing:
    """The cluster's needs an HTTP client, which a service on one machine does not load."""
    if settings.serving is None:
        return LocalServing(
            settings.home,
            clock=utc_now,
            cache=settings.home / "cache",
            environment=local_environment.inherited(os.environ),
            credential_of=credential_of,
            lent=lent_to_steps(settings, settings.artifacts_url),
        )
    from bot.serving.gitops import GitOpsServing
    from bot.serving.kserve import KServeServing

    cluster = KServeServing(settings.serving) if settings.serving.cluster is not None else None
    if settings.serving.repository:
        return GitOpsServing(settings.serving, git, clock=utc_now, cluster=cluster)
    assert cluster is not None
    return cluster


def routes_of(serving: ServiceServing) -> Routes | None:
    """What the proxy asks; None where models have addresses of their own."""
    return serving if isinstance(serving, LocalServing) else None
