"""`POST /callbacks/runs/{id}/credentials`: a step's own token for that of the repository which it clones."""

from __future__ import annotations

import pytest

from tests.web.kit import Workplace, client

pytestmark = pytest.mark.anyio


async def ask(day: Workplace, run_id: str, token: str) -> tuple[int, dict[str, object]]:
    async with client(day) as http:
        answer = await http.post(
            f"/callbacks/runs/{run_id}/credentials", json={}, headers={"Authorization": f"Bearer {token}"}
        )
    return answer.status_code, answer.json()


async def test_a_run_that_goes_on_is_given_what_there_is_for_its_addresses(day: Workplace) -> None:
    token = day.app.state.site.world.callback_token("run-now")

    assert await ask(day, "run-now", token) == (200, {})


async def test_the_token_of_a_run_that_has_ended_is_good_for_nothing(day: Workplace) -> None:
    token = day.app.state.site.world.callback_token("run-good")

    status, answer = await ask(day, "run-good", token)

    assert status == 409
    assert answer["problem"] == "This run does not go on, so it is given no token for its repository."


async def test_another_runs_token_and_the_access_token_open_nothing(day: Workplace) -> None:
    other = day.app.state.site.world.callback_token("run-good")

    assert [(await ask(day, "run-now", token))[0] for token in (other, day.token, "")] == [401, 401, 401]
