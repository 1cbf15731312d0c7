"""What people can ask for on the pages and through the API. `bot/wiring.py` says how it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.domain.change import Delivery
from bot.domain.check import Check
from bot.ports.plain_records import Post


@dataclass(frozen=True, slots=True)
class Actions:
    """Every call is synchronous and thread-safe, and raises UserError when it is refused.

    comment(repository, number, author, body) gives the id of the new comment.
    cancel_run(run id, by) asks for a run's end; rerun_run(run id, by) asks for the same again, and
    gives the new run's id if it is known already.
    posts(repository, number) are a change's comments, oldest first, the bot's own among them.
    checks(repository, sha) are the checks of a commit.
    living_comment(repository, number) is the Markdown of the change's report; "" when there is none, or when it is one
    of the posts.
    machine_checks are what the doctor looks at besides the world's own parts.
    read_payload(body, event) gives the delivery that a webhook's body would be.
    begin_github(state, organization, address to come back to) gives where a browser posts the manifest of a new App,
    and the manifest; finish_github(code) gives the variables to set, and where to install the App ("" if unknown).
    """

    comment: Callable[[str, int, str, str], str]
    cancel_run: Callable[[str, str], None]
    rerun_run: Callable[[str, str], str | None]
    posts: Callable[[str, int], list[Post]]
    checks: Callable[[str, str], list[Check]]
    living_comment: Callable[[str, int], str] = lambda _repository, _number: ""
    machine_checks: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    read_payload: Callable[[bytes, str], Delivery] | None = None
    begin_github: Callable[[str, str, str], tuple[str, str]] | None = None
    finish_github: Callable[[str], tuple[Mapping[str, str], str]] | None = None
