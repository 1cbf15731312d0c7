"""The engine that is set up: this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import pipelines
from bot.engines.local import LocalEngine
from bot.ports.engine import Engine
from bot.settings import Settings
from bot.wiring.shared import lent_to_steps, utc_now


class ServiceEngine(Engine, Protocol):
    """An engine as the service keeps it: started once, and tidied now and then."""

    def start(self) -> None: ...

    def prune(self, older_than: timedelta, /) -> int: ...


def make_engine(settings: Settings, *, on_change: Callable[[str], None] | None = None) -> ServiceEngine:
    """The cluster's needs an HTTP client, which a service on one machine does not load."""
    packages = pipelines.package_path("train").parent
    if settings.kubeflow is not None:
        from bot.engines.kubeflow import KubeflowEngine

        return KubeflowEngine(settings.kubeflow, packages=packages, clock=utc_now)
    return LocalEngine(
        settings.home,
        places=settings.local_places,
        packages=packages,
        clock=utc_now,
        on_change=on_change,
        cache=settings.home / "cache",
        lent=lent_to_steps(settings, settings.artifacts_url),
    )
