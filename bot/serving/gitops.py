"""Serving by commits: manifests lie in an environment repository, which Argo CD or Flux brings to the cluster.

To a branch at once, or on a branch of their own for people to merge. What the repository's branch says is what is
desired; rolling back is a commit like any other. A version is live when the cluster shows it, if the bot may look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from bot.comments.model_card import card_text
from bot.domain.clock import Clock
from bot.domain.errors import TransientError, UserError
from bot.domain.serving import (
    DesiredService,
    ObservedRevision,
    ObservedService,
    RevisionState,
    ServedRevision,
    Share,
    Traffic,
)
from bot.ports.git import BranchMoved, Git, Signature
from bot.serving.gitops_files import (
    CARD_FILE,
    LIMIT_BYTES,
    content_of,
    manifest_of,
    message,
    path_of,
)
from bot.serving.kserve import KServeServing
from bot.serving.kserve_manifest import Dialect, desired_service, first_of, inference_service, object_name, too_early
from bot.serving.kserve_predictor import Setup
from bot.serving.kserve_settings import ServingSettings

ATTEMPTS = 5  # another bot, or a person, pushed at the same moment
MOVED_WAIT_S = 1.0
MERGE_WAIT_S = 10.0
REMEMBERED_S = 1.0  # steps look several times a second; each look would ask the remote

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Base:
    """The branch as it is now, and what it says of one service."""

    head: str
    content: bytes | None
    manifest: dict[str, Any] | None

    @property
    def desired(self) -> DesiredService | None:
        return desired_service(self.manifest) if self.manifest is not None else None


class GitOpsServing:
    """Thread-safe. `cluster` is None where the bot may not look; then what was pushed counts as ready."""

    name = "gitops"

    def __init__(
        self,
        settings: ServingSettings,
        git: Git,
        *,
        clock: Clock,
        cluster: KServeServing | None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._address = settings.repository
        self._setup = Setup(settings.namespace, settings.image, settings.service_account)
        self._git = git
        self._clock = clock
        self._cluster = cluster
        self._clock_s = clock_s
        self._head: tuple[float, str] | None = None

    # -- the port
    def apply(self, desired: DesiredService) -> None:
        """Raises TransientError while a proposal that gives requests to a version is not merged."""
        if not desired.shares:
            self.remove(desired.environment, desired.model)
            return
        there = self._cluster.found(desired.environment, desired.model) if self._cluster is not None else None
        dialect = self._dialect(there)
        for _ in range(ATTEMPTS):
            base = self._base(desired.environment, desired.model)
            first = first_of(desired, dialect, base.manifest)
            wanted = first or desired
            if self._write(base, wanted, content_of(self._manifest(wanted, dialect, base, there))):
                if first is not None:
                    raise too_early(first)
                return
        raise TransientError(
            f"The branch {self._settings.branch} moves while it is written to.", retry_after_s=MOVED_WAIT_S
        )

    def desired(self, environment: str, model: str) -> DesiredService | None:
        return self._base(environment, model, head=self._known_head()).desired

    def observe(self, environment: str, model: str) -> ObservedService:
        desired = self.desired(environment, model)
        shares = desired.shares if desired is not None else ()
        shown = self._cluster.observe(environment, model) if self._cluster is not None else None
        return ObservedService(
            environment, model, tuple(self._observed(environment, model, share, shown) for share in shares)
        )

    def services(self) -> Sequence[DesiredService]:
        head = self._known_head()
        paths = self._git.paths(self._address, head, f"{self._settings.folder}/*/*.yaml")
        places = [path.removesuffix(".yaml").rsplit("/", 2)[1:] for path in paths]
        found = (self._base(environment, model, head=head).desired for environment, model in places)
        return [one for one in found if one is not None]

    def traffic(self, environment: str, model: str, revision_id: str) -> Traffic:  # noqa: ARG002 - the port's names
        return Traffic(is_measured=False)

    def remove(self, environment: str, model: str) -> None:
        for _ in range(ATTEMPTS):
            base = self._base(environment, model)
            there = base.desired
            if base.content is None:
                return
            repository = there.repository if there is not None else ""
            if self._write(base, DesiredService(repository, environment, model, ()), None):
                return
        raise TransientError(
            f"The branch {self._settings.branch} moves while it is written to.", retry_after_s=MOVED_WAIT_S
        )

    def check_health(self) -> None:
        try:
            self._known_head()
        except UserError as error:
            raise TransientError(str(error)) from error
        if self._cluster is not None:
            self._cluster.check_health()

    def close(self) -> None:
        if self._cluster is not None:
            self._cluster.close()

    # -- what a service does with all that serves: here the cluster does
    def start(self) -> None: ...

    def prune(self, _older_than: timedelta) -> int:
        return 0

    def end(self, *, within_s: float) -> None:  # noqa: ARG002 - a name that others give
        """What serves in a cluster serves on."""
        self.close()

    # -- reading
    def _known_head(self) -> str:
        known = self._head
        if known is not None and self._clock_s() - known[0] < REMEMBERED_S:
            return known[1]
        return self._heads()[self._settings.branch]

    def _heads(self) -> dict[str, str]:
        heads = self._git.heads(self._address)
        if self._settings.branch not in heads:
            raise UserError(
                f"The environment repository has no branch {self._settings.branch}.",
                "Push one, or name another in MLOPS_BOT_SERVING_BRANCH.",
            )
        self._head = (self._clock_s(), heads[self._settings.branch])
        return heads

    def _base(self, environment: str, model: str, *, head: str = "") -> _Base:
        head = head or self._heads()[self._settings.branch]
        content = self._git.read(self._address, head, self._path(environment, model), limit_bytes=LIMIT_BYTES)
        try:
            return _Base(head, content, manifest_of(content))
        except ValueError:  # changed by hand; the record restores it
            log.exception("manifest_not_read", environment=environment, model=model, commit=head)
            return _Base(head, content, None)

    def _observed(self, environment: str, model: str, share: Share, shown: ObservedService | None) -> ObservedRevision:
        if shown is None:
            address = self._settings.address.format(
                name=object_name(environment, model), environment=environment, model=model
            )
            return ObservedRevision(share.revision.id, RevisionState.READY, share.percent, address=address)
        found = shown.revision(share.revision.id)
        if found.state is not RevisionState.GONE:
            return found
        words = "It is committed; the cluster does not show it yet."
        return ObservedRevision(share.revision.id, RevisionState.STARTING, percent=0, message=words)

    # -- writing
    def _dialect(self, there: dict[str, Any] | None) -> Dialect:
        if self._cluster is not None:
            return self._cluster.dialect_of(there)
        return Dialect.KNATIVE if self._settings.mode == "knative" else Dialect.CANARIES

    def _manifest(
        self, desired: DesiredService, dialect: Dialect, base: _Base, there: dict[str, Any] | None
    ) -> dict[str, Any]:
        """What the repository says, with what the cluster says of it."""
        known = None if base.manifest is None else {**base.manifest, "status": (there or {}).get("status")}
        return inference_service(
            desired, dialect=dialect, there=known, setup=self._setup, sees_cluster=self._cluster is not None
        )

    def _write(self, base: _Base, desired: DesiredService, content: bytes | None) -> bool:
        """False when the branch moved. `content` None takes the file out."""
        path = self._path(desired.environment, desired.model)
        if content == base.content:
            return True
        if self._settings.proposes:
            return self._propose(base, desired, path, content)
        sha = self._commit(base, desired, path, content)
        if not self._push(self._settings.branch, sha, expected=base.head):
            return False
        self._head = (self._clock_s(), sha)
        return True

    def _propose(self, base: _Base, desired: DesiredService, path: str, content: bytes | None) -> bool:
        """A branch with one commit on top of the real one; a proposal that says the same already is left as it is."""
        branch = f"mlops-bot/{desired.environment}/{desired.model}"
        there = self._heads().get(branch)
        if there is None or not self._says(there, base, path, content):
            sha = self._commit(base, desired, path, content)
            if not self._push(branch, sha, expected=there):
                return False
            log.info("manifest_proposed", branch=branch, environment=desired.environment, model=desired.model)
        if _gives_more(base.desired, desired):
            raise TransientError(
                f"The branch {branch} waits to be merged into {self._settings.branch} of the environment repository.",
                retry_after_s=MERGE_WAIT_S,
            )
        return True

    def _says(self, sha: str, base: _Base, path: str, content: bytes | None) -> bool:
        if self._git.merge_base(self._address, base.head, sha) != base.head:
            return False
        return self._git.read(self._address, sha, path, limit_bytes=LIMIT_BYTES) == content

    def _commit(self, base: _Base, desired: DesiredService, path: str, content: bytes | None) -> str:
        known = {share.revision.id for share in base.desired.shares} if base.desired is not None else set()
        new = [share.revision for share in desired.shares if share.revision.id not in known]
        cards = {revision.version: card for revision in new if (card := self._card(revision, desired.model))}
        by = Signature("mlops-bot", "mlops-bot@localhost", self._clock())
        return self._git.write_commit(self._address, base.head, {path: content}, message=message(desired, cards), by=by)

    def _card(self, revision: ServedRevision, model: str) -> str:
        """From the version's commit, which its tag holds; a version without one is deployed all the same."""
        try:
            commit = self._git.resolve(revision.code, f"{model}@{revision.version}")
            content = self._git.read(revision.code, commit, CARD_FILE, limit_bytes=LIMIT_BYTES)
        except (UserError, TransientError) as error:
            log.warning("model_card_not_read", model=model, version=revision.version, problem=error.problem)
            return ""
        return card_text((content or b"").decode("utf-8", "replace"))

    def _push(self, branch: str, sha: str, *, expected: str | None) -> bool:
        try:
            self._git.push_branch(self._address, branch, sha, expected=expected)
        except BranchMoved:
            return False
        return True

    def _path(self, environment: str, model: str) -> str:
        return path_of(self._settings.folder, environment, model)


def _gives_more(before: DesiredService | None, after: DesiredService) -> bool:
    """Whether a version is new or gets more requests, but for the one that has them back."""
    percents = {share.revision.id: share.percent for share in before.shares} if before is not None else {}
    live = before.shares[0].revision.id if before is not None else ""
    return any(
        share.percent > percents.get(share.revision.id, -1) for share in after.shares if share.revision.id != live
    )
