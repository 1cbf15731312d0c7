"""A model repository on a GitLab that is a fake at the level of HTTP, and the real service that watches it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.service import Service
from bot.settings import load_settings
from tests.fakes.gitlab import FakeGitLab
from tests.fakes.gitlab.records import DEVELOPER, MAINTAINER, REPORTER, MergeRequest, Note, Project, Status, User
from tests.journeys.workplace import Running, Workplace, make_workplace

SECRET = "hook-secret"
_UNFINISHED = "○●"  # queued, running
_ENDED = ("success", "failed", "canceled")


class GitLabTown:
    """A GitLab with people and empty projects, of which each test takes one."""

    def __init__(self, folder: Path, *, projects: int) -> None:
        self.folder = folder
        self.fake = FakeGitLab(folder / "gitlab", prefix="/gitlab")
        world = self.world = self.fake.world
        self.ada, self.rob, self.eve = (world.add_user(name) for name in ("ada", "rob", "eve"))
        self.bot = world.add_user("project_7_bot_4ffca233d8298ea1", "mlops-bot")
        self.token = world.add_token(self.bot)
        self._free = [self._add_project(f"acme/ml/models-{number}") for number in range(projects)]

    def take_project(self) -> Project:
        return self._free.pop()

    @contextmanager
    def service(self, home: Path) -> Iterator[Service]:
        """Told by webhooks of all projects, for as long as it runs."""
        environ = {
            "MLOPS_BOT_HOME": str(home),
            "MLOPS_BOT_PORT": "0",
            "MLOPS_BOT_CONCURRENCY": "2",
            "MLOPS_BOT_GITLAB_URL": self.fake.url,
            "MLOPS_BOT_GITLAB_TOKEN": self.token,
            "MLOPS_BOT_GITLAB_WEBHOOK_SECRET": SECRET,
        }
        service = Service(load_settings(environ))
        for project in self.world.projects.values():
            project.hooks.clear()
            self.world.add_hook(project, f"{service.settings.local_url}/webhooks/gitlab", SECRET)
        with service.running():
            yield service

    def close(self) -> None:
        self.fake.close()

    def _add_project(self, path: str) -> Project:
        members = ((self.ada, DEVELOPER), (self.rob, REPORTER), (self.bot, MAINTAINER))
        return self.world.add_project(path, *members)


@dataclass(frozen=True)
class GitLabPlace:
    """One project, Ada's clone of it, and what the service shows there."""

    town: GitLabTown
    project: Project
    work: Workplace

    @property
    def key(self) -> str:
        return f"gitlab/{self.project.path}"

    def running(self, service: Service) -> Running:
        return Running(service, self.key)

    def push(self, branch: str, message: str, **files: str) -> str:
        """Ada pushes; files are named by path. Gives the sha."""
        for path, text in files.items():
            self.work.write(path, text)
        sha = self.work.commit(message)
        self.work.push(branch, "--force")
        self.town.world.pushed(self.project, self.town.ada)
        return sha

    def propose(self, branch: str, message: str, **files: str) -> tuple[MergeRequest, str]:
        self.work.git("checkout", "--quiet", "-B", branch)
        sha = self.push(branch, message, **files)
        return self.town.world.open_merge_request(self.project, branch, self.town.ada), sha

    def project_file(self, threshold: str) -> dict[str, str]:
        text = (self.work.worktree / "mlops.yaml").read_text()
        return {
            "mlops.yaml": text.replace("default: 0.4}", f"default: {threshold}}}").replace(
                "default: 0.4,", f"default: {threshold},"
            )
        }

    def statuses(self, sha: str) -> dict[str, Status]:
        """The newest of each name."""
        return {status.name: status for status in self.project.statuses if status.sha == sha}

    def ended_statuses(self, sha: str, running: Running, *names: str) -> dict[str, Status]:
        def look() -> dict[str, Status] | None:
            found = self.statuses(sha)
            ended = [name for name, status in found.items() if status.state in _ENDED]
            return found if set(names or ("mlops/churn",)) <= set(ended) and len(ended) == len(found) else None

        return running.wait_for(f"the statuses of {sha[:10]}", look)

    def notes(self, of: MergeRequest, marker: str) -> list[Note]:
        return [note for note in of.notes if note.author is self.town.bot and marker in note.body]

    def living_note(self, of: MergeRequest, holding: str, running: Running) -> str:
        """The one living note, once it holds these words and says of nothing that it is queued or runs."""

        def look() -> str | None:
            found = self.notes(of, "mlops-bot:change")
            assert len(found) <= 1
            body = found[0].body if found else ""
            return body if holding in body and not any(sign in body for sign in _UNFINISHED) else None

        return running.wait_for(f"a note with {holding!r}", look)

    def say(self, of: MergeRequest, by: User, body: str, running: Running) -> tuple[str, list[str]]:
        """Write a comment; gives the answer to it, and the reactions on it."""
        comment = self.town.world.write(of, by, body)
        marker = f"mlops-bot:reply:gitlab-{comment.id} "
        answer = running.wait_for(f"an answer to {body!r}", lambda: next(iter(self.notes(of, marker)), None))
        return answer.body, [award.name for award in comment.awards]


def make_place(town: GitLabTown, folder: Path) -> GitLabPlace:
    """The sample model, committed and not pushed yet."""
    project = town.take_project()
    work = make_workplace(folder, home=folder / "no-home")
    work.git("remote", "set-url", "origin", str(project.bare))
    return GitLabPlace(town, project, work)
