"""The engine for a cluster: Kubeflow Pipelines 2, through its API v2beta1.

It remembers nothing that it could not do without: a run's name on Kubeflow is our id of it, so that it is found again
after any crash; what Kubeflow calls it is kept in memory, since it finds runs by their own ids without a search.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.domain.clock import Clock
from bot.domain.errors import TransientError, UserError
from bot.domain.pipeline import DEPLOY
from bot.domain.run import EngineRun, EngineState
from bot.engines.kubeflow_api import KubeflowApi
from bot.engines.kubeflow_http import READ_TIMEOUT_S, Access, Connection, Refused, Unanswered
from bot.engines.kubeflow_needs import lent, needs_of, variables
from bot.engines.kubeflow_package import render_package
from bot.engines.kubeflow_runs import ACTIVE, engine_run, order_of_age
from bot.engines.kubeflow_secrets import RunSecrets
from bot.engines.kubeflow_settings import KubeflowSettings
from bot.engines.local_environment import CALLBACK_TOKEN, check_secrets
from bot.engines.packages import Packages, package_of
from bot.ports.engine import Submission
from pipelines.arguments import pack

ARGUMENTS_LIMIT_BYTES = 100_000  # its driver is given them in one argument, of which Linux allows 128 KiB
PIPELINE_PREFIX = "mlops-bot-"
MISSING_PATIENCE_S = 2.0  # a run that was there is believed to be gone when it is missed twice, so far apart
DOUBTFUL_RETRY_S = 15.0  # longer than a call may take: what it made is there by then
UNUSED_SECRETS_KEPT = timedelta(hours=1)

Json = Mapping[str, Any]

log = structlog.get_logger()


class KubeflowEngine:
    """Thread-safe. `packages` is the folder with `<pipeline>.yaml`, or gives the path of a pipeline's package."""

    name = "kubeflow"
    places: int | None = None  # the cluster queues by itself

    def __init__(
        self,
        settings: KubeflowSettings,
        *,
        packages: Packages,
        clock: Clock,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._packages = packages
        self._clock = clock
        access = Access(settings.url, settings.token_file, settings.cookie_file, settings.ca_file)
        self._connections = [Connection(access, whose="Kubeflow", read_timeout_s=read_timeout_s)]
        self._api = KubeflowApi(self._connections[0], namespace=settings.namespace)
        self._secrets: RunSecrets | None = None
        if settings.kubernetes_url:
            inside = Access(
                settings.kubernetes_url, settings.kubernetes_token_file, ca_file=settings.kubernetes_ca_file
            )
            self._connections.append(Connection(inside, whose="Kubernetes", read_timeout_s=read_timeout_s))
            self._secrets = RunSecrets(self._connections[1], namespace=settings.namespace)
        self._lock = threading.Lock()
        self._kubeflow_ids: dict[str, str] = {}  # of active runs
        self._doubtful: set[str] = set()  # whose creation went unanswered: there may be two, so look by name
        self._asked_to_end: set[str] = set()
        self._last: dict[str, EngineRun] = {}  # what was seen of active runs
        self._missed_at: dict[str, datetime] = {}

    def start(self) -> None:
        """Nothing to warm up."""

    # -- the port
    def submit(self, submission: Submission) -> None:
        run_id = submission.run_id
        check_secrets(submission.secrets)
        if self._by_name([run_id]):
            return
        _check_size(submission)
        secrets = self._usable_secrets(lent(submission, self._settings))
        try:
            if secrets and self._secrets is not None:
                self._secrets.put(run_id, variables(secrets))
            created = self._create(replace(submission, secrets=secrets))
        except Unanswered as error:
            with self._lock:
                self._doubtful.add(run_id)
            raise TransientError(error.problem, retry_after_s=DOUBTFUL_RETRY_S) from error
        except Refused as error:
            raise UserError(
                f"The cluster does not take this run: {error.message}", "Tell whoever runs this bot."
            ) from error
        kubeflow_id = str(created["run_id"])
        with self._lock:
            self._kubeflow_ids[run_id] = kubeflow_id
            self._last[run_id] = EngineRun(run_id, EngineState.PENDING)
        log.info("run_submitted", run_id=run_id, kubeflow_id=kubeflow_id, page=self._page(kubeflow_id))

    def observe(self, run_ids: Sequence[str]) -> Mapping[str, EngineRun]:
        with self._lock:
            known = {
                self._kubeflow_ids[run_id]: run_id
                for run_id in run_ids
                if run_id in self._kubeflow_ids and run_id not in self._doubtful
            }
        found = {known[str(document["run_id"])]: document for document in self._api.runs("run_id", list(known))}
        by_id = set(known.values())
        found |= self._by_name([run_id for run_id in dict.fromkeys(run_ids) if run_id not in by_id])
        seen = {run_id: self._seen(run_id, found.get(run_id)) for run_id in run_ids}
        self._remove_secrets([run.run_id for run in seen.values() if run.state not in ACTIVE and run.run_id in found])
        return seen

    def cancel(self, run_id: str) -> None:
        document = self._by_name([run_id]).get(run_id)
        if document is None or engine_run(run_id, document).state not in ACTIVE:
            return
        is_canceling = document.get("state") == "CANCELING"
        if is_canceling and run_id in self._asked_to_end:
            return  # else its workflow may not have been told: Kubeflow writes the state first
        try:
            self._api.terminate_run(str(document["run_id"]))
        except Refused as error:
            now = self._by_name([run_id]).get(run_id)
            if not is_canceling and now is not None and engine_run(run_id, now).state in ACTIVE:
                raise TransientError(f"Kubeflow does not end {run_id}: {error.message}") from error
        with self._lock:
            self._asked_to_end.add(run_id)

    def check_health(self) -> None:
        try:
            self._api.check_health()
            if self._secrets is not None:
                self._secrets.check_health()
        except Refused as error:
            raise TransientError(f"The cluster refuses what the bot asks: {error}") from error

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    # -- beyond the port
    def prune(self, _older_than: timedelta) -> int:
        """Remove the secrets of runs that have ended or never began, where that was missed; gives how many."""
        if self._secrets is None:
            return 0
        old = list(self._secrets.older_than(UNUSED_SECRETS_KEPT, now=self._clock()))
        seen = self.observe(old)
        over = [run_id for run_id in old if seen[run_id].state not in ACTIVE]
        for run_id in over:
            self._secrets.remove(run_id)
        return len(over)

    # -- submitting
    def _usable_secrets(self, submission: Submission) -> dict[str, str]:
        """Without a Kubernetes API there is no place for secrets: the callback, which only makes an answer quick, is
        done without."""
        secrets = dict(submission.secrets)
        if self._secrets is None and secrets:
            secrets.pop(CALLBACK_TOKEN, None)
            if secrets or submission.pipeline == DEPLOY:
                raise UserError(
                    "This run needs secrets, and the bot has no place on the cluster to put them.",
                    "Whoever runs this bot sets MLOPS_BOT_KUBERNETES_URL.",
                )
        return secrets

    def _create(self, submission: Submission) -> Json:
        """Once more where something that the run belongs to was deleted meanwhile: it is made anew."""
        try:
            return self._api.create_run(self._run_document(submission))
        except Refused as error:
            if error.status != 404:
                raise
        self._api.forget()
        return self._api.create_run(self._run_document(submission))

    def _run_document(self, submission: Submission) -> dict[str, Any]:
        arguments = submission.arguments
        compiled = package_of(submission.pipeline, self._packages).read_text(encoding="utf-8")
        package = render_package(compiled, needs_of(submission, self._settings))
        pipeline_id, version_id = self._api.version(PIPELINE_PREFIX + submission.pipeline, package)
        about = (arguments.get("model"), str(arguments.get("sha") or "")[:10], arguments.get("repository"))
        document: dict[str, Any] = {
            "display_name": submission.run_id,
            "description": " · ".join(str(word) for word in about if word),
            "experiment_id": self._api.experiment(str(arguments.get("repository") or "mlops-bot")),
            "pipeline_version_reference": {"pipeline_id": pipeline_id, "pipeline_version_id": version_id},
            "runtime_config": {"parameters": pack(arguments)},
        }
        if self._settings.service_account:
            document["service_account"] = self._settings.service_account
        return document

    def _page(self, kubeflow_id: str) -> str:
        """Where Kubeflow itself shows the run, "" when that is not set."""
        return f"{self._settings.ui_url}/#/runs/details/{kubeflow_id}" if self._settings.ui_url else ""

    # -- observing
    def _by_name(self, run_ids: Sequence[str]) -> dict[str, Json]:
        """The oldest that bears the name is the run; one that a late answer doubled is ended."""
        found: dict[str, Json] = {}
        for document in sorted(self._api.runs("display_name", run_ids) if run_ids else (), key=order_of_age):
            run_id = str(document["display_name"])
            if run_id not in found:
                found[run_id] = document
            elif engine_run(run_id, document).state in ACTIVE and document.get("state") != "CANCELING":
                self._end_double(run_id, str(document["run_id"]))
        return found

    def _end_double(self, run_id: str, kubeflow_id: str) -> None:
        log.warning("doubled_run_terminated", run_id=run_id, kubeflow_id=kubeflow_id)
        try:
            self._api.terminate_run(kubeflow_id)
        except Refused as error:  # it has ended meanwhile, or the next look tries again
            log.warning("doubled_run_goes_on", run_id=run_id, kubeflow_id=kubeflow_id, error=error.message)

    def _seen(self, run_id: str, document: Json | None) -> EngineRun:
        if document is None:
            return self._missed(run_id)
        run = engine_run(run_id, document)
        with self._lock:
            self._missed_at.pop(run_id, None)
            if run.state in ACTIVE:
                self._kubeflow_ids[run_id] = str(document["run_id"])
                self._last[run_id] = run
        if run.state not in ACTIVE:
            self._let_go(run_id)
        page = self._page(str(document["run_id"]))
        return replace(run, reason=f"{run.reason.rstrip('.')}. See {page}") if run.reason and page else run

    def _missed(self, run_id: str) -> EngineRun:
        """A run that was there and is not in a list is looked for once more before it counts as deleted."""
        now = self._clock()
        with self._lock:
            last = self._last.get(run_id)
            if last is not None:
                since = self._missed_at.setdefault(run_id, now)
                if now - since < timedelta(seconds=MISSING_PATIENCE_S):
                    return last
        if last is not None:
            log.warning("run_deleted_on_kubeflow", run_id=run_id)
            self._let_go(run_id)
            self._remove_secrets([run_id])
        return EngineRun(run_id, EngineState.UNKNOWN)

    def _let_go(self, run_id: str) -> None:
        """Of a run that is over."""
        with self._lock:
            self._kubeflow_ids.pop(run_id, None)
            self._doubtful.discard(run_id)
            self._asked_to_end.discard(run_id)
            self._last.pop(run_id, None)
            self._missed_at.pop(run_id, None)

    def _remove_secrets(self, run_ids: Sequence[str]) -> None:
        """Of runs that are over. Where Kubernetes does not answer, nobody waits: `prune` finds what stays behind."""
        if self._secrets is None:
            return
        try:
            for run_id in run_ids:
                self._secrets.remove(run_id)
        except (Refused, TransientError) as error:
            log.warning("run_secrets_left", runs=len(run_ids), error=str(error))


def _check_size(submission: Submission) -> None:
    size = len(json.dumps(pack(submission.arguments)).encode())
    if size > ARGUMENTS_LIMIT_BYTES:
        raise UserError(
            f"The parameters and settings of this model take {size:,} bytes; a run can be given 100,000.",
            "Move long values into a file of the repository.",
        )
