"""Deployments as a report shows them, beside the models that they bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.deployment import Deployment
from bot.domain.gate import Judgement
from bot.domain.report_versions import VersionFacts
from bot.domain.run import StepProgress


@dataclass(frozen=True, slots=True)
class DeploymentLine:
    """One deployment, with what is known of it besides.

    `approved_by` are the people whose approval counts now; `barred` maps those who may not approve it to the reason.
    `place` is 1 for what starts next while it waits for its turn. `progress` are the steps of the pipeline `deploy`.
    `candidate` is what would go live, `live` what serves there now, None when nothing does. `judgement` is of the
    candidate's gates. `request_body` is JSON that the served model answers; "" where no such rows are known.
    """

    deployment: Deployment
    approved_by: tuple[str, ...] = ()
    barred: Mapping[str, str] = field(default_factory=dict)
    place: int = 0
    progress: tuple[StepProgress, ...] = ()
    candidate: VersionFacts | None = None
    live: VersionFacts | None = None
    judgement: Judgement | None = None
    request_body: str = ""

    @property
    def missing(self) -> int:
        """How many more have to approve."""
        return max(0, self.deployment.rule.approvals - len(self.approved_by))


def shown_deployments(deployments: Sequence[Deployment]) -> list[Deployment]:
    """Those on their way, and the newest of each place: what a report is about. Newest first."""
    shown: list[Deployment] = []
    places: set[tuple[str, str]] = set()
    for deployment in sorted(deployments, key=lambda one: (one.requested_at, one.id), reverse=True):
        place = (deployment.model, deployment.environment)
        if deployment.phase.is_active or place not in places:
            shown.append(deployment)
        places.add(place)
    return shown
