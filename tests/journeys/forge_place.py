"""A model repository on a forge that is a fake at the level of HTTP, and the real service that is told of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import pytest

from bot.domain.check import Check, CheckStatus
from bot.domain.feedback import Subject
from bot.ports.forge import Capabilities
from bot.ports.store import Kind
from bot.service import Service
from bot.settings import load_settings
from bot.usecases import repository_loop
from tests.contracts.git_workshop import Worktree
from tests.journeys.environments import share_environments
from tests.journeys.workplace import TRAIN, Running, Workplace, make_workplace

UNFINISHED = "○●"  # queued, running
LIVING = "mlops-bot:change"
SEEN = "eyes"


class Site(Protocol):
    """One repository on a forge: what people do there, and what they see of the bot. Ada and Grace may write, Rob may
    read, Eve is a stranger. A change is named by its number, a comment by the id that the bot knows it by."""

    @property
    def key(self) -> str: ...

    @property
    def bare(self) -> Path: ...

    def tell_of_push(self) -> None:
        """Of all that Ada has pushed meanwhile."""

    def open_change(self, branch: str) -> int: ...

    def close_change(self, number: int) -> None: ...

    def fork(self) -> Path:
        """Eve's, a bare repository."""

    def open_from_fork(self, branch: str) -> int:
        """Of what Eve pushed to her fork."""

    def write(self, number: int, by: str, body: str) -> str: ...

    def fill(self, number: int, count: int) -> None:
        """With comments of which nobody is told."""

    def bots_comments(self, number: int) -> list[str]: ...

    def reactions(self, comment_id: str) -> list[str]:
        """The bot's: `eyes`, `+1`, `-1`."""

    def reactions_so_far(self, comment_id: str) -> list[str]: ...

    def checks(self, sha: str) -> list[Check]:
        """The newest of a name last."""

    def deployments(self) -> list[tuple[str, str]]:
        """Environment and state of each that the forge shows, in its own words, the oldest first."""

    def calls(self) -> Counter[str]:
        """What the bot has asked of the API about this repository, by route. Apart are tokens, and answers that nothing
        has changed."""

    def tell_of_something_else(self) -> None:
        """By a webhook that the bot has no use for."""

    def lose_answers(self) -> None:
        """The next comment and the next check are made, and answered with 502."""


class Town(Protocol):
    """A forge with people and repositories, of which each test takes one."""

    def take(self) -> Site: ...

    def environ(self) -> dict[str, str]:
        """The service's settings for this forge."""

    def tell(self, url: str) -> None:
        """Where webhooks go from now on."""

    def settle(self) -> None:
        """Until all webhooks were sent."""

    def answers(self, since: int = 0) -> list[int]:
        """How each webhook was answered, in the order in which they were sent."""

    def close(self) -> None: ...


@contextmanager
def told_service(town: Town, home: Path, engine: Mapping[str, str] | None = None) -> Iterator[Service]:
    """Told by webhooks for as long as it runs. `engine` is what it is told of its own."""
    share_environments(home)
    environ = {"MLOPS_BOT_HOME": str(home), "MLOPS_BOT_PORT": "0", "MLOPS_BOT_CONCURRENCY": "2", **town.environ()}
    service = Service(load_settings({**environ, **(engine or {})}))
    with service.running():
        town.tell(f"{service.settings.local_url}/webhooks/{next(iter(_forges_of(service)))}")
        yield service
        town.settle()
        service.bot.serving.end(within_s=20)  # model servers outlive a service, and are not to outlive the tests


def _forges_of(service: Service) -> list[str]:
    return [name for name in service.bot.world.forges if name != "plain"]


S = TypeVar("S", bound=Site)


