"""Text from outside is data on the pages of deployments, too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.approval import Approval, Decision
from bot.domain.deployment import DeploymentPhase
from bot.domain.feedback import LedgerEntry
from bot.domain.project import DeployEnvironment
from bot.domain.result import Metric
from bot.domain.serving import DesiredService, ObservedService, ServedRevision, Share
from bot.domain.version import Assignment, VersionPhase
from tests.fakes.serving import FakeServing
from tests.web.kit import Workplace, client
from tests.web.seed import NOW, REPOSITORY
from tests.web.seed_deployments import MODEL, THING, a_deployment, a_version
from tests.web.test_hostile_text import XSS, Dangers
from tests.web.test_pages import words

pytestmark = pytest.mark.anyio


class EvilServing(FakeServing):
    def observe(self, environment: str, model: str) -> ObservedService:
        seen = super().observe(environment, model)
        return replace(seen, revisions=tuple(replace(one, message=XSS) for one in seen.revisions))


async def test_invariant_7_text_from_outside_never_acts_on_pages_of_deployments(day: Workplace) -> None:
    _seed(day)
    here = f"/repositories/{REPOSITORY.key}"
    paths = (
        "/deployments/dep-live", "/deployments/dep-waiting", "/deployments/dep-failed", "/environments", "/ledger",
        "/ledger?model=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", f"{here}/models/{MODEL}", f"{here}/changes/1", "/",
    )  # fmt: skip
    async with client(day, headers=day.bearer) as http:
        for path in paths:
            answer = await http.get(path)
            dangers = Dangers()
            dangers.feed(answer.text)

            assert answer.status_code == 200, path
            assert dangers.found == [], path
            assert "{{49}}" not in words(answer.text), path
            assert "&lt;script&gt;alert(1)" in answer.text, path
        picture = await http.get(f"{here}/models/{MODEL}/charts/{'%22%3E%3Cscript%3E'}")
    assert "<script" not in picture.text


def _seed(place: Workplace) -> None:
    version = a_version(1)
    evil = replace(
        version.lock,
        metrics={XSS: Metric(0.5), '"><script>': Metric(0.5)},
        params={XSS: [XSS]},
        split={XSS: XSS},
        gates=(XSS,),
        waived=(XSS,),
        data_path=XSS,
        data_address=XSS,
        serve=XSS,
        artifacts=XSS,
        model_digest=XSS,
    )
    rule = DeployEnvironment(approvals=2, approvers=(XSS,))
    fields = {"requested_by": XSS, "environment": XSS, "voided": XSS, "version": XSS, "version_id": version.id,
              "digest": XSS, "assignment": XSS, "rule": rule, "thing": THING, "words": XSS}  # fmt: skip
    with place.store.transaction() as tx:
        tx.add_version(replace(version, lock=evil, by=XSS), now=NOW)
        tx.add_version(a_version(2, phase=VersionPhase.REFUSED, problem=XSS, commit_sha=""), now=NOW)
        tx.save_assignment(Assignment(REPOSITORY.key, MODEL, XSS, 1, version.commit_sha, XSS, NOW, "dep-live"))
        for name in ("live", "failed", "waiting_for_approval"):
            tx.add_deployment(a_deployment(f"dep-{name.partition('_')[0]}", DeploymentPhase(name), **fields), now=NOW)
        for decision in Decision:
            tx.add_approval(Approval("dep-waiting", XSS, NOW, decision, THING, f"{XSS}:{decision}", XSS))
        tx.append_ledger(LedgerEntry(NOW, XSS, XSS, REPOSITORY.key, XSS, {"reason": XSS, XSS: XSS}))
    serving = EvilServing()
    revision = ServedRevision("r", XSS, "", "", "", "", "", "", "")
    serving.apply(DesiredService(REPOSITORY.key, XSS, MODEL, (Share(revision, 100),)))
    site = place.app.state.site
    place.app.state.site = replace(site, world=replace(site.world, serving=serving))
