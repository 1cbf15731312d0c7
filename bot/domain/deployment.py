"""A deployment: the way of one version into one environment, and the phases it goes through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from bot.domain.project import DeployEnvironment

EXPIRES_AFTER = timedelta(days=14)
NO_RULE = DeployEnvironment()
WARM_FOR = timedelta(minutes=15)  # what served before is kept so long, for a rollback at once


class DeploymentKind(StrEnum):
    DEPLOY = "deploy"
    ROLLBACK = "rollback"


class DeploymentPhase(StrEnum):
    """The names are stored: renaming one needs a migration."""

    WAITING_FOR_RUN = "waiting_for_run"  # what is to be deployed is not trained and measured yet
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    WAITING_FOR_TURN = "waiting_for_turn"  # another deployment of this model is on its way into the environment
    REGISTERING = "registering"  # the result becomes a version
    DEPLOYING = "deploying"  # the pipeline `deploy` runs
    LIVE = "live"
    REPLACED = "replaced"  # was live, until another version took its place
    FAILED = "failed"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"  # a newer request for the same place took over before it was live
    EXPIRED = "expired"
    CANCELED = "canceled"

    @property
    def is_active(self) -> bool:
        """On its way."""
        return self in ACTIVE_DEPLOYMENT_PHASES

    @property
    def holds_turn(self) -> bool:
        return self in (DeploymentPhase.REGISTERING, DeploymentPhase.DEPLOYING)


ACTIVE_DEPLOYMENT_PHASES = frozenset(
    {
        DeploymentPhase.WAITING_FOR_RUN,
        DeploymentPhase.WAITING_FOR_APPROVAL,
        DeploymentPhase.WAITING_FOR_TURN,
        DeploymentPhase.REGISTERING,
        DeploymentPhase.DEPLOYING,
    }
)


def deployment_id(repository: str, model: str, environment: str, trigger: str) -> str:
    """The same for what is asked for twice."""
    return "dep-" + sha256(f"{repository}\n{model}\n{environment}\n{trigger}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Deployment:
    """`number` is the change's, None for a deployment that no change asked for. `sha` is the commit whose result is
    deployed: it follows the change's head until the deployment has been approved.

    `run_id` is the run whose model and metrics are deployed, "" while none has ended well. `version_id` is the row of
    the version, once there is one, and `version` its number as text. `rule` is the environment's policy, of the base
    branch and the server. `thing` is what an approval must be for now. `pipeline_run` is the run of the `deploy` one.
    `replaces` is the deployment that served when this one took over. `words` say how it ended, or what it waits for.
    """

    id: str
    kind: DeploymentKind
    repository: str
    model: str
    environment: str
    number: int | None
    branch: str
    sha: str
    trigger: str
    requested_by: str
    requested_at: datetime
    phase: DeploymentPhase
    rule: DeployEnvironment = NO_RULE
    is_major: bool = False
    run_id: str = ""
    version_id: str = ""
    version: str = ""
    digest: str = ""
    thing: str = ""
    asked_sha: str = ""  # the commit that stood when it was asked for
    thing_at: datetime | None = None  # since when; an approval that was written before is for something else
    pipeline_run: str = ""
    replaces: str = ""
    assignment: str = ""  # its tag: `churn#production#4`
    words: str = ""
    voided: str = ""  # why approvals that were given count no more
    memory_bytes: int = 0  # of the model server; 0 means no limit
    cpu: float = 0.0
    approved_at: datetime | None = None
    started_at: datetime | None = None
    live_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_requested_by: str | None = None
    forge_id: str | None = None
    forge_shown: str = ""  # digest of what the forge was told last