@dataclass(frozen=True)
class Place(Generic[S]):
    """Ada's clone of a repository, and what the service shows there."""

    town: Town
    site: S
    work: Workplace
    service: Service

    @property
    def running(self) -> Running:
        return Running(self.service, self.site.key)

    @property
    def can(self) -> Capabilities:
        return self.service.bot.world.forge_of(self.site.key).capabilities

    # -- what Ada does
    def push(self, branch: str, message: str, **files: str) -> str:
        """Files are named by path. Gives the sha."""
        for path, text in files.items():
            self.work.write(path, text)
        sha = self.work.commit(message)
        self.work.push(branch, "--force")
        self.site.tell_of_push()
        return sha

    def start(self) -> str:
        """The first commit, trained."""
        sha = self.push("main", "Start")
        self.running.ended(sha)
        return sha

    def propose(self, branch: str, message: str, **files: str) -> tuple[int, str]:
        self.work.git("checkout", "--quiet", "-B", branch, "main")
        sha = self.push(branch, message, **files)
        return self.site.open_change(branch), sha

    def threshold(self, value: str) -> dict[str, str]:
        """The project file with another default."""
        text = (self.work.worktree / "mlops.yaml").read_text()
        return {"mlops.yaml": text.replace("default: 0.4,", f"default: {value},")}

    def training(self, *lines: str) -> dict[str, str]:
        """The training code with more lines at its end."""
        return {"churn/train.py": "\n".join((TRAIN, *lines, ""))}

    def say(self, number: int, by: str, body: str) -> tuple[str, list[str]]:
        """Gives the answer to it, and the bot's reactions to it so far, once it is answered."""
        comment_id = self.site.write(number, by, body)
        answer = self.running.wait_for(f"an answer to {body!r}", lambda: self.answer_to(number, comment_id))
        self.running.wait_for("the reaction", lambda: self.site.reactions(comment_id) not in ([], [SEEN]))
        assert len(self.site.reactions(comment_id)) == 1
        return answer, self.site.reactions_so_far(comment_id)

    # -- what the bot shows
    def answer_to(self, number: int, comment_id: str) -> str | None:
        marker = f"mlops-bot:reply:{self.site.key.partition('/')[0]}-{comment_id} "
        return next((body for body in self.site.bots_comments(number) if marker in body), None)

    def check(self, sha: str, name: str = "mlops/churn") -> Check:
        """The newest of this name, once it is completed."""

        def look() -> Check | None:
            shown = [check for check in self.site.checks(sha) if check.name == name]
            return shown[-1] if shown and shown[-1].status is CheckStatus.COMPLETED else None

        return self.running.wait_for(f"the check {name} of {sha[:10]}", look)

    def living_comment(self, number: int, holding: str) -> str:
        """The only one, once it holds these words and says of nothing that it is queued or runs."""

        def look() -> str | None:
            found = [body for body in self.site.bots_comments(number) if LIVING in body]
            assert len(found) <= 1
            body = found[0] if found else ""
            return body if holding in body and not any(sign in body for sign in UNFINISHED) else None

        return self.running.wait_for(f"a comment with {holding!r}", look)

    def shown(self, number: int, sha: str, *, count: int = 1) -> str:
        """The living comment, once the newest run at a commit has ended and is shown in comment and check."""
        run = self.running.ended(sha, count=count)
        comment = self.living_comment(number, run.id)
        self.running.wait_for("the check of it", lambda: run.id in self.check(sha).details_url)
        return comment

    def at_rest(self) -> None:
        """Once all webhooks were read, and all that follows from them was said."""
        self.town.settle()
        counts = self.service.bot.store.counts
        is_open = ("delivery/open", "feedback/open")
        self.running.wait_for("rest", lambda: not any(counts()[name] for name in is_open))

    def last_shown(self, number: int, *, ago: timedelta) -> None:
        """As if a change had last been told of anything then: what only shows progress waits for a while after it."""
        store, now = self.service.bot.store, self.service.bot.world.clock()
        feedback = store.feedback(Subject(self.site.key, number, "", "").id)
        assert feedback is not None
        with store.transaction() as tx:
            tx.save_shown(feedback.subject.id, replace(feedback.shown, sent_at=now - ago))

    def forget_comment(self, number: int) -> None:
        """As when the store was rebuilt: its id is not known any more."""
        store = self.service.bot.store
        feedback = store.feedback(Subject(self.site.key, number, "", "").id)
        assert feedback is not None
        assert feedback.shown.comment_id is not None
        with store.transaction() as tx:
            tx.save_shown(feedback.subject.id, replace(feedback.shown, comment_id=None, comment_digest=""))


def make_place(town: Town, site: S, service: Service, folder: Path) -> Place[S]:
    """The sample model, committed and not pushed yet."""
    work = make_workplace(folder, home=folder / "no-home")
    work.git("remote", "set-url", "origin", str(site.bare))
    return Place(town, site, work, service)


class Towns:
    """Each forge and its service are there from their first use to the end of the tests; every webhook is to be
    answered with success. Repositories are compared with their forge once, so that the calls of a test are those of
    what happens there."""

    def __init__(self, folder: Path, makers: Mapping[str, Callable[..., Town]], engine: Mapping[str, str]) -> None:
        self._folder = folder
        self._engine = engine
        self._makers = makers
        self._there: dict[str, tuple[Town, Service]] = {}
        self._closing = ExitStack()
        patch = self._closing.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(repository_loop, "COMPARE_EVERY_S", timedelta(days=1).total_seconds())

    def place(self, name: str, folder: Path) -> Place[Site]:
        if name not in self._there:
            town = self._makers[name](self._folder / name)
            self._closing.callback(town.close)
            service = self._closing.enter_context(told_service(town, self._folder / name / "home", self._engine))
            Running(service, name).wait_for("the first comparing", lambda: _has_compared_all(service))
            self._there[name] = town, service
        town, service = self._there[name]
        return make_place(town, town.take(), service, folder)

    def close(self) -> None:
        answers = {name: set(town.answers()) for name, (town, _) in self._there.items()}
        self._closing.close()
        assert answers == {name: {202} for name in answers}


def _has_compared_all(service: Service) -> bool:
    due_at = service.bot.store.next_due_at(Kind.REPOSITORY)
    return due_at is not None and due_at - service.bot.world.clock() > timedelta(hours=1)


def from_a_strangers_fork(site: Site, folder: Path, **files: str) -> tuple[int, str]:
    """A change by Eve; gives its number and head."""
    theirs = Worktree(folder, site.fork())
    theirs.branch("theirs", "origin/main")
    sha = theirs.commit("Help", **files)
    theirs.push("theirs")
    return site.open_from_fork("theirs"), sha


def until_a_later_second(running: Running) -> None:
    """Forges tell times by the second."""
    second = int(time.time())
    running.wait_for("a later second", lambda: int(time.time()) > second)
