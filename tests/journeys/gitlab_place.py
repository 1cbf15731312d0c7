"""A GitLab with people and projects, for journeys."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bot.domain.check import Check
from tests.fakes.gitlab import FakeGitLab
from tests.fakes.gitlab.records import DEVELOPER, MAINTAINER, REPORTER, MergeRequest, Note, Project, User
from tests.fakes.gitlab.shown import reactions_so_far, shown_checks, shown_reactions

SECRET = "hook-secret"


@dataclass(frozen=True)
class GitLabSite:
    fake: FakeGitLab
    project: Project
    people: dict[str, User]

    @property
    def key(self) -> str:
        return f"gitlab/{self.project.path}"

    @property
    def bare(self) -> Path:
        return self.project.bare

    def tell_of_push(self) -> None:
        self.fake.world.pushed(self.project, self.people["ada"])

    def open_change(self, branch: str) -> int:
        return self.fake.world.open_merge_request(self.project, branch, self.people["ada"]).iid

    def close_change(self, number: int) -> None:
        self.fake.world.update_merge_request(self._of(number), self.people["ada"], "close", state="closed")

    def fork(self) -> Path:
        return self.fake.world.fork(self.project, self._forks_path, self.people["eve"]).bare

    def open_from_fork(self, branch: str) -> int:
        world, eve = self.fake.world, self.people["eve"]
        fork = next(one for one in world.projects.values() if one.path == self._forks_path)
        world.pushed(fork, eve)
        return world.open_merge_request(self.project, branch, eve, source=fork).iid

    def write(self, number: int, by: str, body: str) -> str:
        return str(self.fake.world.write(self._of(number), self.people[by], body).id)

    def fill(self, number: int, count: int) -> None:
        world, rob = self.fake.world, self.people["rob"]
        notes = [Note(world.next_id(), f"Words {n}", rob, world.now(), world.now()) for n in range(count)]
        self._of(number).notes.extend(notes)

    def bots_comments(self, number: int) -> list[str]:
        return [note.body for note in self._of(number).notes if note.author is self.people["bot"]]

    def reactions(self, comment_id: str) -> list[str]:
        return shown_reactions(self.project, comment_id)

    def reactions_so_far(self, comment_id: str) -> list[str]:
        return reactions_so_far(self.project, comment_id)

    def checks(self, sha: str) -> list[Check]:
        return shown_checks(self.project, sha)

    def calls(self) -> Counter[str]:
        return self.fake.by_project[self.project.path] + self.fake.by_project[str(self.project.id)]

    def tell_of_something_else(self) -> None:
        self.fake.world._tell(self.project, "push_events", "Emoji Hook", {"object_kind": "emoji"})

    def lose_answers(self) -> None:
        for route in (r"merge_requests/\d+/notes", r"statuses/\w+"):
            self.fake.fail(
                f"^POST /projects/({self.project.path}|{self.project.id})/{route}$", status=502, is_done=True
            )

    def deployments(self) -> list[tuple[str, str]]:
        return [(one.environment.name, one.status) for one in self.project.deployments]

    # -- what GitLab alone has
    def edit(self, number: int, comment_id: str, body: str) -> None:
        of = self._of(number)
        note = next(note for note in of.notes if str(note.id) == comment_id)
        self.fake.world.edit(of, note, self.people["ada"], body)

    def _of(self, number: int) -> MergeRequest:
        return self.project.merge_requests[number - 1]

    @property
    def _forks_path(self) -> str:
        return f"eve/models-{self.project.id}"


class GitLabTown:
    """Below a path prefix, with projects in a subgroup."""

    def __init__(self, folder: Path, *, places: int) -> None:
        self.fake = FakeGitLab(folder / "gitlab", prefix="/gitlab")
        world = self.fake.world
        people = {name: world.add_user(name) for name in ("ada", "grace", "rob", "eve")}
        people["bot"] = world.add_user("project_7_bot_4ffca233d8298ea1", "mlops-bot")
        self._token = world.add_token(people["bot"])
        members = (
            (people["ada"], DEVELOPER),
            (people["grace"], DEVELOPER),
            (people["rob"], REPORTER),
            (people["bot"], MAINTAINER),
        )
        made = [world.add_project(f"acme/ml/models-{number}", *members) for number in range(places)]
        self._free = [GitLabSite(self.fake, project, people) for project in made]

    def take(self) -> GitLabSite:
        return self._free.pop()

    def environ(self) -> dict[str, str]:
        return {
            "MLOPS_BOT_GITLAB_URL": self.fake.url,
            "MLOPS_BOT_GITLAB_TOKEN": self._token,
            "MLOPS_BOT_GITLAB_WEBHOOK_SECRET": SECRET,
        }

    def tell(self, url: str) -> None:
        for project in self.fake.world.projects.values():
            project.hooks.clear()
            self.fake.world.add_hook(project, url, SECRET)

    def settle(self) -> None:
        self.fake.world.settled()

    def answers(self, since: int = 0) -> list[int]:
        self.settle()
        return [sent.answer for sent in self.fake.world.sent][since:]

    def close(self) -> None:
        self.fake.close()
