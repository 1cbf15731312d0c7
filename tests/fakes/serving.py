"""Serving whose revisions stand as a test says; strict about what it is told to serve."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.serving import (
    DesiredService,
    ObservedRevision,
    ObservedService,
    RevisionState,
    Traffic,
    service_name,
)


class FakeServing:
    """What is applied is ready at once, unless `states` says otherwise. `applied` is the history."""

    name = "fake"

    def __init__(self) -> None:
        self.applied: list[DesiredService] = []
        self.states: dict[str, RevisionState] = {}
        self._desired: dict[str, DesiredService] = {}

    def apply(self, desired: DesiredService) -> None:
        ids = [share.revision.id for share in desired.shares]
        assert desired.shares
        assert len(ids) == len(set(ids))
        assert sum(share.percent for share in desired.shares) in (0, 100)
        self.applied.append(desired)
        self._desired[desired.name] = desired

    def desired(self, environment: str, model: str) -> DesiredService | None:
        return self._desired.get(service_name(environment, model))

    def observe(self, environment: str, model: str) -> ObservedService:
        desired = self.desired(environment, model)
        shares = desired.shares if desired is not None else ()
        return ObservedService(
            environment,
            model,
            tuple(
                ObservedRevision(
                    share.revision.id,
                    self.states.get(share.revision.id, RevisionState.READY),
                    share.percent,
                    address=f"http://127.0.0.1:1/{share.revision.id}",
                )
                for share in shares
            ),
        )

    def services(self) -> Sequence[DesiredService]:
        return list(self._desired.values())

    def traffic(self, environment: str, model: str, revision_id: str) -> Traffic:
        return Traffic()

    def remove(self, environment: str, model: str) -> None:
        self._desired.pop(service_name(environment, model), None)

    def check_health(self) -> None:
        return None

    def close(self) -> None:
        return None

    # -- for tests
    def split(self, environment: str, model: str) -> dict[str, int]:
        """Version to percent, as it is desired now."""
        desired = self.desired(environment, model)
        return {share.revision.version: share.percent for share in desired.shares} if desired is not None else {}
